//! `and`, `or` and `unless`.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::Labels;
use promql::BinaryOp;

use super::match_labels::{GroupNumbers, MatchLabels};
use super::{Join, JoinContext};
use crate::grid::Grid;
use crate::identity::{Identity, Naming};
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
pub(super) fn combine(join: &Join, mut left: Table, mut right: Table, context: JoinContext<'_>) -> Table {
    let labels = MatchLabels::new(&join.matching);
    let (filtering, filtered) = match join.op {
        BinaryOp::Or => (&left, &mut right),
        _ => (&right, &mut left),
    };
    let mut groups = GroupNumbers::default();
    let mut presence = Presence::new(context.grid);
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
        if context.naming == Naming::Delayed && !context.grid.is_instant() {
            agree_on_names(&mut left);
        }
    }
    left
}

/// Lets series that have the same labels agree on whether the name goes at the end. Over a range these are one series to
/// Prometheus, and it is the first value that decides.
fn agree_on_names(table: &mut Table) {
    let dropped = table.rows().filter(|row| row.id.is_to_drop()).count();
    if dropped == 0 || dropped == table.len() {
        return;
    }
    let mut firsts: HashMap<Labels, (usize, Identity), RandomState> = HashMap::default();
    for row in table.rows() {
        let known = firsts.entry(row.id.labels()).or_insert_with(|| (row.first_step(), row.id.clone()));
        if row.first_step() < known.0 {
            *known = (row.first_step(), row.id.clone());
        }
    }
    for id in table.identities_mut() {
        if let Some((_, first)) = firsts.get(&id.labels()) {
            *id = first.clone();
        }
    }
}
