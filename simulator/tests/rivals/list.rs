//! The list of rivals.

use std::collections::BTreeSet;
use std::time::Duration;

use buildscaler_simulator::rivals::ALL;

use crate::workload::scenario;

#[test]
fn every_rival_has_a_name_of_its_own_and_can_be_made() {
    let names: BTreeSet<&str> = ALL.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), ALL.len());
    for entry in ALL {
        let rival = (entry.make)(&scenario(&[]));
        assert!(
            rival.interval() >= Duration::from_secs(1),
            "{entry:?} looks all the time"
        );
    }
}
