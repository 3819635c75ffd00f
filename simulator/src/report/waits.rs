//! How waits are distributed: how many waited how long, and how many no longer.

use std::time::Duration;

use maud::{Markup, html};

use super::plot::{Frame, px, steps};
use super::scale;
use super::words::{counted, length, whole_millis};
use crate::measure::QueueSummary;

/// Where bars end, in seconds. They widen, as waits do: a second matters in
/// ten of them and not in a thousand.
const EDGES: [u64; 65] = [
    0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240, 300, 360, 480, 600, 720,
    900, 1_200, 1_500, 1_800, 2_400, 3_000, 3_600, 4_500, 5_400, 7_200, 9_000, 10_800, 14_400, 18_000, 21_600, 28_800,
    36_000, 43_200, 57_600, 72_000, 86_400, 129_600, 172_800, 259_200, 345_600, 432_000, 518_400, 604_800, 864_000,
    1_209_600, 1_728_000, 2_592_000, 3_456_000, 4_320_000, 5_184_000, 6_912_000, 8_640_000,
];
/// Edges that are worth a label.
const LABELLED: [u64; 31] = [
    0, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 36_000,
    43_200, 86_400, 172_800, 345_600, 604_800, 1_209_600, 2_592_000, 4_320_000, 5_184_000, 8_640_000,
];
/// Labels stand so far apart at least.
const LABEL_WIDTH: f64 = 54.0;
/// Points of the cumulative line at most.
const POINTS: usize = 240;

/// Both charts of one queue's waits, or of all; `id` is unique on the page.
pub(super) fn distribution(id: &str, whose: &str, figures: &QueueSummary) -> Markup {
    let waits = &figures.waits;
    if waits.is_empty() {
        return html! { p.note { "No job wanted an agent." } };
    }
    let bars = Bars::around(waits);
    let told = format!(
        "{}: half waited {} or less, 95 % {} or less, the longest {}.",
        counted(waits.len() as u64, "job"),
        length(figures.wait(50)),
        length(figures.wait(95)),
        length(figures.wait(100)),
    );
    html! {
        figure {
            figcaption { strong { "How long jobs waited" } span.about { (told) } }
            div.scroll tabindex="0" role="region" aria-label={ "Distribution of waits, " (whose) } {
                (bars.histogram(id, whose, figures, &told))
                (bars.cumulative(id, whose, figures, &told))
            }
        }
    }
}

/// The bars that are drawn, from the least wait to the greatest.
struct Bars {
    edges: Vec<u64>,
    counts: Vec<u64>,
}

impl Bars {
    fn around(waits: &[Duration]) -> Self {
        let mut all: Vec<u64> = EDGES.iter().map(|seconds| seconds * 1_000).collect();
        let least = waits.first().copied().map_or(0, whole_millis);
        let greatest = waits.last().copied().map_or(0, whole_millis);
        if all.last().is_none_or(|last| greatest >= *last) {
            all.push(greatest.saturating_add(1));
        }
        let from = all.partition_point(|edge| *edge <= least).saturating_sub(2);
        let to = all.partition_point(|edge| *edge <= greatest).min(all.len() - 1);
        // A bar needs neighbours to be seen as one.
        let to = to.max(from + 6).min(all.len() - 1);
        let edges = all[from..=to].to_vec();
        let below = |edge: u64| waits.partition_point(|wait| whole_millis(*wait) < edge) as u64;
        let counts = edges.windows(2).map(|pair| below(pair[1]) - below(pair[0])).collect();
        Self { edges, counts }
    }

    /// The place of a wait: bars are equally wide, and even within.
    fn place(&self, wait: Duration) -> f64 {
        let wait = whole_millis(wait);
        let bar = self.edges.partition_point(|edge| *edge <= wait).saturating_sub(1);
        let from = self.edges[bar];
        let Some(to) = self.edges.get(bar + 1) else {
            return bar as f64;
        };
        bar as f64 + wait.saturating_sub(from) as f64 / (to - from) as f64
    }

    fn frame(&self, top: f64, height: f64, y_end: f64) -> Frame {
        Frame {
            top,
            height,
            x_end: self.counts.len() as f64,
            y_end,
        }
    }

    fn ticks(&self, frame: &Frame) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        let mut free_from = f64::MIN;
        for (bar, edge) in self.edges.iter().enumerate() {
            let x = frame.x(bar as f64);
            if x >= free_from && edge % 1_000 == 0 && LABELLED.contains(&(edge / 1_000)) {
                ticks.push((bar as f64, length(Duration::from_millis(*edge))));
                free_from = x + LABEL_WIDTH;
            }
        }
        ticks
    }

    fn histogram(&self, id: &str, whose: &str, figures: &QueueSummary, told: &str) -> Markup {
        let axis = scale::counts(self.counts.iter().copied().max().unwrap_or_default(), 4);
        let frame = self.frame(52.0, 130.0, axis.end);
        let content = html! {
            (frame.rows(&axis))
            @for (bar, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                @let (left, right) = (frame.x(bar as f64) + 1.0, frame.x(bar as f64 + 1.0) - 1.0);
                @let top = frame.y(*count as f64).min(frame.bottom() - 1.5);
                rect.bar x=(px(left)) width=(px(right - left)) y=(px(top)) height=(px(frame.bottom() - top)) {
                    title { (self.range(bar)) ": " (counted(*count, "job")) }
                }
            }
            (self.marks(&frame, figures, true))
            (frame.columns(&self.ticks(&frame)))
        };
        let name = format!("Histogram of waits, {whose}");
        frame.picture(&format!("{id}-histogram"), &name, told, &content)
    }

    fn cumulative(&self, id: &str, whose: &str, figures: &QueueSummary, told: &str) -> Markup {
        let axis = scale::Axis {
            end: 1.0,
            ticks: [0.0, 0.25, 0.5, 0.75, 1.0]
                .map(|share| (share, super::words::percent(share)))
                .to_vec(),
        };
        let frame = self.frame(12.0, 100.0, 1.0);
        let waits = &figures.waits;
        let ranks = (1..=POINTS).map(|number| (waits.len() * number).div_ceil(POINTS).max(1));
        let mut points = vec![(0.0, 0.0)];
        points.extend(ranks.filter_map(|rank| {
            let wait = waits.get(rank - 1)?;
            Some((self.place(*wait), rank as f64 / waits.len() as f64))
        }));
        points.push((self.counts.len() as f64, 1.0));
        let content = html! {
            (frame.rows(&axis))
            path.cumulative d=(steps(&frame, &points)) {}
            (self.marks(&frame, figures, false))
            (frame.columns(&self.ticks(&frame)))
        };
        let name = format!("Share of jobs that waited no longer, {whose}");
        frame.picture(&format!("{id}-cumulative"), &name, told, &content)
    }

    /// Lines through both charts at the median, at 95 % and at the longest.
    fn marks(&self, frame: &Frame, figures: &QueueSummary, named: bool) -> Markup {
        let marks = [(50, "median"), (95, "p95"), (100, "longest")];
        html! {
            @for (row, (percent, name)) in marks.into_iter().enumerate() {
                @let wait = figures.wait(percent);
                @let x = frame.x(self.place(wait));
                @let y = if named { 12.0 + 15.0 * row as f64 } else { frame.top };
                line.mark x1=(px(x)) x2=(px(x)) y1=(px(y)) y2=(px(frame.bottom())) {}
                @if named {
                    @let right = x > super::plot::WIDTH * 0.75;
                    text.label x=(px(if right { x - 5.0 } else { x + 5.0 })) y=(px(y)) dy="0.3em"
                        text-anchor=(if right { "end" } else { "start" }) { (name) " " (length(wait)) }
                }
            }
        }
    }

    fn range(&self, bar: usize) -> String {
        let edge = |at: usize| length(Duration::from_millis(self.edges[at]));
        format!("{} to {}", edge(bar), edge(bar + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_is_in_one_bar() {
        let waits: Vec<_> = [0, 999, 1_000, 1_001, 59_999, 3_600_000, u64::MAX / 1_000_000]
            .map(Duration::from_millis)
            .to_vec();
        for count in 1..=waits.len() {
            let bars = Bars::around(&waits[..count]);
            assert_eq!(bars.counts.iter().sum::<u64>(), count as u64);
            for wait in &waits[..count] {
                let place = bars.place(*wait);
                assert!((0.0..=bars.counts.len() as f64).contains(&place));
            }
        }
    }
}
