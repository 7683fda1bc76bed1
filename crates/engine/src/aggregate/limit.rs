//! `limitk` and `limit_ratio`.

use series::QueryError;

use super::groups::Groups;
use crate::ledger::Record;
use crate::scalar::Scalar;
use crate::sink::{Output, Sink};
use crate::table::{ABSENT, Table, is_present};

/// The first so many series of each group.
pub(super) struct Limit {
    groups: Groups,
    /// How many are wanted at each step; `None`: never any.
    counts: Option<Vec<usize>>,
    /// How many each group has at each step.
    taken: Vec<usize>,
    result: Table,
}

impl Limit {
    pub(super) fn new(groups: Groups, counts: Option<Vec<usize>>) -> Self {
        Self { groups, counts, taken: Vec::new(), result: Table::new() }
    }
}

impl Sink for Limit {
    fn fold(&mut self, mut table: Table, _record: &mut Record) -> Result<(), QueryError> {
        let Some(counts) = &self.counts else { return Ok(()) };
        let steps = self.groups.steps();
        let groups: Vec<usize> = table.rows().map(|row| self.groups.number_of(row)).collect();
        self.taken.resize(self.groups.len() * steps, 0);
        let mut groups = groups.into_iter();
        table.change(|row| {
            let Some(group) = groups.next() else { return };
            let taken = &mut self.taken[group * steps..][..steps];
            let mut take = |step: usize| {
                taken[step] += 1;
                taken[step] <= counts[step]
            };
            for (at, value) in row.floats.iter_mut().enumerate() {
                if is_present(*value) && !take(row.first + at) {
                    *value = ABSENT;
                }
            }
            row.histograms.retain(|(step, _)| take(*step as usize));
        });
        self.result.append(table);
        Ok(())
    }

    fn finish(mut self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        put_in_heap_order(&mut self.result, &mut self.groups);
        Ok(Output::Table(self.result))
    }

    fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.taken.capacity() * size_of::<usize>() + self.result.size_bytes()
    }
}

/// About so large a part of the series: always the same ones, and with a negative ratio those that the ratio's complement
/// leaves out.
pub(super) struct LimitRatio {
    groups: Groups,
    ratio: Scalar,
    result: Table,
}

impl LimitRatio {
    pub(super) fn new(groups: Groups, ratio: Scalar) -> Self {
        Self { groups, ratio, result: Table::new() }
    }
}

impl Sink for LimitRatio {
    fn fold(&mut self, mut table: Table, _record: &mut Record) -> Result<(), QueryError> {
        if self.groups.steps() == 1 {
            // Groups have the order of their first series, whether or not it is among those that stay.
            for row in table.rows() {
                self.groups.number_of(row);
            }
        }
        keep_part(&mut table, &self.ratio);
        self.result.append(table);
        Ok(())
    }

    fn finish(mut self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        put_in_heap_order(&mut self.result, &mut self.groups);
        Ok(Output::Table(self.result))
    }

    fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.result.size_bytes()
    }
}

/// Puts the series of a single step in Prometheus' order, on which depends what another limit around keeps: group by group,
/// each a heap by value, though nothing is ever taken from its top.
fn put_in_heap_order(table: &mut Table, groups: &mut Groups) {
    if groups.steps() != 1 {
        return;
    }
    let mut heaps: Vec<Vec<usize>> = Vec::new();
    for (at, row) in table.rows().enumerate() {
        let group = groups.number_of(row);
        heaps.resize_with(groups.len(), Vec::new);
        let heap = &mut heaps[group];
        heap.push(at);
        let mut child = heap.len() - 1;
        while child > 0 && is_below(table, heap[child], heap[(child - 1) / 2]) {
            heap.swap(child, (child - 1) / 2);
            child = (child - 1) / 2;
        }
    }
    table.reorder(heaps.concat());
}

/// Whether one series goes above another one in a heap. Histograms count as 0.
fn is_below(table: &Table, a: usize, b: usize) -> bool {
    let value = |at: usize| table.row(at).present_floats().next().map_or(0.0, |(_, value)| value);
    value(a).is_nan() || value(a) < value(b)
}

fn keep_part(table: &mut Table, ratio: &Scalar) {
    table.change(|row| {
        let offset = model::prometheus_hash(row.id.iter()) as f64 / u64::MAX as f64;
        let keeps = |step: usize| {
            let ratio = ratio.at(step).clamp(-1.0, 1.0);
            (ratio > 0.0 && offset < ratio) || (ratio < 0.0 && offset >= 1.0 + ratio)
        };
        for (at, value) in row.floats.iter_mut().enumerate() {
            if !keeps(row.first + at) {
                *value = ABSENT;
            }
        }
        row.histograms.retain(|(step, _)| keeps(*step as usize));
    });
}

#[cfg(test)]
mod tests {
    use model::Labels;
    use promql::ast::Grouping;

    use super::*;
    use crate::identity::Identity;

    #[test]
    fn groups_have_the_order_of_series_that_go() {
        let labels = |group: &str, id: usize| Labels::from_pairs([("group", group), ("id", id.to_string().as_str())]);
        let stays = |labels: &Labels| model::prometheus_hash(labels) as f64 / (u64::MAX as f64) < 0.5;
        let first =
            |group: &str, wanted| (0..).map(|id| labels(group, id)).find(|labels| stays(labels) == wanted).unwrap();
        let mut table = Table::new();
        for labels in [first("a", false), first("b", true), first("a", true)] {
            let mut row = table.start_row(1);
            row.set(0, 1.0);
            row.finish(Identity::new(labels));
        }
        let grouping = Grouping { labels: vec!["group".to_owned()], ..Grouping::default() };
        let mut sink = Box::new(LimitRatio::new(Groups::new(&grouping, 1), Scalar::Constant(0.5)));
        sink.fold(table, &mut Record::default()).unwrap();
        let Output::Table(left) = sink.finish(&mut Record::default()).unwrap() else { panic!("no table") };
        let groups: Vec<&str> = left.rows().map(|row| row.id.value("group")).collect();
        assert_eq!(groups, ["a", "b"]);
    }
}
