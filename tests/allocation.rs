//! A run allocates nothing per record: its memory is there before the first one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use record_minmax::circle::ModelFile;
use record_minmax::error::Result;
use record_minmax::interpreter::{Feed, Groups, Interpreter, Plan, PlanOptions, RecordInputs};
use record_minmax::observation::RecordObservations;
use record_minmax::tensor::{AlignedBuffer, DType};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by nature; this one counts and passes on")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Gives all records the same inputs.
struct Same<'a>(&'a [&'a [u8]]);

impl Feed for Same<'_> {
    fn inputs(&mut self, _record: usize) -> Result<RecordInputs<'_>> {
        Ok(RecordInputs::from_slice(self.0))
    }
}

/// Allocations while `interpreter` observes as many groups, which `run` runs.
fn count(
    interpreter: &mut Interpreter,
    run: &mut dyn FnMut(&mut Interpreter),
    records: usize,
    groups: usize,
) -> u64 {
    let mut observations = RecordObservations::default();
    let mut observe = |interpreter: &mut Interpreter| {
        run(interpreter);
        for record in 0..records {
            interpreter.finish(record, &mut observations).unwrap();
        }
    };
    observe(interpreter);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..groups {
        observe(interpreter);
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

// One test only: another thread's allocations would be counted too.
#[test]
fn observing_allocates_nothing() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for model in ["sample/sample.tflite", "models/families.tflite", "models/attention.tflite"] {
        let graph = ModelFile::open(&testdata.join(model)).unwrap().graph().unwrap();
        for (records, tail) in [(1, 0), (5, 0), (5, usize::MAX)] {
            let groups = Groups::Fixed { records, tail };
            let options = PlanOptions { groups, ..PlanOptions::new() };
            let plan = Arc::new(Plan::new(&graph, &options).unwrap());
            let buffers: Vec<AlignedBuffer> = plan
                .inputs()
                .iter()
                .map(|input| {
                    let mut buffer = AlignedBuffer::zeroed(input.input_type.byte_len().unwrap());
                    if input.input_type.dtype == DType::F32 {
                        for (i, value) in buffer.as_mut_slice::<f32>().iter_mut().enumerate() {
                            *value = (i * 37 % 100) as f32 / 100.0 + 0.1;
                        }
                    }
                    buffer
                })
                .collect();
            let inputs: Vec<&[u8]> = buffers.iter().map(AlignedBuffer::bytes).collect();
            let mut interpreter = Interpreter::new(plan);
            let all = inputs.repeat(records);
            // The tail reads the inputs, if it is all there is.
            assert_eq!(interpreter.can_be_fed(), tail > 0);
            let allocations = if tail == 0 {
                let mut run = |it: &mut Interpreter| it.run_group(&all).unwrap();
                count(&mut interpreter, &mut run, records, 10)
            } else {
                let mut run =
                    |it: &mut Interpreter| it.run_fed(records, &mut Same(&inputs)).unwrap();
                count(&mut interpreter, &mut run, records, 10)
            };
            assert_eq!(allocations, 0, "{model}, groups of {records}");
        }
    }
}
