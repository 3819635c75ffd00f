//! CSV traces.

use std::collections::BTreeMap;
use std::time::Duration;

use ::csv::{ReaderBuilder, StringRecord};
use jiff::Timestamp;

use super::assemble::{Part, TracedBuild};
use super::layout::{Layout, Queue};
use super::{Trace, problem, queues};
use crate::scenario::{Problem, Rule, Span, Step};

/// Letters of a header that are quoted.
const LONGEST_QUOTE: usize = 400;

/// One job of a trace: enough to let it run again.
struct Row {
    build: String,
    pipeline: String,
    runnable: Timestamp,
    step: Step,
    bootstrap: bool,
}

/// Reads a CSV file of one of the known layouts.
pub(super) fn read(file: &str, text: &str) -> Result<Trace, Vec<Problem>> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let bad = |error: ::csv::Error| {
        let place = error.position().map(|position| (position.line(), 1));
        vec![problem(file, place, Rule::Syntax, error.to_string())]
    };
    let header = reader.headers().map_err(bad)?.clone();
    let Some(layout) = Layout::of(&header) else {
        let message = format!(
            "the columns \"{}\" are of no known trace: name them runnable_at, queue, duration_s and, if you have it, build",
            header
                .iter()
                .take(20)
                .flat_map(|name| name.chars().chain([',']))
                .take(LONGEST_QUOTE)
                .collect::<String>()
                .trim_end_matches(',')
                .escape_debug()
        );
        return Err(vec![problem(file, Some((1, 1)), Rule::Shape, message)]);
    };
    let mut trace = Trace {
        kind: layout.kind,
        ..Trace::default()
    };
    let mut builds: BTreeMap<(String, String), BTreeMap<Timestamp, Vec<Row>>> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(0, ::csv::Position::line);
        match row(&record, line, &header, &layout) {
            Ok(row) => {
                let build = builds.entry((row.pipeline.clone(), row.build.clone())).or_default();
                build.entry(row.runnable).or_default().push(row);
            }
            Err(why) => trace.skip(why, line),
        }
    }
    trace.builds = builds.into_iter().map(|(key, parts)| build(key, parts)).collect();
    Ok(trace)
}

/// What a row says, or why it cannot be used.
fn row(record: &StringRecord, line: u64, header: &StringRecord, layout: &Layout) -> Result<Row, &'static str> {
    if record.len() != header.len() {
        return Err("with another number of fields than the header");
    }
    let field = |column: usize| record.get(column).unwrap_or_default().trim();
    let runnable: Timestamp = field(layout.runnable)
        .parse()
        .map_err(|_| "without a time at which the job could run")?;
    let duration: f64 = field(layout.duration)
        .parse()
        .map_err(|_| "without a duration: the job never ran")?;
    let seconds = duration * layout.unit;
    if seconds < 0.0 {
        return Err("with a negative duration");
    }
    let runs = Duration::try_from_secs_f64(seconds).map_err(|_| "with an impossible duration")?;
    let queue = match layout.queue {
        Queue::Column(column) => field(column),
        Queue::BitcoinCoreName(column) => queues::of_bitcoin_core(field(column)),
    };
    if queue.is_empty() {
        return Err("without a queue");
    }
    let build = layout.build.map(field).filter(|build| !build.is_empty());
    Ok(Row {
        build: build.map_or_else(|| format!("line-{line}"), str::to_owned),
        pipeline: layout.pipeline.map_or("trace", field).to_owned(),
        runnable,
        step: Step::command(queue, Span::millis(u64::try_from(runs.as_millis()).unwrap_or(u64::MAX))),
        bootstrap: layout.bootstrap.is_some_and(|column| field(column) == "bootstrap"),
    })
}

/// The build of these rows; what is runnable at once comes at once.
fn build((pipeline, id): (String, String), parts: BTreeMap<Timestamp, Vec<Row>>) -> TracedBuild {
    let part = |(at, mut rows): (Timestamp, Vec<Row>)| {
        let first = rows.iter().position(|row| row.bootstrap);
        if let Some(first) = first {
            rows.swap(0, first);
        }
        let mut steps: Vec<Step> = rows.into_iter().map(|row| row.step).collect();
        if first.is_some() {
            steps.iter_mut().skip(1).for_each(|step| step.after = vec![0]);
        }
        Part { at, steps }
    };
    TracedBuild {
        id: format!("{pipeline}-{id}"),
        pipeline,
        parts: parts.into_iter().map(part).collect(),
    }
}
