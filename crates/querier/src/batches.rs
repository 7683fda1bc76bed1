//! Series out of the messages of a shard.

use std::sync::Arc;

use bytes::Bytes;
use model::Labels;
use proto::select as wire;
use series::{Chunk, Series, Times};

/// Reads the messages of one answer, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    /// The columns of times that came, by number.
    times: Vec<Arc<Times>>,
}

impl Batches {
    /// The series of the next message; `None` if it makes no sense.
    pub(crate) fn read(&mut self, batch: wire::SeriesBatch) -> Option<Vec<Series>> {
        self.times.extend(batch.times.into_iter().map(|times| Arc::new(Times::new(times))));
        if batch.label_lengths.is_empty() {
            // The shard knows no other way.
            let series = batch.series.into_iter().map(|series| self.series(&series.labels, series.chunks));
            return series.collect();
        }
        // There are none where labels are all that is wanted.
        if !batch.series.is_empty() && batch.series.len() != batch.label_lengths.len() {
            return None;
        }
        let mut chunks = batch.series.into_iter().map(|series| series.chunks);
        let mut rest = &batch.joined_labels[..];
        let series = batch.label_lengths.iter().map(|length| {
            let labels;
            (labels, rest) = rest.split_at_checked(*length as usize)?;
            self.series(labels, chunks.next().unwrap_or_default())
        });
        series.collect()
    }

    fn series(&self, labels: &[u8], chunks: Vec<wire::Chunk>) -> Option<Series> {
        let chunks = chunks.into_iter().map(|chunk| {
            let times = self.times.get(chunk.times as usize)?.clone();
            Some(Chunk::Encoded { times, bytes: chunk.chunk })
        });
        Some(Series { labels: Labels::from_canonical_bytes(labels)?, chunks: chunks.collect::<Option<_>>()? })
    }
}

/// About how many bytes the series of a message take in memory.
pub(crate) fn size_bytes(batch: &wire::SeriesBatch) -> u64 {
    let times: usize = batch.times.iter().map(Bytes::len).sum();
    let chunks = batch.series.iter().flat_map(|series| &series.chunks).map(|chunk| chunk.chunk.len() + 48);
    let labels = batch.joined_labels.len() + batch.series.iter().map(|series| series.labels.len()).sum::<usize>();
    let series = batch.series.len().max(batch.label_lengths.len()) * 64;
    (times + chunks.sum::<usize>() + labels + series) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name), ("job", "a")])
    }

    fn series(labels: &[u8], bytes: &'static [u8]) -> wire::Series {
        let chunks = vec![wire::Chunk { times: 0, chunk: bytes.into() }];
        wire::Series { labels: Bytes::copy_from_slice(labels), chunks }
    }

    fn joined(names: &[&str], series: Vec<wire::Series>) -> wire::SeriesBatch {
        let all: Vec<Labels> = names.iter().map(|name| labels(name)).collect();
        let joined: Vec<u8> = all.iter().flat_map(|labels| labels.canonical_bytes().to_vec()).collect();
        wire::SeriesBatch {
            times: vec![Bytes::from_static(b"times")],
            series,
            joined_labels: joined.into(),
            label_lengths: all.iter().map(|labels| labels.canonical_bytes().len() as u32).collect(),
        }
    }

    fn read(batch: wire::SeriesBatch) -> Option<Vec<(Labels, Vec<Bytes>)>> {
        let bytes = |chunk: Chunk| match chunk {
            Chunk::Encoded { bytes, .. } => bytes,
            Chunk::Samples(_) => panic!("it was not encoded"),
        };
        let series = Batches::default().read(batch)?.into_iter();
        Some(series.map(|series| (series.labels, series.chunks.into_iter().map(bytes).collect())).collect())
    }

    #[test]
    fn labels_are_read_joined_or_with_their_series() {
        let expected = Some(vec![(labels("one"), vec![b"1"[..].into()]), (labels("two"), vec![b"2"[..].into()])]);
        assert_eq!(read(joined(&["one", "two"], vec![series(b"", b"1"), series(b"", b"2")])), expected);
        let apart = vec![series(labels("one").canonical_bytes(), b"1"), series(labels("two").canonical_bytes(), b"2")];
        assert_eq!(read(joined(&[], apart)), expected);
        let alone = Some(vec![(labels("one"), vec![]), (labels("two"), vec![])]);
        assert_eq!(read(joined(&["one", "two"], Vec::new())), alone);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        assert_eq!(read(joined(&["one", "two"], vec![series(b"", b"1")])), None);
        let mut short = joined(&["one"], Vec::new());
        short.joined_labels.truncate(3);
        assert_eq!(read(short), None);
        let untimed = wire::SeriesBatch { times: Vec::new(), ..joined(&["one"], vec![series(b"", b"1")]) };
        assert_eq!(read(untimed), None);
    }
}
