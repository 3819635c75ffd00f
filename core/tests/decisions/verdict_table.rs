//! The table of verdicts is total, has no idle row, and is what
//! `docs/verdicts.md` says it is.

use std::fmt::{Debug, Write};
use std::path::PathBuf;

use buildscaler_core::Reason;
use buildscaler_core::verdict::{Owner, Presence, Relation, Row, Situation, Spare, Stage, TABLE, Verdict, verdict};

const INTRODUCTION: &str = "\
# Verdicts

What becomes of a pod and its agents: the first row that fits decides. An empty cell fits everything.

A test prints this page from the table in `core/src/verdict/table.rs`; `UPDATE_DOCS=1 cargo test -p buildscaler-core
verdicts` writes it anew.

";

fn situations() -> impl Iterator<Item = Situation> {
    Owner::ALL.iter().flat_map(|owner| {
        Stage::ALL.iter().flat_map(move |stage| {
            Relation::ALL.iter().flat_map(move |relation| {
                Presence::ALL.iter().flat_map(move |presence| {
                    Spare::ALL.iter().map(move |spare| Situation {
                        owner: *owner,
                        stage: *stage,
                        relation: *relation,
                        presence: *presence,
                        spare: *spare,
                    })
                })
            })
        })
    })
}

/// Whether no agent is listed, twice over.
fn is_known_to_be_alone(presence: Presence) -> bool {
    let somebody = [Presence::Busy, Presence::Idle, Presence::Stopping, Presence::Paused];
    let open = [Presence::Unknown, Presence::Unproven];
    !somebody.contains(&presence) && !open.contains(&presence)
}

/// Whether ten minutes have not passed yet.
fn is_early(presence: Presence) -> bool {
    !is_known_to_be_alone(presence) || [Presence::Awaited, Presence::Vanished].contains(&presence)
}

fn deciding_row(situation: &Situation) -> Option<usize> {
    TABLE.iter().position(|row| row.fits(situation))
}

/// Invariant 12: the table is total, so each worker gets exactly one verdict.
///
/// Seen to fail when the last row, for pods that start, spoke of `Current`
/// ones only.
#[test]
fn every_situation_has_a_row() {
    for situation in situations() {
        let row = deciding_row(&situation).unwrap_or_else(|| panic!("no row for {situation:?}"));
        assert_eq!(verdict(&situation), (TABLE[row].verdict, TABLE[row].reason));
    }
}

/// Seen to fail when the row that deletes pods whose agent has ended fitted
/// every presence, and so hid the next one.
#[test]
fn every_row_decides_some_situation() {
    let mut decides = vec![false; TABLE.len()];
    situations()
        .filter_map(|situation| deciding_row(&situation))
        .for_each(|row| decides[row] = true);
    for (row, decides) in TABLE.iter().zip(decides) {
        assert!(decides, "never reached: {row:?}");
    }
}

/// Invariant 1, over every situation: a pod that has not finished is deleted
/// only where the agents are known and none is listed.
///
/// Seen to fail when the row that keeps busy agents deleted their pods.
#[test]
fn no_situation_with_an_agent_ends_in_a_delete() {
    for situation in situations().filter(|situation| situation.stage != Stage::Finished) {
        if matches!(verdict(&situation).0, Verdict::Delete | Verdict::DeleteGently) {
            assert!(is_known_to_be_alone(situation.presence), "{situation:?}");
        }
    }
}

/// Invariant 5, over every situation: before the startup timeout only pods
/// without a template go, gently, or those whose agent's container has ended.
///
/// Seen to fail when the row for absences that are not proven deleted.
#[test]
fn no_situation_ends_in_an_early_delete_of_a_pod_that_serves() {
    for situation in situations() {
        let starts = matches!(situation.stage, Stage::Pending | Stage::Running);
        let early = is_early(situation.presence);
        if starts && early && situation.relation != Relation::Orphan {
            assert!(
                !matches!(verdict(&situation).0, Verdict::Delete | Verdict::DeleteGently),
                "{situation:?}"
            );
        }
        if starts && early {
            assert_ne!(verdict(&situation).0, Verdict::Delete, "{situation:?}");
        }
    }
}

/// Invariants 3 and 4, over every situation: what is not ours is forgotten,
/// and what is not known is no ground to stop an agent.
///
/// Seen to fail when the row for foreign pods spoke of pending and running
/// ones only.
#[test]
fn no_situation_touches_what_is_foreign_or_unknown() {
    for situation in situations() {
        let (verdict, reason) = verdict(&situation);
        if situation.owner == Owner::Foreign {
            assert_eq!(verdict, Verdict::Forget, "{situation:?}");
        }
        if situation.presence == Presence::Unknown || situation.relation == Relation::Unknown {
            assert_ne!(verdict, Verdict::Stop, "{situation:?}");
        }
        if situation.relation != Relation::Orphan {
            assert!(
                !matches!(reason, Reason::Orphaned | Reason::OrphanedWithoutAgent),
                "{situation:?}"
            );
        }
    }
}

/// The documentation is the test.
///
/// Seen to fail when the verdict for paused agents was changed to `Stop`.
#[test]
fn the_table_of_verdicts_is_documented() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/verdicts.md");
    let printed = print();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &printed).unwrap();
    }
    let committed = std::fs::read_to_string(&page).unwrap_or_default();
    assert_eq!(
        committed, printed,
        "docs/verdicts.md is out of date: run `UPDATE_DOCS=1 cargo test -p buildscaler-core verdicts`"
    );
}

fn print() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| | Owner | Stage | Template | Agent | Idle agent | Verdict | Reason | Why |\n");
    page.push_str("|-:|---|---|---|---|---|---|---|---|\n");
    for (number, row) in TABLE.iter().enumerate() {
        let Row {
            owner,
            stage,
            relation,
            presence,
            spare,
            verdict,
            reason,
            source,
        } = row;
        let (owner, stage, relation) = (cell(owner), cell(stage), cell(relation));
        let (presence, spare) = (cell(presence), cell(spare));
        let number = number + 1;
        writeln!(
            page,
            "| {number} | {owner} | {stage} | {relation} | {presence} | {spare} | **{verdict:?}** | `{reason}` | {source} |"
        )
        .unwrap();
    }
    page
}

fn cell<T: Debug>(values: &[T]) -> String {
    let names: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    names.join(", ")
}
