//! Wait against cost: each contestant a point, and the line that none beats.

use maud::{Markup, html};

use super::labels::{Area, Placed, place};
use super::plot::{Frame, px};
use super::spread::Spread;
use super::words::{clip, counted, length, short};
use crate::compare::{Compared, Line, Role};

/// Contestants that are drawn at most.
const DRAWN: usize = 40;

/// The chart of one scenario; `id` is unique on the page.
pub(super) fn chart(id: &str, compared: &Compared) -> Markup {
    let lines: Vec<&Line> = compared.lines.iter().take(DRAWN).collect();
    let plane = Plane::of(&lines);
    let frontier = compared.frontier();
    let content = plane.content(&lines, &frontier);
    let name = format!("p95 wait against pod-hours, {}", clip(&compared.scenario, 80));
    html! {
        figure {
            figcaption {
                strong { "Wait against cost" }
                span.about { "p95 wait and pod-hours: the nearer to the lower left corner, the better" }
                ul.legend {
                    li { (swatch(Mark::Ours)) "ours" }
                    li { (swatch(Mark::Rival)) "others" }
                    li { (swatch(Mark::Bound)) "bound" }
                    li { (swatch(Mark::Interrupting)) "interrupts builds" }
                    li { span class="swatch frontier" aria-hidden="true" {} "frontier" }
                }
            }
            div.scroll tabindex="0" role="region" aria-label=(name) {
                (plane.frame.picture(id, &name, &told(&frontier), &content))
            }
        }
    }
}

/// The frontier in words.
fn told(frontier: &[&Line]) -> String {
    let points = frontier.iter().map(|line| {
        let total = &line.total;
        let hours = short(total.pod_hours, 2);
        format!(
            "{} ({hours} pod-hours, {})",
            clip(&line.contestant, 60),
            length(total.wait_p95)
        )
    });
    format!(
        "On the frontier, the cheapest first: {}. The table below has all figures.",
        points.collect::<Vec<_>>().join(", ")
    )
}

/// How a contestant is drawn; each has a shape of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ours,
    Rival,
    Bound,
    Interrupting,
}

impl Mark {
    fn of(line: &Line) -> Self {
        match line.role {
            Role::Bound => Self::Bound,
            Role::Ours | Role::Rival if line.total.interrupted > 0 => Self::Interrupting,
            Role::Ours => Self::Ours,
            Role::Rival => Self::Rival,
        }
    }

    fn draw(self, x: f64, y: f64) -> Markup {
        let (left, right, up, down) = (px(x - 5.5), px(x + 5.5), px(y - 5.5), px(y + 5.5));
        html! {
            @match self {
                Self::Ours => circle.point.ours cx=(px(x)) cy=(px(y)) r="6.5" {},
                Self::Rival => circle.point.rival cx=(px(x)) cy=(px(y)) r="5" {},
                Self::Bound => path.point.bound d={ "M" (px(x)) " " (up) "L" (right) " " (px(y)) "L" (px(x)) " " (down) "L" (left) " " (px(y)) "Z" } {},
                Self::Interrupting => path.point.interrupting d={ "M" (left) " " (up) "L" (right) " " (down) "M" (right) " " (up) "L" (left) " " (down) } {},
            }
        }
    }
}

fn swatch(mark: Mark) -> Markup {
    html! {
        svg.sign width="16" height="16" viewBox="0 0 16 16" aria-hidden="true" focusable="false" { (mark.draw(8.0, 8.0)) }
    }
}

/// The plane of the chart: hours to the right, waits upwards.
struct Plane {
    frame: Frame,
    hours: Spread,
    waits: Spread,
}

impl Plane {
    fn of(lines: &[&Line]) -> Self {
        let hours: Vec<f64> = lines.iter().map(|line| line.total.pod_hours).collect();
        let waits: Vec<f64> = lines.iter().map(|line| line.total.wait_p95.as_secs_f64()).collect();
        Self {
            frame: Frame {
                top: 20.0,
                height: 330.0,
                x_end: 1.0,
                y_end: 1.0,
            },
            hours: Spread::hours(&hours),
            waits: Spread::seconds(&waits),
        }
    }

    fn place(&self, line: &Line) -> (f64, f64) {
        let x = self.frame.x(self.hours.share(line.total.pod_hours));
        let y = self.frame.y(self.waits.share(line.total.wait_p95.as_secs_f64()));
        (x, y)
    }

    fn content(&self, lines: &[&Line], frontier: &[&Line]) -> Markup {
        let frame = &self.frame;
        let names: Vec<_> = lines.iter().map(|line| clip(&line.contestant, 40)).collect();
        let points: Vec<_> = lines
            .iter()
            .zip(&names)
            .map(|(line, name)| {
                let (x, y) = self.place(line);
                (x, y, name.as_ref())
            })
            .collect();
        let (left, right) = (frame.x(0.0), frame.x(1.0));
        let room = Area {
            left: left + 2.0,
            top: 2.0,
            right,
            bottom: frame.bottom() - 3.0,
        };
        let mut taken = self.titles();
        let placed = place(&points, &room, &mut taken);
        let rows = super::scale::Axis {
            end: 1.0,
            ticks: self.waits.ticks.clone(),
        };
        html! {
            (frame.rows(&rows))
            (frame.columns(&self.hours.ticks))
            text.tick x=(px(left + 6.0)) y="14" { "p95 wait" (note(&self.waits)) }
            text.tick x=(px(right)) y=(px(frame.bottom() - 8.0)) text-anchor="end" { "pod-hours" (note(&self.hours)) }
            path.frontier d=(self.frontier(frontier)) {}
            @for ((line, (x, y, name)), label) in lines.iter().zip(&points).zip(&placed) {
                (leader(*x, *y, label))
                g { title { (tooltip(line)) } (Mark::of(line).draw(*x, *y)) }
                text.label.quiet[line.role != Role::Ours] x=(px(label.x)) y=(px(label.y)) dy="0.33em" { (name) }
            }
        }
    }

    /// Where the names of the axes stand.
    fn titles(&self) -> Vec<Area> {
        let (left, right, bottom) = (self.frame.x(0.0), self.frame.x(1.0), self.frame.bottom());
        let area = |left, top, right, bottom| Area {
            left,
            top,
            right,
            bottom,
        };
        vec![
            area(left, 0.0, left + 200.0, 20.0),
            area(right - 200.0, bottom - 22.0, right, bottom),
        ]
    }

    /// A staircase: whatever is above it, or right of it, is beaten.
    fn frontier(&self, frontier: &[&Line]) -> String {
        let mut path = String::new();
        for line in frontier {
            let (x, y) = self.place(line);
            if path.is_empty() {
                path = format!("M{} {}V{}", px(x), px(self.frame.top), px(y));
            } else {
                path.push_str(&format!("H{}V{}", px(x), px(y)));
            }
        }
        if !path.is_empty() {
            path.push_str(&format!("H{}", px(self.frame.x(1.0))));
        }
        path
    }
}

const fn note(axis: &Spread) -> &'static str {
    if axis.is_logarithmic() { " (logarithmic)" } else { "" }
}

fn leader(x: f64, y: f64, label: &Placed) -> Markup {
    html! {
        @if let Some((to_x, to_y)) = label.led {
            line.leader x1=(px(x)) y1=(px(y)) x2=(px(to_x)) y2=(px(to_y)) {}
        }
    }
}

fn tooltip(line: &Line) -> String {
    let total = &line.total;
    format!(
        "{}: p95 wait {}, {} pod-hours, {} interrupted",
        clip(&line.contestant, 80),
        length(total.wait_p95),
        short(total.pod_hours, 2),
        counted(total.interrupted, "build"),
    )
}
