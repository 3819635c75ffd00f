//! Generators of worlds that could be: every thing refers to things that are
//! there, so nothing is thrown away and failures shrink well.

use std::collections::BTreeMap;

use buildscaler_core::{Agent, BuildkiteJob, ConnectionState, JobState, Pod, PodStage, TemplateHash, Uid};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::build::{START, agent, foreign_agent, pod, queue, secs, template, waiting};
use super::world::World;

/// The queues of all generated worlds.
pub(crate) const QUEUES: [&str; 3] = ["apple", "berry", "cherry"];

/// The annotations of a template.
pub(crate) type Notes = BTreeMap<String, String>;

/// How a queue's templates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claims {
    None,
    One,
    Contested,
    Parallel,
    Deleting,
}

/// What a pod is to its queue's templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Current,
    OtherJob,
    OlderHash,
    NoQueue,
    Adopted,
}

/// How an agent names its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Tag,
    Hostname,
    Unexpanded,
}

#[derive(Clone, Debug)]
struct AgentPlan {
    state: ConnectionState,
    runs: bool,
    paused: bool,
    link: Link,
}

#[derive(Clone, Debug)]
struct PodPlan {
    queue: usize,
    origin: Origin,
    stage: PodStage,
    deleting: bool,
    age: u64,
    agents: Vec<AgentPlan>,
}

#[derive(Clone, Debug)]
struct JobPlan {
    queue: usize,
    state: JobState,
    runnable: bool,
    picky: bool,
}

/// Worlds in which everything occurs.
pub(crate) fn worlds() -> impl Strategy<Value = World> {
    (
        vec(claims(), QUEUES.len()),
        vec(pods(), 0..7),
        vec(jobs(), 0..7),
        vec(0..QUEUES.len(), 0..2),
        vec(notes(), QUEUES.len()),
    )
        .prop_map(|(claims, pods, jobs, foreign, notes)| {
            let mut world = assemble(&claims, &pods, &jobs, &foreign);
            for template in &mut world.templates {
                let place = QUEUES.iter().position(|name| template.name == *name);
                template.annotations = place.map(|place| notes[place].clone()).unwrap_or_default();
            }
            world
        })
}

fn claims() -> impl Strategy<Value = Claims> {
    prop_oneof![
        4 => Just(Claims::One),
        1 => select(vec![Claims::None, Claims::Contested, Claims::Parallel, Claims::Deleting]),
    ]
}

/// Annotations, good and bad ones; mostly there are none.
pub(crate) fn notes() -> impl Strategy<Value = Notes> {
    let one = select(vec![
        ("max-active-builds", "2"),
        ("max-active-builds", "0"),
        ("max-active-builds", "many"),
        ("min-idle", "1"),
        ("min-idle", "2"),
        ("min-idle", "-1"),
        ("disconnect-after-idle-timeout", "40"),
        ("agent-startup-timeout", "120"),
        ("agent-startup-timeout", "0"),
        ("max-agent-lifetime", "700"),
        ("pvc-size", "10Gi"),
        ("pvc-mount-path", "/cache"),
        ("pvc-storage-class-name", "Fast!"),
        ("max-active-build", "2"),
    ]);
    let some = vec(one, 1..4).prop_map(|notes| {
        let owned = notes
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        owned.collect::<Notes>()
    });
    prop_oneof![3 => Just(Notes::new()), 2 => some]
}

fn pods() -> impl Strategy<Value = PodPlan> {
    let origin = prop_oneof![
        4 => Just(Origin::Current),
        2 => select(vec![Origin::OtherJob, Origin::OlderHash]),
        1 => select(vec![Origin::NoQueue, Origin::Adopted]),
    ];
    let stage = prop_oneof![
        4 => Just(PodStage::Running),
        3 => select(vec![
            PodStage::Unscheduled, PodStage::Starting, PodStage::AgentEnded, PodStage::Succeeded, PodStage::Failed
        ]),
    ];
    let agents = prop_oneof![
        2 => vec(agents(), 0..1),
        4 => vec(agents(), 1..2),
        1 => vec(agents(), 2..3),
    ];
    (
        0..QUEUES.len(),
        origin,
        stage,
        prop::bool::weighted(0.1),
        select(vec![0u64, 30, 599, 600, 601, 4_000]),
        agents,
    )
        .prop_map(|(queue, origin, stage, deleting, age, agents)| PodPlan {
            queue,
            origin,
            stage,
            deleting,
            age,
            agents,
        })
}

fn agents() -> impl Strategy<Value = AgentPlan> {
    let state = prop_oneof![
        6 => Just(ConnectionState::Connected),
        1 => Just(ConnectionState::Stopping),
        1 => Just(ConnectionState::Other),
    ];
    let link = prop_oneof![4 => Just(Link::Tag), 1 => Just(Link::Hostname), 1 => Just(Link::Unexpanded)];
    (state, any::<bool>(), prop::bool::weighted(0.1), link).prop_map(|(state, runs, paused, link)| AgentPlan {
        state,
        runs,
        paused,
        link,
    })
}

fn jobs() -> impl Strategy<Value = JobPlan> {
    let state = prop_oneof![
        6 => Just(JobState::Scheduled),
        1 => select(vec![JobState::Limited, JobState::Active, JobState::Other]),
    ];
    (
        0..QUEUES.len(),
        state,
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(queue, state, runnable, picky)| JobPlan {
            queue,
            state,
            runnable,
            picky,
        })
}

fn assemble(claims: &[Claims], pods: &[PodPlan], jobs: &[JobPlan], foreign: &[usize]) -> World {
    let mut world = World::default();
    for (name, claims) in QUEUES.iter().zip(claims) {
        add_templates(&mut world, name, *claims);
    }
    for (number, plan) in pods.iter().enumerate() {
        let pod = add_pod(&mut world, number, plan);
        for (nth, plan) in plan.agents.iter().enumerate() {
            world
                .agents
                .push(an_agent(&format!("agent-{number}-{nth}"), &pod, plan));
        }
    }
    for (number, plan) in jobs.iter().enumerate() {
        world.jobs.push(a_job(&format!("job-{number}"), plan));
    }
    for (number, place) in foreign.iter().enumerate() {
        world
            .agents
            .push(foreign_agent(&format!("foreign-{number}"), QUEUES[*place]));
    }
    world
}

fn add_templates(world: &mut World, name: &str, claims: Claims) {
    let mut first = template(name, name);
    match claims {
        Claims::None => return,
        Claims::One => {}
        Claims::Contested => {
            let mut second = template(&format!("{name}-2"), name);
            second.created_at = first.created_at.after(secs(60));
            world.templates.push(second);
        }
        Claims::Parallel => first.parallelism = 1,
        Claims::Deleting => first.deleting = true,
    }
    world.templates.push(first);
}

fn add_pod(world: &mut World, number: usize, plan: &PodPlan) -> Pod {
    let template = template(QUEUES[plan.queue], QUEUES[plan.queue]);
    let mut made = pod(&format!("pod-{number}"), &template);
    made.created_at = START.before(secs(plan.age));
    made.deleting = plan.deleting;
    made.stage = plan.stage;
    match plan.origin {
        Origin::Current => {}
        Origin::OtherJob => made.template_uid = Some(Uid::from("uid-of-old")),
        Origin::OlderHash => made.template_hash = Some(TemplateHash::from("older")),
        Origin::NoQueue => made.queue = None,
        Origin::Adopted => made.adopted = true,
    }
    world.pods.push(made.clone());
    made
}

fn an_agent(id: &str, pod: &Pod, plan: &AgentPlan) -> Agent {
    let mut made = agent(id, pod);
    made.state = plan.state;
    made.paused = plan.paused;
    made.running = plan.runs.then(|| format!("job-of-{id}").into());
    match plan.link {
        Link::Tag => {}
        Link::Hostname => made.pod_uid = None,
        Link::Unexpanded => made.pod_uid = Some(Uid::from("$(BUILDSCALER_POD_UID)")),
    }
    made
}

fn a_job(id: &str, plan: &JobPlan) -> BuildkiteJob {
    let mut made = waiting(id, QUEUES[plan.queue]);
    made.queue = queue(QUEUES[plan.queue]);
    made.state = plan.state;
    if !plan.runnable {
        made.runnable_at = None;
    }
    if plan.picky {
        made.rules = vec!["os=plan9".into()];
    }
    made
}
