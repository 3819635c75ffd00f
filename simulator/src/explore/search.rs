//! Breadth first through all that may happen, so that the first way found to
//! a state is a shortest one.

use std::collections::HashSet;
use std::collections::VecDeque;

use super::bugs::Bug;
use super::calm::calm;
use super::fingerprint::Fingerprints;
use super::outside::Broken;
use super::sights::{Sight, Sights};
use super::state::{Choice, State};
use super::worlds::SmallWorld;

/// How far a world is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most choices on one way.
    pub depth: u32,
    /// Most distinct states.
    pub states: usize,
    /// One of so many states is asked whether all ends well if nothing else
    /// goes wrong (Invariants 26 to 30); none if 0.
    pub calm_one_in: u64,
}

/// What an exploration came to.
#[derive(Clone, Debug, Default)]
pub struct Exploration {
    /// Distinct states.
    pub states: usize,
    /// Choices tried.
    pub choices: u64,
    /// The longest way taken.
    pub depth: u32,
    /// Whether there is no state beyond: everything that can ever happen.
    pub exhausted: bool,
    /// Whether it ended because there were too many states.
    pub cut_off: bool,
    /// States from which it was asked whether all ends well.
    pub calmed: u64,
    /// What was seen on the way, each with the shortest way to it.
    pub sights: Vec<(Sight, Vec<Choice>)>,
    /// What must never happen and did.
    pub counterexample: Option<Counterexample>,
}

impl Exploration {
    /// What the world has to show and this did not.
    pub fn missing(&self, world: &SmallWorld) -> Vec<Sight> {
        let was_seen = |wanted: &Sight| self.sights.iter().any(|(sight, _)| sight == wanted);
        world.sights.iter().copied().filter(|sight| !was_seen(sight)).collect()
    }
}

/// A shortest way to something that must never happen.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What happened.
    pub broken: Broken,
    /// The choices that lead there.
    pub choices: Vec<Choice>,
    /// What follows without any further fault, where that is what is wrong.
    pub then: Vec<String>,
}

/// A state's way: where it comes from, and by which choice.
#[derive(Clone, Copy, Debug)]
struct Node {
    from: u32,
    choice: Choice,
}

/// Explores a world, with a deliberate bug or without.
pub fn explore(world: &SmallWorld, bounds: Bounds, bug: Option<Bug>, progress: &mut dyn FnMut(usize)) -> Exploration {
    Search::new(bounds, bug).run(world, progress)
}

#[derive(Debug)]
struct Search {
    bounds: Bounds,
    bug: Option<Bug>,
    fingerprints: Fingerprints,
    known: HashSet<u64>,
    nodes: Vec<Node>,
    seen: Sights,
    found: Exploration,
}

const ROOT: u32 = u32::MAX;

impl Search {
    fn new(bounds: Bounds, bug: Option<Bug>) -> Self {
        Self {
            bounds,
            bug,
            fingerprints: Fingerprints::default(),
            known: Default::default(),
            nodes: Vec::new(),
            seen: Sights::default(),
            found: Exploration::default(),
        }
    }

    fn run(mut self, world: &SmallWorld, progress: &mut dyn FnMut(usize)) -> Exploration {
        let mut frontier = VecDeque::new();
        match State::begin(world, self.bug) {
            Ok(state) => {
                self.known.insert(self.fingerprints.of(&state));
                frontier.push_back((ROOT, 0, state));
            }
            Err(broken) => self.report(broken, ROOT, None, Vec::new()),
        }
        self.found.exhausted = true;
        while let Some((at, depth, state)) = frontier.pop_front() {
            if self.found.counterexample.is_some() {
                self.found.exhausted = false;
                break;
            }
            if depth >= self.bounds.depth {
                self.found.exhausted = false;
                continue;
            }
            for choice in state.choices() {
                if let Some((node, next)) = self.try_choice(&state, at, choice) {
                    self.found.depth = depth + 1;
                    frontier.push_back((node, depth + 1, next));
                }
                if self.found.counterexample.is_some() {
                    break;
                }
            }
            if self.known.len().is_multiple_of(PROGRESS) {
                progress(self.known.len());
            }
            if self.known.len() >= self.bounds.states {
                self.found.cut_off = true;
                self.found.exhausted = false;
                break;
            }
        }
        self.found.states = self.known.len();
        self.found
    }

    /// The state to which a choice leads, if it is new.
    fn try_choice(&mut self, state: &State, at: u32, choice: Choice) -> Option<(u32, State)> {
        self.found.choices += 1;
        let mut next = state.clone();
        if let Err(broken) = next.happen(choice, self.bug) {
            self.report(broken, at, Some(choice), Vec::new());
            return None;
        }
        let fingerprint = self.fingerprints.of(&next);
        let is_new = self.known.insert(fingerprint);
        let fresh = next.sights.beyond(self.seen);
        self.seen.join(fresh);
        for sight in fresh.iter() {
            let way = self.way(at, Some(choice));
            self.found.sights.push((sight, way));
        }
        if !is_new {
            return None;
        }
        if self.bounds.calm_one_in > 0 && fingerprint.is_multiple_of(self.bounds.calm_one_in) {
            self.found.calmed += 1;
            if let Err((broken, then)) = calm(&next, self.bug) {
                self.report(broken, at, Some(choice), then);
                return None;
            }
        }
        let node = u32::try_from(self.nodes.len()).unwrap_or(ROOT);
        self.nodes.push(Node { from: at, choice });
        Some((node, next))
    }

    fn report(&mut self, broken: Broken, at: u32, last: Option<Choice>, then: Vec<String>) {
        let choices = self.way(at, last);
        self.found
            .counterexample
            .get_or_insert(Counterexample { broken, choices, then });
    }

    /// The choices that lead to a node, and one more.
    fn way(&self, mut at: u32, last: Option<Choice>) -> Vec<Choice> {
        let mut choices: Vec<Choice> = last.into_iter().collect();
        while let Some(node) = self.nodes.get(at as usize) {
            choices.push(node.choice);
            at = node.from;
        }
        choices.reverse();
        choices
    }
}

/// How often progress is told.
const PROGRESS: usize = 256;

/// A way in words.
#[derive(Clone, Debug, Default)]
pub struct Retraced {
    /// One line for each choice, with the time of each.
    pub lines: Vec<String>,
    /// The commands that the controllers send on the way, by kind and reason:
    /// `create (demand)`.
    pub commands: Vec<String>,
}

/// Goes a way again, and says what happens.
pub fn retrace(world: &SmallWorld, bug: Option<Bug>, choices: &[Choice]) -> Retraced {
    let mut retraced = Retraced::default();
    let Ok(mut state) = State::begin(world, bug) else {
        return retraced;
    };
    retraced.commands.append(&mut state.said);
    for choice in choices {
        retraced.lines.push(state.tell(*choice));
        let broken = state.happen(*choice, bug).is_err();
        retraced.commands.append(&mut state.said);
        if broken {
            break;
        }
    }
    retraced
}
