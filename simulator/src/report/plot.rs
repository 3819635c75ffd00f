//! The frame that every chart is drawn in.

use maud::{Markup, html};

use super::scale::Axis;
use super::words::short;

/// Width of every chart, in the units of its picture.
pub(super) const WIDTH: f64 = 960.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 26.0;

/// Where a chart is and how its values become places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Room above the area, for labels.
    pub(super) top: f64,
    /// Height of the area.
    pub(super) height: f64,
    /// The value at the right edge.
    pub(super) x_end: f64,
    /// The value at the upper edge.
    pub(super) y_end: f64,
}

impl Frame {
    /// The place of a value on the horizontal axis.
    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * (value / self.x_end).clamp(0.0, 1.0)
    }

    /// The place of a value on the vertical axis.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom() - self.height * (value / self.y_end).clamp(0.0, 1.0)
    }

    /// The lower edge of the area.
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The chart as a picture with a name and a description for those who do
    /// not see it; `id` is unique on the page.
    pub(super) fn picture(&self, id: &str, name: &str, description: &str, content: &Markup) -> Markup {
        let total = self.bottom() + BOTTOM;
        html! {
            svg id=(id) viewBox={ "0 0 " (px(WIDTH)) " " (px(total)) } role="img"
                aria-labelledby={ (id) "-name " (id) "-about" }
                data-left=(px(LEFT)) data-right=(px(WIDTH - RIGHT)) {
                title id={ (id) "-name" } { (name) }
                desc id={ (id) "-about" } { (description) }
                (content)
            }
        }
    }

    /// Horizontal lines at the ticks of the vertical axis, which they name.
    pub(super) fn rows(&self, axis: &Axis) -> Markup {
        html! {
            @for (value, text) in &axis.ticks {
                @let y = px(self.y(*value));
                line.grid x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(y) y2=(y) {}
                text.tick x=(px(LEFT - 8.0)) y=(y) dy="0.35em" text-anchor="end" { (text) }
            }
        }
    }

    /// Marks below the area, at `ticks`.
    pub(super) fn columns(&self, ticks: &[(f64, String)]) -> Markup {
        let (from, to, below) = (px(self.bottom()), px(self.bottom() + 4.0), px(self.bottom() + 18.0));
        html! {
            @for (value, text) in ticks {
                @let x = px(self.x(*value));
                line.axis x1=(x) x2=(x) y1=(from) y2=(to) {}
                // The last word would hang over the edge.
                @let near_end = self.x(*value) > WIDTH - RIGHT - 12.0;
                text.tick x=(x) y=(below) text-anchor=(if near_end { "end" } else { "middle" }) { (text) }
            }
            line.axis x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(from) y2=(from) {}
        }
    }
}

/// A path that keeps each value until the next: counts do not slope.
pub(super) fn steps(frame: &Frame, points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut height = None;
    for (x, y) in points {
        let (x, y) = (px(frame.x(*x)), px(frame.y(*y)));
        match &height {
            None => path.push_str(&format!("M{x} {y}")),
            Some(known) if *known == y => continue,
            Some(_) => path.push_str(&format!("H{x}V{y}")),
        }
        height = Some(y);
    }
    if let (Some((x, _)), Some(_)) = (points.last(), height) {
        path.push_str(&format!("H{}", px(frame.x(*x))));
    }
    path
}

/// The area below [`steps`].
pub(super) fn area(frame: &Frame, points: &[(f64, f64)]) -> String {
    let Some((first, _)) = points.first() else {
        return String::new();
    };
    let (start, bottom) = (px(frame.x(*first)), px(frame.bottom()));
    format!("{}V{bottom}H{start}Z", steps(frame, points))
}

/// A place in a picture; a tenth of a unit is finer than a screen shows.
pub(super) fn px(place: f64) -> String {
    short(place, 1)
}
