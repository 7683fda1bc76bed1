//! Many sources as one.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use futures::StreamExt;
use model::Labels;

use crate::{QueryError, Series, SeriesStream};

/// Series of a merged batch: enough to make a step worth while, few enough to hold.
const BATCH: usize = 256;

/// Merges streams of series, each sorted by labels, into one. Series with the same labels become one with all chunks, those
/// of earlier streams first.
pub fn merge(mut streams: Vec<SeriesStream>) -> SeriesStream {
    match streams.len() {
        0 => futures::stream::empty().boxed(),
        1 => streams.remove(0),
        _ => futures::stream::try_unfold(Merge::new(streams), Merge::next_batch).boxed(),
    }
}

struct Merge {
    sources: Vec<Source>,
    /// The next series of sources that have one at hand. Sources that follow each other in time have the same series, so that
    /// there are few keys, however many sources there are.
    ready: BTreeMap<Key, Vec<Next>>,
    /// Sources that must be asked before anything more can be said.
    empty: Vec<usize>,
}

struct Source {
    stream: SeriesStream,
    batch: std::vec::IntoIter<Series>,
}

/// The next series of a source.
struct Next {
    source: usize,
    series: Series,
}

/// Labels in their order. Whether they are the same, which is asked most, is one comparison of bytes, while their order takes
/// one of each name and value.
#[derive(PartialEq, Eq)]
struct Key(Labels);

impl Merge {
    fn new(streams: Vec<SeriesStream>) -> Self {
        let empty = (0..streams.len()).collect();
        let sources = streams.into_iter().map(|stream| Source { stream, batch: Vec::new().into_iter() }).collect();
        Self { sources, ready: BTreeMap::new(), empty }
    }

    async fn next_batch(mut self) -> Result<Option<(Vec<Series>, Self)>, QueryError> {
        let mut batch: Vec<Series> = Vec::new();
        loop {
            while let Some(source) = self.empty.pop() {
                if let Some(series) = self.sources[source].next().await? {
                    self.ready.entry(Key(series.labels.clone())).or_default().push(Next { source, series });
                }
            }
            let Some(first) = self.ready.first_entry() else { break };
            let continues = batch.last().is_some_and(|last| last.labels == first.key().0);
            if batch.len() == BATCH && !continues {
                // It begins the next batch.
                break;
            }
            let mut same = first.remove();
            same.sort_unstable_by_key(|next| next.source);
            // Many blocks have a chunk of a series each: room for all of them is made once.
            let more: usize = same.iter().skip(1).map(|next| next.series.chunks.len()).sum();
            if let Some(first) = same.first_mut() {
                first.series.chunks.reserve_exact(more);
            }
            for Next { source, series } in same {
                match batch.last_mut() {
                    Some(last) if last.labels == series.labels => last.chunks.extend(series.chunks),
                    _ => batch.push(series),
                }
                self.empty.push(source);
            }
        }
        Ok((!batch.is_empty()).then_some((batch, self)))
    }
}

impl Source {
    async fn next(&mut self) -> Result<Option<Series>, QueryError> {
        loop {
            if let Some(series) = self.batch.next() {
                return Ok(Some(series));
            }
            match self.stream.next().await.transpose()? {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::TryStreamExt;
    use futures::executor::block_on;
    use model::Labels;
    use proptest::prelude::*;

    use super::*;

    fn series(name: u16, source: usize) -> Series {
        let chunk = crate::Chunk::Samples(std::sync::Arc::new(crate::Samples {
            float_times: vec![source as i64],
            floats: vec![0.0],
            ..Default::default()
        }));
        Series { labels: Labels::from_pairs([("n", format!("{name:05}").as_str())]), chunks: vec![chunk] }
    }

    proptest! {
        #[test]
        fn every_series_comes_once_in_order(sources in prop::collection::vec(prop::collection::btree_set(0u16..900, 0..400), 0..5)) {
            let mut expected: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
            for (source, names) in sources.iter().enumerate() {
                names.iter().for_each(|name| expected.entry(*name).or_default().push(source));
            }
            let streams = sources.iter().enumerate().map(|(source, names)| {
                let all: Vec<_> = names.iter().map(|name| series(*name, source)).collect();
                let batches: Vec<_> = all.chunks(7).map(|batch| Ok(batch.to_vec())).collect();
                futures::stream::iter(batches).boxed()
            });
            let merged: Vec<Vec<Series>> = block_on(merge(streams.collect()).try_collect()).unwrap();
            let source_of = |chunk: &crate::Chunk| match chunk {
                crate::Chunk::Samples(samples) => samples.float_times[0] as usize,
                other => panic!("{other:?} was not in any stream"),
            };
            let merged: Vec<(u16, Vec<usize>)> = merged.into_iter().flatten().map(|series| {
                (series.labels.value("n").parse().unwrap(), series.chunks.iter().map(source_of).collect())
            }).collect();
            prop_assert_eq!(merged, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
