//! Every committed scenario is run: it comes to what it expects, and its story
//! is the reviewed one in `simulator/scenarios/snapshots/`.
//!
//! After a change of behaviour run with `INSTA_UPDATE=always` and read the
//! difference: each line of it is something that users would see.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may die of what it did not expect"
)]

mod incidents;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use buildscaler_simulator::scenario::Scenario;
use buildscaler_simulator::{Options, run};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let paths = files(&folder(), "yaml");
    let mut trials: Vec<Trial> = paths.iter().cloned().map(story).collect();
    trials.push(Trial::test("every_snapshot_has_its_scenario", move || {
        let stems = |paths: &BTreeSet<PathBuf>| -> BTreeSet<String> { paths.iter().map(|path| stem(path)).collect() };
        assert_eq!(stems(&files(&folder().join("snapshots"), "snap")), stems(&paths));
        Ok(())
    }));
    trials.extend(incidents::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Eleven were seen failing when pods on their way were not counted.
fn story(path: PathBuf) -> Trial {
    Trial::test(stem(&path), move || {
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::read(&path.display().to_string(), &text).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join("\n")
        })?;
        let outcome = run(&scenario, Options::default(), &mut |_| {});
        assert_eq!(outcome.unmet, Vec::<String>::new(), "\n{}", outcome.story.join("\n"));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(folder().join("snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_description(scenario.description.trim());
        settings.bind(|| insta::assert_snapshot!(stem(&path), outcome.story.join("\n")));
        Ok(())
    })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn files(folder: &Path, ending: &str) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}
