//! The installation, as a user goes through it: what `deploy/` has, on a real control plane.

mod agreeing;
mod by_chart;
mod by_script;
mod examples;
mod rights;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use libtest_mimic::Trial;

use crate::harness::manifests::{deploy, run};
use crate::harness::{PATIENCE, Suite, World, within};

/// The specification's, word for word.
const UNINSTALL: &str = "\
    kubectl -n$NAMESPACE delete Deployment,Secret,ServiceAccount,Role,RoleBinding -l app.kubernetes.io/name=$NAME\n\
    kubectl -n$NAMESPACE delete jobs,pods -l app.elotl.co=buildscaler\n";

pub(super) fn trials(suite: &Suite) -> Vec<Trial> {
    let mut trials = vec![
        suite.case(
            "the_script_installs_and_two_commands_remove_all_of_it",
            by_script::whole_path,
        ),
        suite.case("the_script_changes_nothing_that_it_cannot_finish", by_script::refused),
        suite.case("an_upgrade_and_a_rollback_interrupt_no_build", by_chart::upgraded),
        suite.case_alone(
            "all_namespaces_are_served_with_cluster_wide_rights",
            rights::cluster_wide,
        ),
        suite.case("the_example_templates_are_accepted_and_work", examples::accepted),
        suite.case("the_rights_suffice_and_nothing_else_is_allowed", rights::exact),
        suite.case(
            "the_rights_of_replicas_suffice_and_nothing_else_is_allowed",
            rights::exact_of_replicas,
        ),
    ];
    trials.extend(rights::trials_without_one(suite));
    trials.extend([
        suite.check(
            "the_chart_and_the_overlays_have_the_same_objects",
            agreeing::same_objects,
        ),
        suite.case("every_overlay_and_the_chart_are_accepted", agreeing::accepted),
        suite.check("the_chart_is_well_formed", agreeing::well_formed),
        suite.check("the_chart_knows_every_option", agreeing::every_option),
        suite.check("values_that_are_no_good_are_refused", agreeing::values_are_checked),
        suite.check("values_get_to_the_controller", agreeing::values_are_used),
        suite.check("a_lease_has_the_name_of_its_controller", agreeing::leases_are_named),
    ]);
    trials.into_iter().map(if_kubectl).collect()
}

/// A trial that is ignored, visibly, where there is no kubectl.
pub(super) fn if_kubectl(trial: Trial) -> Trial {
    if has_kubectl() {
        trial
    } else {
        trial.with_kind("needs kubectl").with_ignored_flag(true)
    }
}

/// Whether the cases can run. In CI they have to.
fn has_kubectl() -> bool {
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    ci || Command::new("kubectl").args(["version", "--client"]).output().is_ok()
}

/// A command for the home namespace, as the administrator.
fn command(world: &World, program: impl Into<PathBuf>) -> Command {
    let mut command = Command::new(program.into());
    command
        .env("KUBECONFIG", world.cluster.kubeconfig())
        .env("NAMESPACE", &world.home.namespace)
        .env("NAME", "buildscaler")
        .current_dir(deploy().parent().expect("the repository"));
    command
}

pub(super) fn kubectl(world: &World, arguments: &[&str]) -> String {
    let mut command = command(world, "kubectl");
    run(command.args(["--namespace", &world.home.namespace]).args(arguments))
}

/// The script with all that it needs.
fn script(world: &World) -> Command {
    configured(command(world, deploy().join("deploy.sh")))
}

/// A command with the variables that the script wants.
fn configured(mut script: Command) -> Command {
    script
        .env("BUILDKITE_ORG_SLUG", FakeBuildkite::ORGANIZATION)
        .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
        .env("BUILDKITE_AGENT_TOKEN", FakeBuildkite::AGENT_TOKEN)
        .env_remove("BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN")
        .env_remove("BUILDSCALER_IMAGE");
    script
}

/// Everything in the home namespace but events, as `kind/name`.
fn everything(world: &World) -> BTreeSet<String> {
    let kinds = kubectl(
        world,
        &["api-resources", "--namespaced", "--verbs=list", "--output=name"],
    );
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let all = kubectl(world, &["get", &kinds.join(","), "--output=name", "--ignore-not-found"]);
    all.lines().map(str::to_owned).collect()
}

/// Removes it as the specification says, and wants the namespace to be as it was.
async fn uninstall(world: &World, before: &BTreeSet<String>) {
    run(command(world, "sh").args(["-ec", UNINSTALL]));
    // What a ReplicaSet had is cleared away by the garbage collector.
    within(PATIENCE, "nothing is left", async || everything(world) == *before).await;
}

/// Applies one of the example templates.
fn apply_example(world: &World, name: &str) {
    let file = deploy().join("templates").join(name);
    kubectl(world, &["apply", "--filename", &file.display().to_string()]);
}

/// Waits until only the agents' pods are gone; the controller's own stays.
async fn until_no_agent_left(world: &World) {
    let gone = async || world.home.pods.ours().iter().all(|pod| pod.gone.is_some());
    within(PATIENCE, "no agent's pod is left", gone).await;
}

/// A build on that queue runs to its end, and its pod goes.
async fn burst(world: &World, queue: &str, count: usize) {
    let builds = world.build(queue, count, Duration::from_secs(1));
    world.until_all_passed(&builds).await;
    until_no_agent_left(world).await;
}

/// The command lines of all processes there are.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    // One that has ended meanwhile has none.
    let lines = processes.map(|process| fs::read(process.path().join("cmdline")).unwrap_or_default());
    String::from_utf8_lossy(&lines.collect::<Vec<_>>().join(&b'\n')).into_owned()
}

/// Has the API server refuse every pod of the home namespace that is below this Pod Security level.
fn enforce(world: &World, level: &str) {
    let label = format!("pod-security.kubernetes.io/enforce={level}");
    kubectl(
        world,
        &["label", "--overwrite", "namespace", &world.home.namespace, &label],
    );
}
