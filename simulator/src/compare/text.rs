//! A comparison as a table for people and as CSV for programs.

use std::fmt::Write;
use std::time::Duration;

use super::{Compared, Comparison, Figures, Line};

const HEADINGS: [&str; 13] = [
    "policy",
    "finished",
    "wait mean",
    "p50",
    "p95",
    "max",
    "pod-hours",
    "idle",
    "pods",
    "req/min",
    "cut",
    "+wait",
    "+pod-hours",
];

type Row = [String; HEADINGS.len()];

/// The comparison as a table per scenario, per queue too if asked for.
///
/// The last two columns are the regret: mean wait and pod-hours beyond the
/// clairvoyant bound.
pub fn table(comparison: &Comparison, per_queue: bool) -> String {
    let mut text = String::new();
    for compared in &comparison.scenarios {
        let jobs = compared.lines.iter().map(|line| line.total.jobs).max().unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {jobs} jobs", compared.scenario);
        let totals = compared.lines.iter().map(|line| row(line, &line.total));
        aligned(&mut text, totals);
        for queue in per_queue.then(|| queues(compared)).into_iter().flatten() {
            let _ = writeln!(text, "{}, queue {queue}:", compared.scenario);
            let of_queue = compared.lines.iter();
            let of_queue = of_queue.filter_map(|line| Some(row(line, line.queues.get(queue)?)));
            aligned(&mut text, of_queue);
        }
    }
    text
}

fn queues(compared: &Compared) -> std::collections::BTreeSet<&buildscaler_core::Queue> {
    compared.lines.iter().flat_map(|line| line.queues.keys()).collect()
}

fn row(line: &Line, figures: &Figures) -> Row {
    let requests = line.requests_a_minute.map(|requests| format!("{requests:.1}"));
    let regret = figures.regret;
    [
        line.contestant.clone(),
        figures.finished.to_string(),
        short(figures.wait_mean),
        short(figures.wait_p50),
        short(figures.wait_p95),
        short(figures.wait_max),
        format!("{:.1}", figures.pod_hours),
        format!("{:.0} %", figures.idle_share * 100.0),
        figures.pods_created.to_string(),
        requests.unwrap_or_else(|| "-".to_owned()),
        figures.interrupted.to_string(),
        regret.map_or_else(|| "-".to_owned(), |regret| short(regret.wait_mean)),
        regret.map_or_else(|| "-".to_owned(), |regret| format!("{:+.1}", regret.pod_hours)),
    ]
}

fn aligned(text: &mut String, rows: impl Iterator<Item = Row>) {
    let rows: Vec<Row> = [HEADINGS.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
    for row in &rows {
        let mut cells = row.iter().zip(widths);
        if let Some((name, width)) = cells.next() {
            let _ = write!(text, "  {name:<width$}");
        }
        for (cell, width) in cells {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text.push('\n');
}

/// A wait with two or three digits: `0.0s`, `48.3s`, `12m05s`, `3h20m`.
fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        // Cut off, not rounded: 59.99 s is not yet a minute.
        format!("{}.{}s", seconds, time.subsec_millis() / 100)
    } else if seconds < 3600 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60)
    }
}

/// The comparison as CSV: a line per scenario, contestant and queue, where no
/// queue means all together. Waits are in seconds.
///
/// # Errors
/// None that could be named: the text is written to memory.
pub fn csv(comparison: &Comparison) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "scenario",
        "policy",
        "role",
        "queue",
        "jobs",
        "finished",
        "wait_mean_seconds",
        "wait_p50_seconds",
        "wait_p95_seconds",
        "wait_max_seconds",
        "pod_hours",
        "busy_hours",
        "idle_share",
        "pods_created",
        "buildkite_requests_a_minute",
        "interrupted",
        "interrupted_by_the_world",
        "regret_wait_mean_seconds",
        "regret_wait_p95_seconds",
        "regret_pod_hours",
    ])?;
    for compared in &comparison.scenarios {
        for line in &compared.lines {
            let total = [(String::new(), &line.total)].into_iter();
            let queues = line.queues.iter().map(|(queue, figures)| (queue.to_string(), figures));
            for (queue, figures) in total.chain(queues) {
                writer.write_record(record(compared, line, queue, figures))?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn record(compared: &Compared, line: &Line, queue: String, figures: &Figures) -> Vec<String> {
    let seconds = |time: Duration| format!("{:.3}", time.as_secs_f64());
    let perhaps = |text: Option<String>| text.unwrap_or_default();
    let regret = figures.regret;
    let requests = line.requests_a_minute.filter(|_| queue.is_empty());
    vec![
        compared.scenario.clone(),
        line.contestant.clone(),
        line.role.as_str().to_owned(),
        queue,
        figures.jobs.to_string(),
        figures.finished.to_string(),
        seconds(figures.wait_mean),
        seconds(figures.wait_p50),
        seconds(figures.wait_p95),
        seconds(figures.wait_max),
        format!("{:.4}", figures.pod_hours),
        format!("{:.4}", figures.busy_hours),
        format!("{:.4}", figures.idle_share),
        figures.pods_created.to_string(),
        perhaps(requests.map(|requests| format!("{requests:.2}"))),
        figures.interrupted.to_string(),
        figures.interrupted_by_the_world.to_string(),
        perhaps(regret.map(|regret| seconds(regret.wait_mean))),
        perhaps(regret.map(|regret| seconds(regret.wait_p95))),
        perhaps(regret.map(|regret| format!("{:.4}", regret.pod_hours))),
    ]
}
