//! Which series of two vectors belong to each other.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::{Labels, METRIC_NAME};
use promql::ast::VectorMatching;

use crate::identity::Identity;

/// The labels in which series must agree.
#[derive(Debug)]
pub(super) struct MatchLabels {
    names: Vec<String>,
    /// Whether these are the labels, instead of all others but the name.
    on: bool,
}

/// Numbers of match groups: series with the same number agree.
#[derive(Debug, Default)]
pub(super) struct GroupNumbers {
    numbers: HashMap<Box<[u8]>, usize, RandomState>,
    key: Vec<u8>,
}

impl MatchLabels {
    pub(super) fn new(matching: &VectorMatching) -> Self {
        let mut names = matching.labels.clone();
        names.sort_unstable();
        names.dedup();
        Self { names, on: matching.on }
    }

    fn has(&self, name: &str) -> bool {
        let is_named = self.names.binary_search_by(|other| other.as_str().cmp(name)).is_ok();
        if self.on { is_named } else { !is_named && name != METRIC_NAME }
    }

    /// The labels of the match group of a series.
    pub(super) fn of(&self, id: &Identity) -> Labels {
        Labels::from_sorted(id.iter().filter(|(name, _)| self.has(name)))
    }

    /// Writes what tells the match group of a series from others. No text has the bytes that end names and values.
    fn write_key(&self, id: &Identity, key: &mut Vec<u8>) {
        key.clear();
        for (name, value) in id.iter().filter(|(name, _)| self.has(name)) {
            key.extend_from_slice(name.as_bytes());
            key.push(0xfe);
            key.extend_from_slice(value.as_bytes());
            key.push(0xff);
        }
    }
}

impl GroupNumbers {
    /// The number of the group of a series, which may be a new one.
    pub(super) fn number(&mut self, id: &Identity, labels: &MatchLabels) -> usize {
        labels.write_key(id, &mut self.key);
        if let Some(number) = self.numbers.get(&*self.key) {
            return *number;
        }
        let number = self.numbers.len();
        self.numbers.insert(self.key.as_slice().into(), number);
        number
    }

    /// The number of the group of a series, if another one was in it before.
    pub(super) fn find(&mut self, id: &Identity, labels: &MatchLabels) -> Option<usize> {
        labels.write_key(id, &mut self.key);
        self.numbers.get(&*self.key).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}
