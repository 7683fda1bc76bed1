//! How a block is read.

use std::sync::Arc;

use futures::future::BoxFuture;
use model::TimeRange;
use series::{Budget, LabelQuery, QueryError, Queryable, Select, SeriesStream, Texts};

use crate::index::Index;
use crate::select::Reads;
use crate::{ByteRanges, labels, select};

/// A block that was opened. Clones share what they know of it.
///
/// The footer and each index page that was needed once are kept, and [`memory_bytes`](Self::memory_bytes) says what that
/// takes; chunks and timestamps are not, which is for caches behind [`ByteRanges`].
///
/// Opening takes one round trip, or two if the footer is large; a select takes one for index pages and one for data and
/// timestamps, of which the former falls away once the index is known, and if the whole index is within the last 64 KiB.
#[derive(Clone, Debug)]
pub struct BlockReader {
    index: Arc<Index>,
    reads: Reads,
}

impl BlockReader {
    /// Reads the end of a block; `name` is what messages call it.
    ///
    /// # Errors
    /// [`QueryError::Corrupt`] if it is no block, or one of a later version; [`QueryError::Unavailable`].
    pub async fn open(name: &str, source: Arc<dyn ByteRanges>) -> Result<Self, QueryError> {
        Ok(Self { index: Arc::new(Index::open(name.into(), source).await?), reads: Reads::beside(1) })
    }

    /// The same block as one of so many that are read beside each other. The more there are, the less of each is read at a
    /// time, so that what a query holds of all of them is bounded.
    pub fn beside(&self, blocks: usize) -> Self {
        Self { index: self.index.clone(), reads: Reads::beside(blocks) }
    }

    /// From its first sample to just after its last; empty if it has none.
    pub fn range(&self) -> TimeRange {
        self.index.footer.range()
    }

    /// How many series it has.
    pub fn series_count(&self) -> u64 {
        self.index.footer.series_count()
    }

    /// How many samples it has, staleness markers included.
    pub fn sample_count(&self) -> u64 {
        self.index.footer.sample_count()
    }

    /// About how many bytes are held in memory now. Whoever keeps readers bounds the sum.
    pub fn memory_bytes(&self) -> usize {
        self.index.size_bytes()
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }
}

/// Series come with whole chunks, which may have samples outside of the range. Whether a series has any inside is judged by
/// the first and the last sample of its chunks: one that has a gap there comes though it has none.
impl Queryable for BlockReader {
    fn select(&self, select: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        Box::pin(select::select(self.index.clone(), select, budget.clone(), self.reads))
    }

    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(labels::names(&self.index, query))
    }

    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        Box::pin(labels::values(&self.index, name.to_owned(), query))
    }
}
