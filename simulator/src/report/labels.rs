//! Labels of points, placed so that none lies on another.

/// Height of a line of text.
const LINE: f64 = 15.0;
/// Width of a character, generously.
const CHARACTER: f64 = 7.4;
/// Distances from the point that are tried, the nearest first.
const DISTANCES: [f64; 8] = [10.0, 20.0, 34.0, 50.0, 70.0, 95.0, 125.0, 160.0];
/// Directions that are tried: across, down.
const DIRECTIONS: [(f64, f64); 8] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.7, -0.7),
    (0.7, 0.7),
    (-0.7, -0.7),
    (-0.7, 0.7),
    (0.0, -1.0),
    (0.0, 1.0),
];

/// A rectangle that is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    /// A square around a point.
    pub(super) const fn around(x: f64, y: f64, reach: f64) -> Self {
        Self {
            left: x - reach,
            top: y - reach,
            right: x + reach,
            bottom: y + reach,
        }
    }

    /// How much of the two is the same.
    fn shared(&self, other: &Self) -> f64 {
        let across = self.right.min(other.right) - self.left.max(other.left);
        let down = self.bottom.min(other.bottom) - self.top.max(other.top);
        across.max(0.0) * down.max(0.0)
    }

    fn within(&self, other: &Self) -> bool {
        self.left >= other.left && self.right <= other.right && self.top >= other.top && self.bottom <= other.bottom
    }
}

/// Where a label is: its left end and its middle line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Whether it is so far from its point that a line has to lead there.
    pub(super) led: Option<(f64, f64)>,
}

/// Places the label of each point within `room`, off everything in `taken`.
///
/// Where there is no free place left, the one with the least in common with
/// others is used.
pub(super) fn place(points: &[(f64, f64, &str)], room: &Area, taken: &mut Vec<Area>) -> Vec<Placed> {
    taken.extend(points.iter().map(|(x, y, _)| Area::around(*x, *y, 6.0)));
    let mut placed = Vec::new();
    for (x, y, text) in points {
        let width = text.chars().count() as f64 * CHARACTER;
        let places = DISTANCES
            .iter()
            .flat_map(|distance| DIRECTIONS.map(|direction| beside(*x, *y, width, *distance, direction)))
            .filter(|(area, _)| area.within(room));
        let mut best: Option<(f64, Area, Placed)> = None;
        for (area, place) in places {
            let shared: f64 = taken.iter().map(|other| other.shared(&area)).sum();
            if best.is_none_or(|(least, _, _)| shared < least) {
                best = Some((shared, area, place));
            }
            if shared == 0.0 {
                break;
            }
        }
        let (area, place) = best.map_or_else(
            || beside(*x, *y, width, DISTANCES[0], DIRECTIONS[0]),
            |(_, area, place)| (area, place),
        );
        taken.push(area);
        placed.push(place);
    }
    placed
}

fn beside(x: f64, y: f64, width: f64, distance: f64, (across, down): (f64, f64)) -> (Area, Placed) {
    let (toward_x, toward_y) = (x + across * distance, y + down * distance);
    let left = if across > 0.0 {
        toward_x
    } else if across < 0.0 {
        toward_x - width
    } else {
        toward_x - width / 2.0
    };
    let area = Area {
        left,
        top: toward_y - LINE / 2.0,
        right: left + width,
        bottom: toward_y + LINE / 2.0,
    };
    let led = (distance > 15.0).then_some((toward_x, toward_y));
    (
        area,
        Placed {
            x: left,
            y: toward_y,
            led,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_points_in_one_place_do_not_lie_on_each_other() {
        let room = Area {
            left: 0.0,
            top: 0.0,
            right: 900.0,
            bottom: 320.0,
        };
        let points: Vec<_> = (0..14)
            .map(|number| (300.0 + f64::from(number % 3), 150.0, "agent-stack-k8s"))
            .collect();
        let mut taken = Vec::new();
        let placed = place(&points, &room, &mut taken);
        assert_eq!(placed.len(), 14);
        let labels = &taken[14..];
        for (number, label) in labels.iter().enumerate() {
            assert!(labels[number + 1..].iter().all(|other| other.shared(label) == 0.0));
        }
    }
}
