//! Who takes part.

use std::time::Duration;

use buildscaler_simulator::compare::{Contestant, Role, Variant};
use buildscaler_simulator::rivals;
use buildscaler_simulator::scenario::Scenario;

#[test]
fn all_are_ours_every_rival_of_the_list_and_the_bound() {
    let all = Contestant::all();
    assert_eq!(all.len(), rivals::ALL.len() + 2);
    assert_eq!(all.first().unwrap().role(), Role::Ours);
    assert_eq!(all.last().unwrap().role(), Role::Bound);
    for name in Contestant::names() {
        assert_eq!(Contestant::named(&name).unwrap().name(), name);
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_names_there_are() {
    let error = Contestant::named("kedaa").unwrap_err().to_string();
    assert!(error.contains("kedaa") && error.contains("keda-hpa,"), "{error}");
}

#[test]
fn a_variant_changes_the_settings_it_names_and_no_others() {
    let scenario = r#"{"version": 1, "name": "s", "lasts": "1h", "controller": {"max-pods": 9}}"#;
    let scenario: Scenario = serde_json::from_str(scenario).unwrap();
    let variant = Variant::parse("idle-timeout=60s,max-active-builds=4").unwrap();
    let changed = variant.apply(&scenario).unwrap().controller;
    assert_eq!(changed.idle_timeout.unwrap().0, Duration::from_secs(60));
    assert_eq!((changed.max_active_builds, changed.max_pods), (Some(4), Some(9)));
    assert_eq!(
        Contestant::Variant(variant).name(),
        "ours idle-timeout=60s,max-active-builds=4"
    );
}

#[test]
fn a_change_to_no_setting_is_refused() {
    for wrong in ["idle", "idle-time=60s", "idle-timeout=soon", "max-pods=-1", ""] {
        let error = Variant::parse(wrong).unwrap_err().to_string();
        assert!(error.contains(wrong), "{error}");
    }
}
