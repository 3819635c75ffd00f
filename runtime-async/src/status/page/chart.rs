//! The last hours as pictures, and as tables for those who do not see them.

use maud::{Markup, html};

use crate::status::model::{HistoryStatus, Series};
use crate::status::words::count;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 8.0;
const HEIGHT: f64 = 150.0;
const BOTTOM: f64 = 26.0;
/// Minutes of the shortest chart: a shorter one would be all steps.
const SHORTEST: usize = 30;
/// Rows of a chart's table.
const ROWS: usize = 36;
/// Queues that are drawn: the busiest ones.
const MOST_QUEUES: usize = 8;
/// Distances between ticks of time, in minutes.
const LENGTHS: [usize; 7] = [5, 10, 15, 30, 60, 120, 240];

/// The chart of the fleet, and those of its queues folded away.
pub(super) fn section(history: &HistoryStatus) -> Markup {
    let mut queues: Vec<(&String, &Series)> = history.queues.iter().collect();
    queues.sort_by_key(|(_, series)| std::cmp::Reverse(series.most()));
    queues.truncate(MOST_QUEUES);
    html! {
        section aria-labelledby="hours" {
            h2 #hours { "Last hours" }
            @if history.fleet.pods.is_empty() {
                p.note { "The first picture comes with the first look." }
            } @else {
                (figure("chart-fleet", "All queues", &history.fleet, history))
                @if queues.len() > 1 {
                    details #by-queue {
                        summary { "By queue" }
                        @for (number, (queue, series)) in queues.iter().enumerate() {
                            (figure(&format!("chart-{number}"), queue, series, history))
                        }
                        @if history.queues.len() > queues.len() {
                            p.note { "The busiest ones; status.json has the others." }
                        }
                    }
                }
            }
        }
    }
}

fn figure(id: &str, name: &str, series: &Series, history: &HistoryStatus) -> Markup {
    html! {
        figure {
            figcaption {
                strong { (name) }
                ul.legend aria-hidden="true" {
                    li { span.swatch.running {} "busy" }
                    li { span.swatch.waiting {} "waiting" }
                    li { span.swatch.pods {} "pods" }
                }
            }
            div.scroll.newest role="region" aria-label={ "Chart of " (name) } tabindex="0" { (picture(id, name, series, history)) }
            details id={ (id) "-numbers" } {
                summary { "The same in numbers" }
                (numbers(name, series, history))
            }
        }
    }
}

/// Where values are in the picture.
struct Frame {
    /// Minutes from the left to the right edge.
    minutes: usize,
    /// The value at the upper edge.
    most: f64,
}

impl Frame {
    fn x(&self, minute: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * minute / self.minutes as f64
    }

    fn y(&self, value: f64) -> f64 {
        TOP + HEIGHT * (1.0 - value / self.most)
    }

    /// A path that keeps each value for its minute: counts do not slope.
    fn steps(&self, values: &[u32]) -> String {
        let first = self.minutes - values.len().min(self.minutes);
        let mut path = String::new();
        let mut last = None;
        for (place, value) in values.iter().enumerate() {
            if last == Some(*value) {
                continue;
            }
            let (x, y) = (px(self.x((first + place) as f64)), px(self.y(f64::from(*value))));
            path.push_str(&if last.is_none() {
                format!("M{x} {y}")
            } else {
                format!("H{x}V{y}")
            });
            last = Some(*value);
        }
        path.push_str(&format!("H{}", px(self.x(self.minutes as f64))));
        path
    }

    fn area(&self, values: &[u32]) -> String {
        let start = self.minutes - values.len().min(self.minutes);
        let bottom = px(TOP + HEIGHT);
        format!("{}V{bottom}H{}Z", self.steps(values), px(self.x(start as f64)))
    }
}

fn picture(id: &str, name: &str, series: &Series, history: &HistoryStatus) -> Markup {
    let ticks = ticks(series.most());
    let minutes = series.pods.len().max(SHORTEST);
    let most = ticks.last().copied().unwrap_or(1);
    let frame = Frame {
        minutes,
        most: f64::from(most),
    };
    let demand: Vec<u32> = series
        .busy
        .iter()
        .zip(&series.waiting)
        .map(|(busy, waiting)| busy.saturating_add(*waiting))
        .collect();
    let bottom = px(TOP + HEIGHT);
    html! {
        svg id=(id) viewBox={ "0 0 " (px(WIDTH)) " " (px(TOP + HEIGHT + BOTTOM)) } role="img"
            aria-labelledby={ (id) "-name " (id) "-about" } {
            title id={ (id) "-name" } { "Jobs and pods of " (name.to_lowercase()) ", minute by minute" }
            desc id={ (id) "-about" } { (description(series)) }
            @for tick in &ticks {
                @let y = px(frame.y(f64::from(*tick)));
                line.grid x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(y) y2=(y) {}
                text x=(px(LEFT - 8.0)) y=(y) dy="0.35em" text-anchor="end" { (tick) }
            }
            path.area.waiting d=(frame.area(&demand)) {}
            path.edge.waiting d=(frame.steps(&demand)) {}
            path.area.running d=(frame.area(&series.busy)) {}
            path.edge.running d=(frame.steps(&series.busy)) {}
            path.line.pods d=(frame.steps(&series.pods)) {}
            line.axis x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(bottom) y2=(bottom) {}
            (times(&frame, series, history))
        }
    }
}

/// Times below the picture, at round ones.
fn times(frame: &Frame, series: &Series, history: &HistoryStatus) -> Markup {
    let wanted = frame.minutes.div_ceil(7);
    let length = LENGTHS.iter().copied().find(|length| *length >= wanted).unwrap_or(240);
    let first = frame.minutes - series.pods.len();
    let minute_of = |place: usize| {
        let at = history.at(place)?;
        usize::try_from(at.0.as_millis().div_euclid(60_000)).ok()
    };
    let round: Vec<(usize, String)> = (0..series.pods.len())
        .filter(|place| minute_of(*place).is_some_and(|minute| minute % length == 0))
        .filter_map(|place| Some((place, history.at(place)?.clock())))
        .collect();
    let (from, to, below) = (px(TOP + HEIGHT), px(TOP + HEIGHT + 4.0), px(TOP + HEIGHT + 18.0));
    html! {
        @for (place, text) in &round {
            @let at = frame.x((first + place) as f64);
            line.axis x1=(px(at)) x2=(px(at)) y1=(from) y2=(to) {}
            @if at < WIDTH - RIGHT - 40.0 { text x=(px(at)) y=(below) text-anchor="middle" { (text) } }
        }
        text x=(px(WIDTH - RIGHT)) y=(below) text-anchor="end" { "now" }
    }
}

fn description(series: &Series) -> String {
    let last = |values: &[u32]| values.last().copied().unwrap_or(0);
    let most = |values: &[u32]| values.iter().copied().max().unwrap_or(0);
    let told = |name: &str, values: &[u32]| format!("{name} {} now, at most {}", last(values), most(values));
    format!(
        "{}: {}; {}; {}. The table below has the numbers.",
        count(series.pods.len(), "minute", "minutes"),
        told("waiting", &series.waiting),
        told("pods", &series.pods),
        told("busy", &series.busy)
    )
}

/// The picture as a table: the most of each stretch.
fn numbers(name: &str, series: &Series, history: &HistoryStatus) -> Markup {
    let stretch = series.pods.len().div_ceil(ROWS).max(1);
    let most = |values: &[u32], from: usize| values.iter().skip(from).take(stretch).copied().max().unwrap_or(0);
    let rows = (0..series.pods.len()).step_by(stretch).rev();
    html! {
        div.scroll role="region" aria-label={ "Numbers of " (name) } tabindex="0" {
            table {
                caption { (name) ": the most within each " (count(stretch, "minute", "minutes")) ", newest first" }
                thead { tr {
                    th scope="col" { "From" } th.number scope="col" { "Waiting" } th.number scope="col" { "Pods" }
                    th.number scope="col" { "Busy" }
                } }
                tbody { @for from in rows { tr {
                    th scope="row" { (history.at(from).map(|at| at.clock()).unwrap_or_default()) }
                    td.number { (most(&series.waiting, from)) }
                    td.number { (most(&series.pods, from)) }
                    td.number { (most(&series.busy, from)) }
                } } }
            }
        }
    }
}

impl Series {
    /// The highest value that is drawn.
    fn most(&self) -> u32 {
        let demand = self
            .busy
            .iter()
            .zip(&self.waiting)
            .map(|(busy, waiting)| busy.saturating_add(*waiting));
        demand.chain(self.pods.iter().copied()).max().unwrap_or(0)
    }
}

/// About four ticks up to `most`, in ones, twos and fives.
fn ticks(most: u32) -> Vec<u32> {
    let most = u64::from(most.max(1));
    let step = (0..10)
        .flat_map(|power| [1, 2, 5].map(|factor| factor * 10_u64.pow(power)))
        .find(|step| most.div_ceil(*step) <= 4)
        .unwrap_or(most);
    let ticks = (0..=most.div_ceil(step)).map(|number| number * step);
    ticks.filter_map(|tick| u32::try_from(tick).ok()).collect()
}

/// A place in a picture; a tenth of a unit is finer than a screen shows.
fn px(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_reach_to_the_most() {
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(7), [0, 2, 4, 6, 8]);
        assert_eq!(ticks(1_234), [0, 500, 1_000, 1_500]);
        for most in [1, 3, 9, 10, 99, 4_000_000] {
            let ticks = ticks(most);
            assert!(
                ticks.len() <= 5 && ticks.last().is_some_and(|last| *last >= most),
                "{most}"
            );
        }
        assert!(ticks(u32::MAX).len() >= 2);
    }

    #[test]
    fn six_quiet_hours_are_a_short_path() {
        let frame = Frame {
            minutes: 360,
            most: 4.0,
        };
        assert!(frame.steps(&[3; 360]).len() < 20);
        assert_eq!(px(12.0), "12");
        assert_eq!(px(12.34), "12.3");
    }
}
