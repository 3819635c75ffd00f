//! How a queue went: jobs, pods and waits over time, one below the other.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};

use super::plot::{Frame, area, steps};
use super::scale::{self, Axis};
use super::thin::{greatest, thin};
use super::words::{count, length, whole_millis};
use crate::measure::Sample;

/// How a layer is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Area,
    Line,
}

/// One quantity of a chart.
struct Layer {
    /// What it is, and the class that colours it.
    name: &'static str,
    form: Form,
    /// What is drawn, which is more than the quantity where it stands on another.
    drawn: Vec<u64>,
    /// The quantity itself.
    values: Vec<u64>,
}

/// One chart.
struct Panel {
    name: &'static str,
    about: &'static str,
    /// Whether it counts, or tells lengths of time.
    counts: bool,
    /// From the back to the front.
    layers: Vec<Layer>,
}

/// What all charts of a page share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// How long the run was.
    pub(super) length: Duration,
    /// The distance between two samples.
    pub(super) every: Duration,
    /// Stretches that a line is thinned to.
    pub(super) stretches: usize,
}

/// The charts of one queue, or of all; `id` is unique on the page.
pub(super) fn charts(id: &str, whose: &str, samples: &[Sample], scope: Scope) -> Markup {
    if samples.is_empty() {
        return html! { p.note { "No samples were taken." } };
    }
    let panels = panels(samples);
    html! {
        div.timeline tabindex="0" role="group" aria-label={ "Over time, " (whose) ". Arrow keys move through it." } {
            @for (number, panel) in panels.iter().enumerate() {
                (panel.chart(&format!("{id}-{number}"), whose, scope))
            }
            p.readout aria-live="polite" {}
            script type="application/json" { (PreEscaped(values(&panels, scope))) }
        }
    }
}

fn panels(samples: &[Sample]) -> [Panel; 3] {
    let all = |of: fn(&Sample) -> u64| samples.iter().map(of).collect::<Vec<_>>();
    let plain = |name, form, of| {
        let values = all(of);
        Layer {
            name,
            form,
            drawn: values.clone(),
            values,
        }
    };
    let waiting = Layer {
        name: "waiting",
        form: Form::Area,
        drawn: all(|sample| u64::from(sample.waiting) + u64::from(sample.running)),
        values: all(|sample| sample.waiting.into()),
    };
    [
        Panel {
            name: "Demand",
            about: "jobs that wait for an agent, on top of those that run",
            counts: true,
            layers: vec![waiting, plain("running", Form::Area, |sample| sample.running.into())],
        },
        Panel {
            name: "Pods",
            about: "pods that have not ended, connected agents, and those without a job",
            counts: true,
            layers: vec![
                plain("idle", Form::Area, |sample| sample.idle.into()),
                plain("pods", Form::Line, |sample| sample.pods.into()),
                plain("agents", Form::Line, |sample| sample.agents.into()),
            ],
        },
        Panel {
            name: "Longest wait",
            about: "of the jobs that wait at that time",
            counts: false,
            layers: vec![plain("wait", Form::Area, |sample| sample.longest_wait_ms)],
        },
    ]
}

impl Panel {
    fn chart(&self, id: &str, whose: &str, scope: Scope) -> Markup {
        let across = scale::run(scope.length, 9);
        let up = self.axis();
        let frame = Frame {
            top: 10.0,
            height: 120.0,
            x_end: across.end,
            y_end: up.end,
        };
        let content = html! {
            (frame.rows(&up))
            @for layer in &self.layers { (layer.draw(&frame, scope)) }
            (frame.columns(&across.ticks))
            line.cursor x1="0" x2="0" y1="10" y2="130" visibility="hidden" {}
        };
        html! {
            figure {
                figcaption {
                    strong { (self.name) }
                    span.about { (self.about) }
                    ul.legend {
                        @for layer in self.layers.iter().rev() {
                            li { span class={ "swatch " (layer.name) } aria-hidden="true" {} (layer.name) }
                        }
                    }
                }
                div.scroll tabindex="0" role="region" aria-label={ (self.name) ", " (whose) } {
                    (frame.picture(id, &format!("{} over time, {whose}", self.name), &self.told(scope), &content))
                }
            }
        }
    }

    fn axis(&self) -> Axis {
        let drawn = self.layers.iter().flat_map(|layer| &layer.drawn);
        let most = drawn.copied().max().unwrap_or_default();
        if self.counts {
            scale::counts(most, 4)
        } else {
            scale::lengths(Duration::from_millis(most), 4)
        }
    }

    /// The chart in words.
    fn told(&self, scope: Scope) -> String {
        let peaks = self.layers.iter().rev().map(|layer| {
            let most = layer.values.iter().copied().max().unwrap_or_default();
            let place = layer.values.iter().position(|value| *value == most).unwrap_or_default();
            let at = scope.every * u32::try_from(place).unwrap_or(u32::MAX);
            let most = if self.counts {
                count(most)
            } else {
                length(Duration::from_millis(most))
            };
            format!("{}: at most {most}, first after {}", layer.name, length(at))
        });
        format!("{}.", peaks.collect::<Vec<_>>().join("; "))
    }
}

impl Layer {
    fn draw(&self, frame: &Frame, scope: Scope) -> Markup {
        let every = whole_millis(scope.every) as f64;
        let mut points: Vec<_> = thin(&self.drawn, scope.stretches)
            .into_iter()
            .map(|(place, value)| (place as f64 * every, value as f64))
            .collect();
        // The last sample holds until the next would have been taken.
        if let (Some(last), false) = (self.drawn.last(), points.is_empty()) {
            points.push((self.drawn.len() as f64 * every, *last as f64));
        }
        html! {
            @match self.form {
                Form::Area => {
                    path class={ "area " (self.name) } d=(area(frame, &points)) {}
                    path class={ "edge " (self.name) } d=(steps(frame, &points)) {}
                }
                Form::Line => path class={ "line " (self.name) } d=(steps(frame, &points)) {},
            }
        }
    }
}

/// The values for the script, as JSON: the greatest of each stretch.
///
/// Only numbers and names of this file are in it, nothing that needs escaping.
fn values(panels: &[Panel], scope: Scope) -> String {
    let layers = || {
        panels
            .iter()
            .flat_map(|panel| panel.layers.iter().rev().map(move |layer| (panel, layer)))
    };
    let samples = layers().map(|(_, layer)| layer.values.len()).max().unwrap_or_default();
    let stretch = samples.div_ceil(scope.stretches.max(1)).max(1);
    let columns = layers().map(|(panel, layer)| {
        serde_json::json!({
            "name": layer.name,
            "counts": panel.counts,
            "values": greatest(&layer.values, stretch),
        })
    });
    serde_json::json!({
        "every": whole_millis(scope.every).saturating_mul(stretch as u64),
        "length": whole_millis(scope.length).max(1_000),
        "exact": stretch == 1,
        "columns": columns.collect::<Vec<_>>(),
    })
    .to_string()
}
