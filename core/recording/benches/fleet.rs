//! What recording a large fleet costs, in time and in bytes.
//!
//! It prints figures for docs/recordings.md, and promises nothing.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and may fail")]
#![expect(clippy::disallowed_types, reason = "a bench reads the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use buildscaler_core::{
    Agent, ClusterView, CommandId, Config, ConnectionState, Controller, Input, Look, LookEnd, Pod, PodStage, Queue,
    Spending, Timestamp, Uid, View,
};
use buildscaler_recording::{Program, Recorder, Recording, Settings, replay};

const FLEET: usize = 10_000;
const ROUNDS: u64 = 20;
const START: Timestamp = Timestamp::from_millis(1_793_534_400_000);

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::default();
    let mut recorder = Recorder::new(
        Settings {
            folder: folder.path().to_owned(),
            most_bytes: 1 << 30,
            program: Program {
                name: "bench".into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
        },
        config.clone(),
    );
    let mut controller = Controller::new(config);
    let (mut recording, mut stepping, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (at, input)) in story().into_iter().enumerate() {
        let begun = Instant::now();
        assert!(recorder.input(at, &input).is_none());
        let (written, stepped) = (begun.elapsed(), Instant::now());
        let step = controller.step(at, input);
        stepping.push(stepped.elapsed());
        let begun = Instant::now();
        assert!(recorder.step(at, &step).is_none());
        recording.push(written + begun.elapsed());
        bytes.push(size(folder.path()));
        if number < 3 {
            println!(
                "input {number}: {} bytes so far, {:?} to record",
                size(folder.path()),
                recording[number]
            );
        }
    }
    let looks = 3..recording.len();
    println!("{FLEET} pods and agents, {ROUNDS} rounds of one new pod and one agent that changes:");
    println!(
        "  a step takes {:?}, and recording it {:?}",
        mean(&stepping[looks.clone()]),
        mean(&recording[looks.clone()])
    );
    println!(
        "  and {} bytes",
        (bytes[bytes.len() - 1] - bytes[2]) / looks.len() as u64
    );
    let begun = Instant::now();
    let replayed = replay(&Recording::find(folder.path()).expect("a recording")).expect("readable");
    println!("  replayed in {:?}: {replayed}", begun.elapsed());
}

fn story() -> Vec<(Timestamp, Input)> {
    let mut story = vec![(START, Input::Tick)];
    let mut id = 0;
    for round in 0..=ROUNDS {
        let at = START.after(Duration::from_secs(20 * round));
        id += 1;
        story.push((at, cluster(id, at, round)));
        id += 1;
        story.push((at.after(Duration::from_millis(500)), look(id, at, round)));
    }
    story
}

fn cluster(id: u64, at: Timestamp, round: u64) -> Input {
    let pods = (0..FLEET + usize::try_from(round).unwrap_or(0)).map(|number| {
        Arc::new(Pod {
            uid: Uid::from(format!("808475f0-b11d-4001-8000-{number:012}")),
            namespace: "builds".into(),
            name: format!("linux-template-{number:010}"),
            queue: Some(Queue::from("linux")),
            template_uid: Some(Uid::from("bc4075f2-b11d-4003-8000-000000000001")),
            template_hash: Some("32ls6pjehvabc".into()),
            created_at: START,
            deleting: false,
            stage: PodStage::Running,
            hostname: Some(format!("linux-template-{number:010}")),
            trouble: None,
            message: None,
            adopted: false,
        })
    });
    Input::Cluster {
        id: Some(CommandId(id)),
        view: ClusterView {
            begun_at: at,
            templates: View::Complete(Vec::new()),
            pods: View::Complete(pods.collect()),
        },
    }
}

fn look(id: u64, at: Timestamp, round: u64) -> Input {
    let agents = (0..FLEET).map(|number| {
        let is_idle = usize::try_from(round).is_ok_and(|round| round == number);
        Agent {
            id: format!("0194f0e2-b11d-4001-8000-{number:012}").into(),
            hostname: Some(format!("linux-template-{number:010}")),
            state: ConnectionState::Connected,
            running: (!is_idle).then(|| format!("0194f0e2-b11d-4002-8000-{number:012}").into()),
            paused: false,
            queues: vec![Queue::from("linux")],
            tags: vec![
                format!("pod-uid=808475f0-b11d-4001-8000-{number:012}"),
                "os=linux".into(),
            ],
            pod_uid: Some(Uid::from(format!("808475f0-b11d-4001-8000-{number:012}"))),
            connected_at: Some(START),
        }
    });
    Input::Buildkite {
        id: CommandId(id),
        look: Look {
            begun_at: at,
            jobs: Vec::new(),
            agents: agents.collect(),
            end: LookEnd::Complete,
            spending: Spending {
                requests: 2,
                limits: Vec::new(),
            },
        },
    }
}

fn size(folder: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(folder).expect("a folder");
    files
        .map(|file| file.expect("a file").metadata().expect("a size").len())
        .sum()
}

fn mean(times: &[Duration]) -> Duration {
    times.iter().sum::<Duration>() / u32::try_from(times.len()).unwrap_or(1)
}
