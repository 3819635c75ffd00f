//! `explore`: every interleaving of small worlds.

use std::path::{Path, PathBuf};
use std::time::Instant;

use buildscaler_simulator::explore::{
    Bounds, Bug, Choice, Counterexample, Exploration, SmallWorld, WORLDS, explore, retell, retrace,
};
use buildscaler_simulator::scenario::Span;
use clap::Args;
use indicatif::ProgressBar;

use super::say::{complain, say};
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct ExploreArguments {
    /// The small worlds, all of them if none is named; `list` lists them.
    #[arg(value_name = "WORLD")]
    worlds: Vec<String>,
    /// Most choices on one way; the world's own bound if left out.
    #[arg(long, value_name = "CHOICES")]
    depth: Option<u32>,
    /// Most distinct states of a world.
    #[arg(long, value_name = "STATES", default_value_t = 200_000)]
    states: usize,
    /// Of so many states one is asked whether all ends well if nothing else
    /// goes wrong; none if 0.
    #[arg(long, value_name = "STATES", default_value_t = 50)]
    calm_one_in: u64,
    /// Write a counterexample to this file, as a scenario.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Write the shortest way to everything that a world shows to this folder,
    /// as scenarios.
    #[arg(long, value_name = "FOLDER")]
    ways: Option<PathBuf>,
    /// A deliberate bug between the controller and its world.
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,
}

pub(super) fn run(arguments: &ExploreArguments) -> Result<Verdict, BadInput> {
    if arguments.worlds == ["list"] {
        for world in WORLDS {
            say(&format!("{:<12} {}", world.name, world.about));
        }
        return Ok(Verdict::Well);
    }
    let bug = arguments.bug.as_deref().map(bug).transpose()?;
    let worlds = worlds(&arguments.worlds)?;
    let mut verdict = Verdict::Well;
    say(&format!(
        "{:<12} {:>5} {:>9} {:>10} {:>7} {:>8} {:>9}",
        "world", "depth", "states", "choices", "calmed", "seconds", "states/s"
    ));
    for world in worlds {
        let bounds = Bounds {
            depth: arguments.depth.unwrap_or(world.depth),
            states: arguments.states,
            calm_one_in: arguments.calm_one_in,
        };
        let found = show(world, bounds, bug);
        if let Some(folder) = &arguments.ways {
            for (sight, way) in &found.sights {
                let name = format!("{}-{}.yaml", world.name, sight.as_str().replace([' ', ','], "-"));
                write(&folder.join(name), world, bug, way, &sight.to_string())?;
            }
        }
        if let Some(counterexample) = &found.counterexample {
            show_counterexample(world, bug, counterexample);
            if let Some(file) = &arguments.scenario {
                let title = format!("{} is broken", counterexample.broken.invariant);
                write(file, world, bug, &counterexample.choices, &title)?;
            }
        }
        if found.counterexample.is_some() || !complain_of_missing(world, &found) {
            verdict = Verdict::Unmet;
        }
    }
    Ok(verdict)
}

fn worlds(names: &[String]) -> Result<Vec<&'static SmallWorld>, BadInput> {
    if names.is_empty() {
        return Ok(WORLDS.iter().collect());
    }
    let named = |name: &String| {
        SmallWorld::named(name).ok_or_else(|| {
            let known: Vec<&str> = WORLDS.iter().map(|world| world.name).collect();
            BadInput(vec![format!("{name}: no such world; there are: {}", known.join(", "))])
        })
    };
    names.iter().map(named).collect()
}

fn bug(name: &str) -> Result<Bug, BadInput> {
    let found = Bug::ALL.iter().find(|(bug, _)| bug.name() == name);
    found.map(|(bug, _)| *bug).ok_or_else(|| {
        let known: Vec<&str> = Bug::ALL.iter().map(|(bug, _)| bug.name()).collect();
        BadInput(vec![format!(
            "--bug {name}: not known; there are: {}",
            known.join(", ")
        )])
    })
}

/// Explores one world and shows what came of it.
fn show(world: &SmallWorld, bounds: Bounds, bug: Option<Bug>) -> Exploration {
    let began = Instant::now();
    let bar = ProgressBar::new_spinner();
    bar.set_message(world.name);
    let found = explore(world, bounds, bug, &mut |states| bar.set_position(states as u64));
    bar.finish_and_clear();
    let seconds = began.elapsed().as_secs_f64();
    say(&format!(
        "{:<12} {:>5} {:>9} {:>10} {:>7} {:>8.1} {:>9.0}  {}",
        world.name,
        found.depth,
        found.states,
        found.choices,
        found.calmed,
        seconds,
        found.states as f64 / seconds.max(0.001),
        end(&found),
    ));
    found
}

/// Whether a world showed what it is there to show.
fn complain_of_missing(world: &SmallWorld, found: &Exploration) -> bool {
    let missing = found.missing(world);
    for sight in &missing {
        complain(&format!("{}: no way shows this: {sight}", world.name));
    }
    missing.is_empty()
}

/// Writes a way as a scenario, with what a scenario cannot say of it.
fn write(file: &Path, world: &SmallWorld, bug: Option<Bug>, way: &[Choice], title: &str) -> Result<(), BadInput> {
    let retold = retell(world, bug, way, BEYOND);
    let mut text = format!(
        "# {title}.\n#\n# Found by exploring the small world `{}`, by this way",
        world.name
    );
    text += &format!(", which begins at {}:\n", retold.begins);
    for line in retrace(world, bug, way).lines {
        text += &format!("#   {line}\n");
    }
    for unsaid in &retold.unsaid {
        text += &format!("# A scenario cannot say: {unsaid}.\n");
    }
    text += &retold.scenario.write();
    std::fs::write(file, text)
        .map_err(|error| BadInput(vec![format!("{}: cannot be written: {error}", file.display())]))
}

/// How long scenarios go on after the way that they retell.
const BEYOND: Span = Span::secs(300);

fn end(found: &Exploration) -> &'static str {
    if found.counterexample.is_some() {
        "BROKEN"
    } else if found.exhausted {
        "all there is"
    } else if found.cut_off {
        "cut off by --states"
    } else {
        "all up to this depth"
    }
}

fn show_counterexample(world: &SmallWorld, bug: Option<Bug>, counterexample: &Counterexample) {
    say(&format!(
        "{} is broken: {}",
        counterexample.broken.invariant, counterexample.broken.what
    ));
    for line in retrace(world, bug, &counterexample.choices).lines {
        say(&format!("  {line}"));
    }
    if !counterexample.then.is_empty() {
        say("  and nothing else goes wrong:");
    }
    for line in &counterexample.then {
        say(&format!("  {line}"));
    }
}
