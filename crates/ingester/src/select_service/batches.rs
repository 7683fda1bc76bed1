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
    joins_labels: bool,
}

/// What an answer is to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    what: What,
    /// Whether the labels of the series of a message come in one piece.
    joins_labels: bool,
    /// How large an answer may be.
    pub(super) limit_bytes: usize,
}

/// What is wanted of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
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

impl Form {
    pub(super) fn of(request: &select::SelectRequest) -> Self {
        let what = match (request.labels_only, request.newest_only) {
            (true, _) => What::Labels,
            (false, true) => What::Newest,
            (false, false) => What::Samples,
        };
        let limit_bytes = usize::try_from(request.limit_bytes).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        Self { what, joins_labels: request.takes_joined, limit_bytes }
    }
}

impl Batches {
    /// Finds the series of a question. `None` once it is not wanted any more.
    pub(super) fn find(view: &ShardView, question: &Question, form: Form, is_wanted: IsWanted<'_>) -> Option<Self> {
        let Question { tenant, matchers, range, .. } = question;
        let found = match form.what {
            What::Labels => Found::Labels(view.select_labels(tenant, matchers, *range, is_wanted)?.into_iter()),
            What::Newest => Found::Series(view.select_while(tenant, matchers, *range, is_wanted)?.newest_only()),
            What::Samples => Found::Series(view.select_while(tenant, matchers, *range, is_wanted)?),
        };
        let Form { joins_labels, limit_bytes, .. } = form;
        Some(Self { found, times: BTreeMap::new(), left_bytes: limit_bytes, joins_labels })
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// If data is damaged, or the answer gets too large.
    pub(super) fn next(&mut self) -> Result<Option<select::SeriesBatch>, Broken> {
        let mut batch = select::SeriesBatch::default();
        let mut labels = Vec::new();
        let (mut count, mut bytes) = (0, 0);
        while count < BATCH_SERIES && bytes < BATCH_BYTES {
            let Some(series) = self.found.next() else { break };
            bytes += self.add(series.map_err(Broken::Damaged)?, &mut batch, &mut labels);
            count += 1;
        }
        self.left_bytes = self.left_bytes.checked_sub(bytes).ok_or(Broken::TooLarge)?;
        batch.joined_labels = labels.into();
        Ok((count > 0).then_some(batch))
    }

    /// Whether all is said.
    pub(super) fn are_over(&self) -> bool {
        match &self.found {
            Found::Labels(labels) => labels.len() == 0,
            Found::Series(selection) => selection.is_over(),
        }
    }

    /// Adds a series to a message, and says by how many bytes it grew.
    fn add(&mut self, series: Selected, batch: &mut select::SeriesBatch, joined: &mut Vec<u8>) -> usize {
        let labels = series.labels.canonical_bytes();
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
        if !self.joins_labels {
            batch.series.push(select::Series { labels: Bytes::copy_from_slice(labels), chunks });
            return bytes;
        }
        joined.extend_from_slice(labels);
        batch.label_lengths.push(labels.len() as u32);
        if !matches!(self.found, Found::Labels(_)) {
            batch.series.push(select::Series { labels: Bytes::new(), chunks });
        }
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
