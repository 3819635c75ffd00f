//! Recordings that somebody was sent.

use std::io::Write;

use buildscaler_recording::{Recording, replay, why};
use tempfile::NamedTempFile;

/// More letters than a message about a line may have.
const LONGEST_MESSAGE: usize = 2_000;

/// A file: it is read, replayed, and asked about.
pub(crate) fn recording(bytes: &[u8]) {
    let mut file = NamedTempFile::new().expect("a file can be made");
    file.write_all(bytes).expect("a file can be written");
    let recording = Recording::find(file.path()).expect("a file is a recording of its own");
    let mut moments = 0;
    for moment in recording.moments() {
        match moment {
            Ok(_) => moments += 1,
            Err(error) => {
                let length = error.to_string().len();
                assert!(length <= LONGEST_MESSAGE, "a message of {length} letters");
            }
        }
    }
    assert!(moments <= bytes.len(), "there are no more moments than letters");
    if let Ok(replay) = replay(&recording) {
        assert!(replay.steps <= moments);
        assert!(
            replay.unwritten.iter().all(|step| !step.panics),
            "no step panics: {replay}"
        );
        let panicked = replay
            .difference
            .as_ref()
            .is_some_and(|difference| difference.replayed.is_none());
        assert!(!panicked, "no step panics: {replay}");
    }
    for id in ["linux-1", "builds/linux-1", ""] {
        // It knows the id or not.
        let _ = why(&recording, id).map(|story| story.map(|story| story.events.len()));
    }
}
