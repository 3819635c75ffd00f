//! The cases, by what they are about.

mod access;
mod annotations;
mod burst;
mod chaos;
mod crowd;
mod dry_run;
mod events;
mod failing;
mod installing;
mod leadership;
mod outages;
mod process;
mod startup;
mod templates;

use libtest_mimic::Trial;

use crate::harness::Suite;

/// All cases, the longest first.
pub(crate) fn trials(suite: &Suite) -> Vec<Trial> {
    let mut trials = installing::trials(suite);
    trials.extend([
        chaos::if_wanted(suite.case_alone("whatever_goes_wrong_no_build_is_interrupted", chaos::survived)),
        suite.case(
            "an_outage_of_buildkite_costs_no_pod_and_is_over_when_it_is_over",
            outages::buildkite,
        ),
        suite.case_alone("an_outage_of_kubernetes_costs_no_build", outages::kubernetes),
        suite.case("a_quota_that_is_used_up_costs_a_handful_of_requests", failing::quota),
        suite.case(
            "pods_that_pod_security_refuses_cost_a_handful_of_requests",
            failing::pod_security,
        ),
        suite.case_alone("an_image_that_is_not_there_costs_few_pods", failing::no_image),
        suite.case("a_hundred_and_twenty_agents_are_two_pages", crowd::two_pages),
        suite.case("a_burst_gets_a_pod_per_build_and_all_go", burst::twelve_builds),
        suite.case("one_build_gets_one_pod_and_the_pod_goes", burst::one_build),
        suite.case("a_killed_controller_leaves_no_duplicates", process::killed),
        suite.case("two_controllers_make_no_more_pods_than_one", process::twins),
        suite.case("a_leader_that_ends_is_followed_within_two_seconds", leadership::ended),
        suite.case(
            "a_leader_that_is_killed_is_followed_within_the_lease_time",
            leadership::killed,
        ),
        suite.case("a_leader_that_was_paused_commands_no_more", leadership::paused),
        suite.case_alone("no_leader_commands_while_kubernetes_is_away", leadership::cut_off),
        suite.case("a_dry_run_touches_nothing_that_is_real", dry_run::looks_on),
        suite.case("sigterm_ends_the_controller_and_leaves_the_pods", process::terminated),
        suite.case("a_replaced_template_drains_its_pods", templates::replaced),
        suite.case("a_deleted_template_drains_its_pods", templates::deleted),
        suite.case(
            "a_template_with_another_label_serves_another_queue",
            templates::relabelled,
        ),
        suite.case("the_oldest_of_two_templates_serves_a_queue", templates::contested),
        suite.case("a_template_that_is_no_template_is_refused", templates::refused),
        suite.case("warm_agents_are_kept_and_no_more_of_them", annotations::warm),
        suite.case(
            "a_volume_that_annotations_ask_for_is_made_with_its_pod",
            annotations::volume,
        ),
        suite.case("a_pod_is_not_adopted_by_its_job", templates::not_adopted),
        suite.case(
            "an_agent_that_never_connects_is_given_its_time",
            startup::never_connects,
        ),
        suite.case("an_agent_that_is_late_is_waited_for", startup::late),
        suite.case_alone("no_namespace_means_all_namespaces", access::namespaces),
        suite.case("a_missing_right_is_named_and_then_noticed", access::rights),
        suite.case("a_token_is_shown_to_nobody", access::secrets),
    ]);
    trials.push(installing::if_kubectl(
        suite.check("an_installed_dry_run_may_look_only", dry_run::may_look_only),
    ));
    trials.push(installing::if_kubectl(
        suite.case("a_finding_is_an_event_that_kubectl_describes_once", events::described),
    ));
    trials
}
