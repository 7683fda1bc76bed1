//! The series of a shard, in messages of a moderate size.

use std::collections::BTreeMap;

use bytes::Bytes;
use head::{IsWanted, SegmentError, Selected, Selection};
use model::{Labels, ShardId};
use proto::select;
use proto::select::shard_error::Kind;
use shard::ShardView;

use super::Question;

/// A message has no more series than this, ...
const BATCH_SERIES: usize = 512;
/// ... and is sent when it has so many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// Series that were found, and are read as they are sent: no more than a message is held at a time.
pub(super) struct Batches {
    found: Found,
    /// Where each column of times stands in the numbering of the whole answer.
    times: BTreeMap<u64, u32>,
    left_bytes: usize,
}

/// What is wanted of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Labels,
    /// The newest sample of each, at least.
    Newest,
    Samples,
}

enum Found {
    Labels(std::vec::IntoIter<Labels>),
    Series(Selection),
}

/// Why an answer ends early.
pub(super) enum Broken {
    Damaged(SegmentError),
    TooLarge,
}

impl Broken {
    pub(super) fn to_wire(&self, shard: ShardId) -> select::ShardError {
        let (kind, message) = match self {
            Self::Damaged(error) => (Kind::Corrupt, format!("shard {shard}: {error}")),
            Self::TooLarge => (Kind::TooLarge, "the answer is larger than it may be".to_owned()),
        };
        select::ShardError { kind: kind.into(), message }
    }
}

impl What {
    pub(super) fn of(request: &select::SelectRequest) -> Self {
        match (request.labels_only, request.newest_only) {
            (true, _) => Self::Labels,
            (false, true) => Self::Newest,
            (false, false) => Self::Samples,
        }
    }
}

impl Batches {
    /// Finds the series of a question, whose answer may have so many bytes. `None` once it is not wanted any more.
    pub(super) fn find(
        view: &ShardView,
        question: &Question,
        what: What,
        limit_bytes: usize,
        is_wanted: IsWanted<'_>,
    ) -> Option<Self> {
        let Question { tenant, matchers, range, .. } = question;
        let found = match what {
            What::Labels => Found::Labels(view.select_labels(tenant, matchers, *range, is_wanted)?.into_iter()),
            What::Newest => Found::Series(view.select_while(tenant, matchers, *range, is_wanted)?.newest_only()),
            What::Samples => Found::Series(view.select_while(tenant, matchers, *range, is_wanted)?),
        };
        Some(Self { found, times: BTreeMap::new(), left_bytes: limit_bytes })
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// If data is damaged, or the answer gets too large.
    pub(super) fn next(&mut self) -> Result<Option<select::SeriesBatch>, Broken> {
        let mut batch = select::SeriesBatch::default();
        let mut bytes = 0;
        while batch.series.len() < BATCH_SERIES && bytes < BATCH_BYTES {
            let Some(series) = self.found.next() else { break };
            bytes += self.add(series.map_err(Broken::Damaged)?, &mut batch);
        }
        self.left_bytes = self.left_bytes.checked_sub(bytes).ok_or(Broken::TooLarge)?;
        Ok((!batch.series.is_empty()).then_some(batch))
    }

    /// Adds a series to a message, and says by how many bytes it grew.
    fn add(&mut self, series: Selected, batch: &mut select::SeriesBatch) -> usize {
        let labels = Bytes::copy_from_slice(series.labels.canonical_bytes());
        let mut bytes = labels.len() + series.chunks.iter().map(|chunk| chunk.chunk.len() + 8).sum::<usize>();
        let mut chunks = Vec::with_capacity(series.chunks.len());
        for chunk in series.chunks {
            let next = self.times.len() as u32;
            let times = *self.times.entry(chunk.times_id).or_insert_with(|| {
                bytes += chunk.times.len();
                batch.times.push(chunk.times);
                next
            });
            chunks.push(select::Chunk { times, chunk: chunk.chunk });
        }
        batch.series.push(select::Series { labels, chunks });
        bytes
    }
}

impl Found {
    fn next(&mut self) -> Option<Result<Selected, SegmentError>> {
        match self {
            Self::Labels(labels) => labels.next().map(|labels| Ok(Selected { labels, chunks: Vec::new() })),
            Self::Series(selection) => selection.next(),
        }
    }
}
