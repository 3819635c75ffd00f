//! Nodes: where pods fit, and which images are there.

use std::collections::{BTreeMap, VecDeque};

use buildscaler_core::Timestamp;

use super::dice::Dice;
use super::life::PodNumber;
use crate::scenario::{NodeSettings, Range};

/// Draws for image pulls are of this kind.
const PULL: u64 = 2;

#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    settings: NodeSettings,
    /// Nodes on their way.
    pub(crate) starting: u32,
    /// Pods that fit nowhere, the oldest first.
    pub(crate) waiting: VecDeque<PodNumber>,
    seed: u64,
    pulls: u64,
}

#[derive(Debug, Default)]
struct Node {
    pods: u32,
    lost: bool,
    /// When each image is there.
    images: BTreeMap<String, Timestamp>,
}

impl Nodes {
    pub(crate) fn new(settings: &NodeSettings, seed: u64) -> Self {
        Self {
            nodes: (0..settings.count).map(|_| Node::default()).collect(),
            settings: settings.clone(),
            starting: 0,
            waiting: VecDeque::new(),
            seed,
            pulls: 0,
        }
    }

    /// Takes a place on the node with the fewest pods; counted from 1.
    pub(crate) fn place(&mut self) -> Option<u32> {
        let room = self.settings.pods_each;
        let nodes = self.nodes.iter_mut().enumerate();
        let free = nodes.filter(|(_, node)| !node.lost && node.pods < room);
        let (at, node) = free.min_by_key(|(_, node)| node.pods)?;
        node.pods += 1;
        u32::try_from(at + 1).ok()
    }

    /// When the image is on the node: pods that ask meanwhile wait together.
    pub(crate) fn pulled_at(&mut self, node: u32, image: &str, pull: Range, now: Timestamp) -> Timestamp {
        self.pulls += 1;
        let mut dice = Dice::for_thing(self.seed, PULL, self.pulls);
        let Some(node) = self.nodes.get_mut(node as usize - 1) else {
            return now;
        };
        if let Some(there) = node.images.get(image) {
            return now.max(*there);
        }
        let there = now.after(dice.length(pull));
        node.images.insert(image.to_owned(), there);
        there
    }

    pub(crate) fn leave(&mut self, node: u32) {
        if let Some(node) = self.nodes.get_mut(node as usize - 1) {
            node.pods = node.pods.saturating_sub(1);
        }
    }

    /// Whether the autoscaler should bring another node for those that wait.
    pub(crate) fn wants_node(&self) -> bool {
        let there = self.nodes.iter().filter(|node| !node.lost).count();
        let coming = u64::from(self.starting);
        let room = coming.saturating_mul(self.settings.pods_each.into());
        (there as u64) + coming < u64::from(self.settings.max) && (self.waiting.len() as u64) > room
    }

    pub(crate) const fn startup(&self) -> Range {
        self.settings.startup
    }

    pub(crate) fn add(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len()
    }

    /// Loses a node; of 0, the one with most pods. Returns its number.
    pub(crate) fn lose(&mut self, number: u32) -> Option<u32> {
        let chosen = match number {
            0 => {
                let nodes = self.nodes.iter().enumerate();
                let alive = nodes.filter(|(_, node)| !node.lost);
                alive.max_by_key(|(at, node)| (node.pods, std::cmp::Reverse(*at)))?.0
            }
            number => number as usize - 1,
        };
        let node = self.nodes.get_mut(chosen).filter(|node| !node.lost)?;
        node.lost = true;
        u32::try_from(chosen + 1).ok()
    }
}
