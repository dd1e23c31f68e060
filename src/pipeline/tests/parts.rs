//! Runs over parts of a dataset, and the number of records that may be left out.

use super::*;

fn run_part(world: &Arc<World>, part: Part, sink: &mut FakeSink) -> Result<Outcome> {
    let options = Options { part, on_bad_record: BadRecord::Skip, ..Options::default() };
    run_fakes(world, 3, options, sink, &Cancel::new(), Random::new(7))
}

#[test]
fn parts_together_are_the_whole() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let (world, entries) = skippable_world(&mut random);
        let of = 1 + random.below(9);
        let mut joined = Entries::new();
        for index in 0..of {
            let mut sink = FakeSink::default();
            let outcome = run_part(&world, Part::Share { index, of }, &mut sink).unwrap();
            assert_eq!(outcome.recorded + outcome.skipped, sink.entries.len() as u64);
            // What a part has begun it can go on with: nothing is missing.
            let again = run_part(&world, Part::Share { index, of }, &mut sink).unwrap();
            assert_eq!(again, Outcome::default());
            joined.append(&mut sink.entries);
        }
        assert_eq!(joined, entries, "seed {seed}: {of} parts of {world:?}");
    }
}

#[test]
fn a_recording_may_take_further_parts() {
    let world = Arc::new(World::new(&[7, 5]));
    let mut sink = FakeSink::default();
    let part = |start, end| Part::Records { start, end: Some(end) };
    for (part, recorded) in [(part(5, 9), 4), (part(3, 8), 2), (Part::All, 6), (Part::All, 0)] {
        assert_eq!(run_part(&world, part, &mut sink).unwrap().recorded, recorded);
    }
    let numbers: Vec<(char, u64)> =
        sink.entries.iter().map(|it| (it.0.chars().last().unwrap(), it.1)).collect();
    let all: Vec<(char, u64)> = [
        [('0', 5), ('0', 6), ('1', 0), ('1', 1)].as_slice(),
        &[('0', 3), ('0', 4)],
        &[('0', 0), ('0', 1), ('0', 2), ('1', 2), ('1', 3), ('1', 4)],
    ]
    .concat();
    assert_eq!(numbers, all);
    let beyond = run_part(&world, part(12, 13), &mut sink).unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::Dataset);
}

#[test]
fn one_unusable_record_too_many_ends_the_run() {
    let mut world = World::new(&[20]);
    world.faults =
        [3, 4, 11, 15].map(|record| (0, record, Fault::Unreadable)).into_iter().collect();
    let world = Arc::new(world);
    let mut sink = FakeSink::default();
    for (most, kept) in [(0, 3), (2, 11), (2, 11), (3, 15), (4, 20)] {
        let options =
            Options { on_bad_record: BadRecord::Skip, max_bad_records: most, ..Options::default() };
        let result = run_fakes(&world, 2, options, &mut sink, &Cancel::new(), Random::new(1));
        assert_eq!((sink.entries.len(), sink.committed), (kept, kept));
        if kept == 20 {
            result.unwrap();
            break;
        }
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Record);
        let expected = format!("more than {most} unusable records");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.to_string().ends_with(&format!("bad 0/{kept}")), "{error}");
    }
    assert_eq!(sink.skipped(), 4);
}
