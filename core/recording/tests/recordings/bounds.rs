//! Files, their bound, and disks that refuse.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use buildscaler_core::{ClusterView, Input, Pod, PodStage, Queue, Uid, View};
use buildscaler_recording::{Header, Notice, Part, Recording, Start, replay};

use crate::odd::later;
use crate::support::{Life, START};

fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn headers(folder: &Path) -> Vec<Header> {
    let recording = Recording::find(folder).unwrap();
    let parts = recording.files().iter().map(|path| Part::open(path).unwrap());
    parts.map(|part| part.header().clone()).collect()
}

/// Seen to fail when files of earlier runs were not counted.
#[test]
fn the_folder_never_grows_beyond_its_bound_and_the_oldest_files_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let most = 40_000;
    for day in 0..2 {
        let mut life = Life::begin_at(later(START, day * 86_400), folder.path(), most);
        for _ in 0..400 {
            life.tell(5, Input::Tick);
            assert!(bytes(folder.path()) <= most);
        }
        assert!(life.notices.is_empty(), "{:?}", life.notices);
        let parts: Vec<u32> = headers(folder.path()).iter().map(|header| header.part).collect();
        assert!(parts.len() > 2 && parts[0] > 1 && parts.is_sorted(), "{parts:?}");
    }
}

#[test]
fn files_that_follow_each_other_replay_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut life = Life::begin(folder.path(), 200_000);
    for _ in 0..300 {
        life.tell(5, Input::Tick);
    }
    let starts: Vec<Start> = headers(folder.path()).iter().map(|header| header.start).collect();
    assert!(starts.len() > 1, "{starts:?}");
    assert_eq!(starts[0], Start::Fresh);
    assert!(starts[1..].iter().all(|start| *start == Start::Continued), "{starts:?}");
    let replayed = replay(&Recording::find(folder.path()).unwrap()).unwrap();
    assert_eq!(replayed.steps, life.steps, "{replayed}");
    assert!(replayed.is_equal(), "{replayed}");
}

/// A disk that refuses is told of once, and is no reason to stop.
///
/// Seen to fail when every step complained.
#[test]
fn a_folder_that_cannot_be_written_is_told_once_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("recordings");
    fs::write(&place, "a file where the folder should be").unwrap();
    let mut life = Life::begin(&place, 1_000_000);
    for _ in 0..20 {
        life.tell(30, Input::Tick);
    }
    let [Notice::Interrupted { .. }] = life.notices.as_slice() else {
        panic!("{:?}", life.notices);
    };
    let said = life.notices[0].to_string();
    assert!(
        said.contains(place.to_str().unwrap()) && said.contains("scaling goes on"),
        "{said}"
    );

    fs::remove_file(&place).unwrap();
    for _ in 0..3 {
        life.tell(30, Input::Tick);
    }
    let [_, Notice::Resumed { missing, .. }] = life.notices.as_slice() else {
        panic!("{:?}", life.notices);
    };
    assert!(*missing >= 21, "{missing}");
    assert_eq!(headers(&place)[0].start, Start::Gap);
}

#[test]
fn a_bound_that_one_view_breaks_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let life = Life::begin(folder.path(), 300);
    let said = life.notices[0].to_string();
    assert!(said.contains("allow more"), "{said}");
    assert_eq!(bytes(folder.path()), 0);
}

#[test]
fn a_folder_without_a_recording_is_called_empty() {
    let folder = tempfile::tempdir().unwrap();
    let said = Recording::find(folder.path()).unwrap_err().to_string();
    assert!(said.contains("there is no recording here"), "{said}");
}

#[test]
fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("recordings");
    Life::begin(&place, 1_000_000);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    assert_eq!(mode(&Recording::find(&place).unwrap().files()[0]), 0o600);
}

/// A write that is refused in the midst of a file costs the steps until it
/// succeeds again, and nothing else.
///
/// Seen to fail when the shadow heard only what could be written.
#[test]
fn what_was_refused_is_missing_and_the_next_file_replays_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let most = 30_000;
    let mut life = Life::begin(folder.path(), most);
    let crowd: Vec<_> = (0..200).map(crowded).collect();
    life.tell(5, cluster(crowd));
    let [Notice::Interrupted { .. }] = life.notices.as_slice() else {
        panic!("{:?}", life.notices);
    };
    life.tell(30, cluster(vec![crowded(1)]));
    life.tell(90, Input::Tick);
    life.tell(5, Input::Tick);
    let [_, Notice::Resumed { file, missing }] = life.notices.as_slice() else {
        panic!("{:?}", life.notices);
    };
    assert_eq!(*missing, 2);
    assert_eq!(Part::open(file).unwrap().header().start, Start::Gap);
    let replayed = replay(&Recording::find(file).unwrap()).unwrap();
    assert!(replayed.is_equal() && replayed.steps == 2, "{replayed}");
    let whole = replay(&Recording::find(folder.path()).unwrap()).unwrap();
    assert!(whole.is_equal() && whole.skipped.is_empty(), "{whole}");
}

fn crowded(number: u32) -> Arc<Pod> {
    Arc::new(Pod {
        uid: Uid::from(format!("pod-{number}")),
        namespace: "builds".into(),
        name: format!("pod-{number}"),
        queue: Some(Queue::from("linux")),
        template_uid: None,
        template_hash: None,
        created_at: START,
        deleting: false,
        stage: PodStage::Running,
        hostname: None,
        trouble: None,
        message: None,
        adopted: false,
    })
}

fn cluster(pods: Vec<Arc<Pod>>) -> Input {
    Input::Cluster {
        id: None,
        view: ClusterView {
            begun_at: START,
            templates: View::Complete(Vec::new()),
            pods: View::Complete(pods),
        },
    }
}
