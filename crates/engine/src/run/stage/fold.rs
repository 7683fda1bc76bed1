//! Stages in parts.

use series::{Folded, FoldedCounts, FoldedGroup, QueryError};

use super::{Folding, source_sharing, subject};
use crate::ledger::Record;
use crate::plan::Source;
use crate::tally::{Alike, Passage, Reads};
use crate::unique::Unique;

impl Folding {
    /// Whether so many series come to far fewer groups. Else groups are no smaller than chunks, and cost more.
    pub(in crate::run) fn pays(&self, series: usize) -> bool {
        self.sink.group_count() * 2 <= series
    }

    /// What was made of the series so far, to be put together with what others made of theirs. `series` are their hashes,
    /// ascending. `None`: that can't be put together.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub(in crate::run) fn into_folded(self, series: Vec<u64>) -> Result<Option<Folded>, QueryError> {
        let stage = &self.plan.stages[self.stage];
        let naming = self.plan.naming;
        let sharings = std::iter::once(source_sharing(stage, naming))
            .chain(stage.operations.iter().map(|operation| operation.op.sharing(naming)));
        let mut metadata = None;
        for (unique, sharing) in self.uniques.into_iter().zip(sharings) {
            let Some(sharing) = sharing else { continue };
            // Series of several names may be the same without, here and in other parts.
            let Ok(name) = unique.one_name() else { return Ok(None) };
            metadata = metadata.or(name);
            unique.check(sharing)?;
        }
        let Ok(remark) = self.records.first().map_or(Ok(None), |record| record.annotations.only_no_counter()) else {
            return Ok(None);
        };
        let others = self.records.iter().skip(1).chain([&self.sink_record]);
        let says_more = others.into_iter().any(|record| !record.annotations.is_empty())
            || self.records.iter().any(|record| !record.last_remarks.is_empty());
        if says_more {
            return Ok(None);
        }
        let counts: Option<Vec<FoldedCounts>> = self.records.into_iter().map(counts).collect();
        let (Some(groups), Some(counts)) = (self.sink.into_groups(), counts) else { return Ok(None) };
        Ok(Some(Folded { groups, series, metadata, counts, remark }))
    }

    /// Takes in what was made of all series in parts.
    ///
    /// # Errors
    /// As [`Self::fold`], or if parts have other columns than they should.
    pub(in crate::run) fn unite(&mut self, parts: Vec<Folded>) -> Result<(), QueryError> {
        let mut groups: Vec<FoldedGroup> = Vec::new();
        for part in parts {
            for (at, counts) in part.counts.iter().enumerate() {
                absorb(&mut self.records[at], counts);
            }
            if let (Some(remark), Source::Select { reader: crate::read::Reader::Range(call), .. }) =
                (part.remark, &self.plan.stages[self.stage].source)
            {
                let metric = remark.metric.clone();
                self.records[0].annotations.add(call.span, remark.into(), &metric);
            }
            groups.extend(part.groups);
        }
        for record in &mut self.records {
            if let Alike::All(count, each) = record.alike {
                // The last series has what it needs beside what all those before it left.
                record.passage = Passage { peak: (count - 1) * each.rest + each.peak, rest: count * each.rest };
            }
            record.check(self.max_samples)?;
        }
        // Groups appear in the order of their first series, as if these came one after the other.
        groups.sort_by(|a, b| a.labels.cmp(&b.labels));
        for group in groups {
            let columns = group.columns.len();
            if !self.sink.fold_group(group) {
                let message = format!("a part of an aggregation has {columns} columns");
                return Err(QueryError::Execution(message));
            }
        }
        let bytes = self.sink.size_bytes() + self.uniques.iter().map(Unique::size_bytes).sum::<usize>();
        self.charge.resize(bytes as u64, || subject(&self.plan, &self.plan.stages[self.stage]))
    }
}

/// What an operation counted. `None`: histograms are among it.
fn counts(record: Record) -> Option<FoldedCounts> {
    let Record { tally, passage, alike, reads, .. } = record;
    let (changes, size) = tally.into_changes()?;
    let alike = match alike {
        Alike::All(count, _) => count,
        Alike::None | Alike::Not => 0,
    };
    let Reads { queryable, new } = reads;
    Some(FoldedCounts { changes, size, peak: passage.peak, rest: passage.rest, alike, queryable, new })
}

/// Adds what an operation counted in another part. If series differ in what they have in memory, the peak is that of the
/// worst order of parts.
fn absorb(record: &mut Record, counts: &FoldedCounts) {
    record.tally.absorb_changes(&counts.changes, counts.size);
    record.reads.absorb(&Reads { queryable: counts.queryable.clone(), new: counts.new.clone() });
    record.alike.absorb(Alike::of(counts));
    let own = record.passage;
    let peak = (own.rest + counts.peak).max(counts.rest + own.peak);
    record.passage = Passage { peak, rest: own.rest + counts.rest };
}
