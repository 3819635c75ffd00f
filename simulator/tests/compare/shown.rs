//! How a comparison is shown.

use buildscaler_simulator::compare::{csv as to_csv, table};

use crate::lines::small;

#[test]
fn the_table_is_aligned() {
    let table = table(&small(), false);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "small: 4 jobs");
    assert!(lines[1].starts_with("  policy  "));
    let widths: Vec<usize> = lines[1..4].iter().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{table}");
    assert!(
        lines[2].contains("1m30s") && lines[2].contains("6.0") && lines[2].ends_with("+1.0"),
        "{table}"
    );
}

#[test]
fn queues_are_shown_only_if_asked_for() {
    assert!(!table(&small(), false).contains("queue linux"));
    assert!(table(&small(), true).contains("small, queue linux:"));
}

#[test]
fn csv_has_a_line_for_all_together_and_one_for_each_queue() {
    let text = to_csv(&small()).unwrap();
    let mut reader = csv_reader(&text);
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0][..4], ["small", "ours idle-timeout=60s,max-pods=3", "ours", ""]);
    assert_eq!(rows[1][3], "linux");
    assert_eq!(rows[2][1..3], ["clairvoyant", "bound"]);
    assert_eq!(rows[0][8], "90.000");
    assert_eq!(rows[0].last().unwrap(), "1.0000");
}

fn csv_reader(text: &str) -> csv::Reader<&[u8]> {
    csv::Reader::from_reader(text.as_bytes())
}

#[test]
fn json_names_the_unit_of_waits() {
    let json = serde_json::to_value(small()).unwrap();
    let total = &json["scenarios"][0]["lines"][0]["total"];
    assert_eq!(total["wait_p95_seconds"], 90.0);
    assert_eq!(total["regret"]["wait_p95_seconds"], 90.0);
    assert_eq!(json["scenarios"][0]["lines"][1]["role"], "bound");
}
