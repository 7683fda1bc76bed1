//! `and`, `or` and `unless`.

use promql::BinaryOp;

use super::Join;
use super::match_labels::{GroupNumbers, MatchLabels};
use crate::grid::Grid;
use crate::table::{ABSENT, Row, Table, is_present};

/// Which steps each match group has values at.
struct Presence {
    words_per_group: usize,
    words: Vec<u64>,
}

impl Presence {
    fn new(grid: Grid) -> Self {
        Self { words_per_group: grid.len().div_ceil(64), words: Vec::new() }
    }

    fn add(&mut self, group: usize, row: Row<'_>) {
        let start = group * self.words_per_group;
        let end = start + self.words_per_group;
        if self.words.len() < end {
            self.words.resize(end, 0);
        }
        let words = &mut self.words[start..end];
        row.present_steps().for_each(|step| words[step / 64] |= 1 << (step % 64));
    }

    fn has(&self, group: Option<usize>, step: usize) -> bool {
        let word = group.and_then(|group| self.words.get(group * self.words_per_group + step / 64));
        word.is_some_and(|word| word & (1 << (step % 64)) != 0)
    }
}

/// `and` keeps the left series where the right vector has one of the same match group, `unless` where it has none; `or` adds
/// the right series where the left vector has none.
pub(super) fn combine(join: &Join, mut left: Table, mut right: Table, grid: Grid) -> Table {
    let labels = MatchLabels::new(&join.matching);
    let (filtering, filtered) = match join.op {
        BinaryOp::Or => (&left, &mut right),
        _ => (&right, &mut left),
    };
    let mut groups = GroupNumbers::default();
    let mut presence = Presence::new(grid);
    for row in filtering.rows() {
        let group = groups.number(row.id, &labels);
        presence.add(group, row);
    }
    let keeps_present = join.op == BinaryOp::And;
    filtered.change(|row| {
        let group = groups.find(row.id, &labels);
        if group.is_none() && !keeps_present {
            return;
        }
        for (at, value) in row.floats.iter_mut().enumerate() {
            if is_present(*value) && presence.has(group, row.first + at) != keeps_present {
                *value = ABSENT;
            }
        }
        row.histograms.retain(|(step, _)| presence.has(group, *step as usize) == keeps_present);
    });
    if join.op == BinaryOp::Or {
        left.append(right);
    }
    left
}
