//! `topk` and `bottomk`.

use promql::{AggregateOp, Span};
use series::QueryError;

use super::groups::Groups;
use crate::annotation::Remark;
use crate::go_sort::sort_as_go;
use crate::identity::Identity;
use crate::ledger::Record;
use crate::sink::{Output, Sink};
use crate::table::Table;

/// The largest or smallest floats of each group.
pub(super) struct Top {
    groups: Groups,
    is_largest: bool,
    /// How many are wanted at each step; `None`: never any.
    counts: Option<Vec<usize>>,
    /// For each group and step.
    heaps: Vec<Vec<Entry>>,
    /// Series that were in a heap.
    series: Vec<Identity>,
    entries: usize,
    label_bytes: usize,
    span: Span,
}

/// A float and the series it belongs to.
#[derive(Clone, Copy, Debug)]
struct Entry {
    value: f64,
    series: u32,
}

impl Top {
    pub(super) fn new(groups: Groups, op: AggregateOp, counts: Option<Vec<usize>>, span: Span) -> Self {
        let is_largest = op == AggregateOp::Topk;
        let (heaps, series) = (Vec::new(), Vec::new());
        Self { groups, is_largest, counts, heaps, series, entries: 0, label_bytes: 0, span }
    }

    /// Whether the first one has to go before the second one. NaN goes first.
    fn is_worse(&self, a: Entry, b: Entry) -> bool {
        is_worse(self.is_largest, a, b)
    }
}

fn is_worse(is_largest: bool, a: Entry, b: Entry) -> bool {
    a.value.is_nan() || if is_largest { a.value < b.value } else { a.value > b.value }
}

impl Sink for Top {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        let Some(counts) = self.counts.take() else { return Ok(()) };
        let steps = self.groups.steps();
        for row in table.rows() {
            if !row.histograms.is_empty() {
                let op = if self.is_largest { "topk" } else { "bottomk" };
                record.annotations.add(self.span, Remark::IgnoredInAggregation(op), "");
            }
            let group = self.groups.number_of(row);
            self.heaps.resize_with(self.groups.len() * steps, Vec::new);
            let mut is_known = false;
            for (step, value) in row.present_floats() {
                let heap = &self.heaps[group * steps + step];
                let worst = heap.first().map(|worst| worst.value);
                let is_full = heap.len() >= counts[step];
                let wins = match worst {
                    _ if counts[step] == 0 => false,
                    Some(worst) if is_full => {
                        let beats = if self.is_largest { worst < value } else { worst > value };
                        beats || (worst.is_nan() && !value.is_nan())
                    }
                    _ => true,
                };
                if !wins {
                    continue;
                }
                if !std::mem::replace(&mut is_known, true) {
                    self.label_bytes += row.id.size_bytes();
                    self.series.push(row.id.clone());
                }
                let entry = Entry { value, series: self.series.len() as u32 - 1 };
                let is_largest = self.is_largest;
                let heap = &mut self.heaps[group * steps + step];
                if is_full {
                    heap[0] = entry;
                    sift_down(heap, |a, b| is_worse(is_largest, a, b));
                } else {
                    heap.push(entry);
                    self.entries += 1;
                    sift_up(heap, |a, b| is_worse(is_largest, a, b));
                }
            }
        }
        self.counts = Some(counts);
        Ok(())
    }

    /// At a single step, group by group, best first; else series by series.
    fn finish(mut self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let steps = self.groups.steps();
        let mut table = Table::new();
        if steps == 1 {
            for mut heap in std::mem::take(&mut self.heaps) {
                sort_as_go(&mut heap, |a, b| self.is_worse(*b, *a));
                for entry in heap {
                    let mut row = table.start_row(1);
                    row.set(0, entry.value);
                    row.finish(self.series[entry.series as usize].clone());
                }
            }
            return Ok(Output::Table(table));
        }
        let heaps = self.heaps.iter().enumerate();
        let mut chosen: Vec<(u32, usize, f64)> = heaps
            .flat_map(|(at, heap)| heap.iter().map(move |entry| (entry.series, at % steps, entry.value)))
            .collect();
        chosen.sort_unstable_by_key(|(series, step, _)| (*series, *step));
        for values in chosen.chunk_by(|a, b| a.0 == b.0) {
            let mut row = table.start_row(steps);
            values.iter().for_each(|(_, step, value)| row.set(*step, *value));
            row.finish(self.series[values[0].0 as usize].clone());
        }
        Ok(Output::Table(table))
    }

    fn size_bytes(&self) -> usize {
        let heaps = self.heaps.capacity() * size_of::<Vec<Entry>>() + self.entries * size_of::<Entry>();
        self.groups.size_bytes() + heaps + self.series.capacity() * size_of::<Identity>() + self.label_bytes
    }
}

/// Lets the last entry rise to its place. The heap is that of Go's `container/heap`, so that of equal values those of the
/// same series remain.
fn sift_up(heap: &mut [Entry], is_worse: impl Fn(Entry, Entry) -> bool) {
    let mut at = heap.len() - 1;
    while at > 0 {
        let parent = (at - 1) / 2;
        if !is_worse(heap[at], heap[parent]) {
            return;
        }
        heap.swap(at, parent);
        at = parent;
    }
}

/// Lets the first entry sink to its place.
fn sift_down(heap: &mut [Entry], is_worse: impl Fn(Entry, Entry) -> bool) {
    let mut at = 0;
    loop {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        if left >= heap.len() {
            return;
        }
        let child = if right < heap.len() && is_worse(heap[right], heap[left]) { right } else { left };
        if !is_worse(heap[child], heap[at]) {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}
