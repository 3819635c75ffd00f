//! What the reader makes of files that are not as they were written.

use std::fs;
use std::path::{Path, PathBuf};

use buildscaler_core::Input;
use buildscaler_recording::{Ending, Part, Recording, replay};
use proptest::prelude::*;

use crate::odd::{lives, long_lives};
use crate::support::Life;

/// A short recording of three steps in one file.
fn recorded(folder: &Path) -> PathBuf {
    let mut life = Life::begin(folder, 1_000_000);
    life.tell(5, Input::Tick);
    life.tell(5, Input::Tick);
    Recording::find(folder).unwrap().files()[0].clone()
}

/// The text of the recording, changed, and what the reader says of it.
fn complaint(change: impl Fn(&str) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
    let error = replay(&Recording::find(&path).unwrap()).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    error
}

#[test]
fn a_line_that_is_no_json_is_named_with_its_place() {
    let said = complaint(|text| text.replacen("\"Tick\"", "Tick", 1).replacen("\"tick\"", "tick", 1));
    assert!(said.contains("line 2: ") && said.contains("column"), "{said}");
    assert!(said.contains("damaged"), "{said}");
}

#[test]
fn a_line_that_was_removed_is_noticed() {
    let said = complaint(|text| {
        let lines: Vec<_> = text.lines().enumerate().filter(|(place, _)| *place != 2).collect();
        lines.iter().map(|(_, line)| format!("{line}\n")).collect()
    });
    assert!(said.contains("line 3: a step was expected"), "{said}");
}

#[test]
fn another_version_is_named_with_what_to_do() {
    let said = complaint(|text| text.replacen("\"version\":1", "\"version\":7", 1));
    assert!(said.contains("line 1: ") && said.contains("version 7"), "{said}");
    assert!(said.contains("use the version of Buildscaler that wrote it"), "{said}");
}

#[test]
fn a_file_that_is_no_recording_is_called_so() {
    for text in ["hello\n", "{}\n", "{\"format\":\"something\",\"version\":1}\n"] {
        let said = complaint(|_| text.to_owned());
        assert!(said.contains("line 1: this is no recording"), "{said}");
    }
}

#[test]
fn rows_that_are_not_there_are_noticed() {
    let said = complaint(|text| {
        let view = "{\"cluster\":{\"id\":null,\"begun_at\":1,\"templates\":{\"Complete\":[{\"same\":[0,4]}]},\
                    \"pods\":{\"Complete\":[]}}}";
        text.replacen("\"tick\"", view, 1)
    });
    assert!(
        said.contains("line 2: ") && said.contains("rows 0 to 4 of a list that has 0"),
        "{said}"
    );
}

/// A few letters must not ask for more memory than there is.
///
/// Seen to fail (to run out of the 3 GB it was given) when lists had no bound.
#[test]
fn a_list_that_doubles_from_line_to_line_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let mut bomb = format!("{}\n", lines.next().unwrap());
    let step = lines.nth(1).unwrap();
    let look = |agents: &str| {
        format!(
            "{{\"at\":1,\"input\":{{\"buildkite\":{{\"id\":1,\"begun_at\":1,\"jobs\":[],\"agents\":{agents},\
             \"end\":\"Complete\",\"spending\":{{\"requests\":1,\"limits\":[]}}}}}}}}\n{step}\n"
        )
    };
    let agent = "{\"id\":\"a\",\"hostname\":null,\"state\":\"Connected\",\"running\":null,\"paused\":false,\
                 \"queues\":[],\"tags\":[],\"pod_uid\":null,\"connected_at\":null}";
    bomb.push_str(&look(&format!("[{{\"new\":[{agent}]}}]")));
    for doublings in 0..40 {
        let rows = 1_u64 << doublings;
        bomb.push_str(&look(&format!("[{{\"same\":[0,{rows}]}},{{\"same\":[0,{rows}]}}]")));
    }
    fs::write(&path, bomb).unwrap();
    let error = Part::open(&path).unwrap().find_map(Result::err).unwrap().to_string();
    assert!(error.contains("a list of more than"), "{error}");
}

#[test]
fn a_piece_of_a_line_at_the_end_is_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let last = text.trim_end().rfind('\n').unwrap();
    fs::write(&path, &text[..last + 9]).unwrap();
    let mut part = Part::open(&path).unwrap();
    let moments: Vec<_> = part.by_ref().map(Result::unwrap).collect();
    assert_eq!(part.ending(), Some(Ending::WithinLine { line: 7 }));
    assert_eq!(moments.iter().filter(|moment| moment.step.is_some()).count(), 2);
    let replayed = replay(&Recording::find(&path).unwrap()).unwrap();
    assert_eq!((replayed.steps, replayed.unwritten.len()), (2, 1), "{replayed}");
    assert!(replayed.is_equal(), "{replayed}");
}

/// An input is written before its step is computed, so a step that panics can
/// be looked into.
#[test]
fn an_input_without_its_step_is_read_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let last = text.trim_end().rfind('\n').unwrap();
    fs::write(&path, &text[..=last]).unwrap();
    let mut part = Part::open(&path).unwrap();
    let moments: Vec<_> = part.by_ref().map(Result::unwrap).collect();
    assert_eq!(part.ending(), Some(Ending::WithinStep));
    assert_eq!(moments.len(), 3);
    assert!(moments[2].step.is_none());
    let said = replay(&Recording::find(&path).unwrap()).unwrap().to_string();
    assert!(said.contains("line 6: the program ended within this step"), "{said}");
}

/// Seen to fail when steps were compared without their wake.
#[test]
fn the_first_step_that_differs_is_shown_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let changed = text.replacen(lines[4], &lines[4].replacen("Interval", "Budget", 1), 1);
    assert_ne!(changed, text, "{text}");
    fs::write(&path, changed).unwrap();
    let replayed = replay(&Recording::find(&path).unwrap()).unwrap();
    assert!(!replayed.is_equal());
    let said = replayed.to_string();
    assert!(said.contains("line 5"), "{said}");
    assert!(
        said.contains("wake.reason: recorded \"Budget\", replayed \"Interval\""),
        "{said}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is done to a file, reading and replaying it ends, with moments
    /// or words, and never with a panic of the reader.
    #[test]
    fn no_damage_makes_the_reader_panic(
        life in prop_oneof![3 => lives(), 1 => long_lives()],
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut lived = Life::begin(folder.path(), 80_000);
        for (seconds, input) in life {
            lived.tell(seconds, input);
        }
        // The last file begins with the controller's state, unless it is the first.
        let path = Recording::find(folder.path()).unwrap().files().last().unwrap().clone();
        let mut bytes = fs::read(&path).unwrap();
        for (place, byte, kind) in hits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place.max(1)),
            }
        }
        fs::write(&path, bytes).unwrap();
        drop(replay(&Recording::find(folder.path()).unwrap()).map(|replayed| replayed.to_string()));
    }
}
