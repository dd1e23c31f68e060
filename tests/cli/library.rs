//! The library does what the program does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use record_minmax::Recorder;
use record_minmax::circle::ModelFile;
use record_minmax::dataset::{self, DataFormat, Record};
use record_minmax::error::{Error, ErrorKind};
use record_minmax::pipeline::{BadRecord, Cancel, Options};
use record_minmax::recorder::Existing;
use record_minmax::stats::{Estimator, MovingAverageSettings};

use crate::support::Folder;

#[test]
fn files_give_the_bytes_that_the_program_gives() {
    let folder = Folder::new();
    folder.make_data("data.h5", 20, 1);
    folder.run("model.tflite data.h5 a.circle").succeeds();

    let model = ModelFile::open(&folder.path("model.tflite")).unwrap();
    let recorder = Recorder::builder(model).threads(3).build().unwrap();
    recorder.check_output().unwrap();
    let data = [folder.path("data.h5").to_str().unwrap().to_owned()];
    let source = dataset::open(&data, DataFormat::Auto, recorder.inputs()).unwrap();
    let mut session = recorder.open(&folder.path("b.rmm")).unwrap();
    session.record(source, &Cancel::new(), &mut |_| ()).unwrap();
    let estimator = Estimator::MovingAverage(MovingAverageSettings::default());
    let ranges = session.ranges(&estimator).unwrap();
    let written = session.write_model(&ranges, &folder.path("b.circle")).unwrap();
    assert_eq!(written, session.tensors().len());
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
    drop(session);
    let refused = recorder.open(&folder.path("b.rmm")).err().unwrap();
    assert!(refused.to_string().contains("exists already"), "{refused}");
}

#[test]
fn records_of_a_function_are_cancelled_continued_and_left_out() {
    let folder = Folder::new();
    let model = || ModelFile::open(&folder.path("model.tflite")).unwrap();
    let options = Options { on_bad_record: BadRecord::Skip, ..Options::default() };
    let builder = Recorder::builder(model()).threads(2).existing(Existing::Resume);
    let recorder = builder.run_options(options).build().unwrap();
    let made = Arc::new(AtomicU64::new(0));
    let source = || {
        let made = Arc::clone(&made);
        let read = move |number: u64, into: &mut Record| {
            made.fetch_add(1, Ordering::Relaxed);
            into.inputs[0].as_mut_slice::<f32>().fill(number as f32);
            if number == 7 { Err(Error::record("it is odd")) } else { Ok(()) }
        };
        dataset::from_fn(recorder.inputs(), "numbers", 500, read).unwrap()
    };
    let path = folder.path("a.rmm");
    let cancel = Cancel::new();
    let mut session = recorder.open(&path).unwrap();
    let first = session.record(source(), &cancel, &mut |_| cancel.request(2)).unwrap();
    assert!(first.interrupted && first.recorded < 499, "{first:?}");
    drop(session);

    let mut session = recorder.open(&path).unwrap();
    let second = session.record(source(), &Cancel::new(), &mut |_| ()).unwrap();
    assert!(!second.interrupted);
    assert_eq!(first.recorded + second.recorded, 499);
    assert_eq!((session.writer().records(), session.writer().skipped()), (499, 1));
    // Of the inputs, the range is known.
    let ranges = session.ranges(&Estimator::MinMax).unwrap();
    let (input, name) = (ranges[0].unwrap(), &recorder.inputs()[0].name);
    assert_eq!((&session.tensors()[0].name, input.min, input.max), (name, 0.0, 499.0));
    let before = made.load(Ordering::Relaxed);
    session.record(source(), &Cancel::new(), &mut |_| ()).unwrap();
    assert!(made.load(Ordering::Relaxed) - before < 50, "known records are only sampled");
    drop(session);

    let strict = Recorder::builder(model()).existing(Existing::Overwrite).build().unwrap();
    let mut session = strict.open(&path).unwrap();
    let error = session.record(source(), &Cancel::new(), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Record);
    assert!(error.to_string().contains("numbers: record 7: it is odd"), "{error}");
    assert_eq!(session.writer().committed(), 7);
}
