//! What storage is asked.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use model::{Exemplar, Labels, Matcher, TimeRange, Timestamp};

use crate::{Budget, Charge, Fold, Foldings, QueryError, Series, Texts};

/// A question for series.
#[derive(Clone, Debug)]
pub struct Select {
    /// All must match. At least one does not match the empty text.
    pub matchers: Arc<[Matcher]>,
    /// Which samples are wanted.
    pub range: TimeRange,
    /// What they are for. Storage may use it to do less, never to answer something else.
    pub hints: Hints,
}

/// What selected samples are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The time between two steps of the query, in ms; 0 for an instant query.
    pub step_ms: i64,
    /// The range of a range selector, in ms; 0 for an instant selector.
    pub range_ms: i64,
    /// The innermost function or aggregation around the selector; empty if there is none.
    pub function: &'static str,
    /// Whether the labels are all that is wanted: series then come without chunks, if they have a sample in the range.
    pub labels_only: bool,
    /// Whether the newest sample in the range, which may be a staleness marker, is all that is wanted of each series.
    pub newest_only: bool,
    /// The most series that are wanted; 0: all.
    pub limit: usize,
}

/// A question for label names or values.
#[derive(Clone, Debug)]
pub struct LabelQuery {
    /// All must match; empty: all series.
    pub matchers: Arc<[Matcher]>,
    /// Series without samples in this range may be left out.
    pub range: TimeRange,
    /// The most texts that are wanted; 0: all.
    pub limit: usize,
    /// More bytes of texts than these are an error, wherever they are found; 0: no limit.
    pub limit_bytes: u64,
}

impl LabelQuery {
    /// Charges texts to a budget that has as much as an answer may have, until the charge is dropped.
    ///
    /// # Errors
    /// [`QueryError::OverBudget`], which names the selector, if they are too large.
    pub fn charge(&self, budget: &Budget, texts: &Texts) -> Result<Charge, QueryError> {
        budget.charge(texts.size_bytes() as u64, || self.to_string())
    }

    /// A budget of as much as an answer may have.
    pub fn budget(&self) -> Budget {
        Budget::new(if self.limit_bytes == 0 { u64::MAX } else { self.limit_bytes })
    }
}

/// What is too large if the answer is: the selector, as it is written in PromQL.
impl fmt::Display for LabelQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the labels of {")?;
        for (at, matcher) in self.matchers.iter().enumerate() {
            write!(f, "{}{matcher}", if at == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}

/// A question for exemplars.
#[derive(Clone, Debug)]
pub struct ExemplarQuery {
    /// Of series that pass all matchers of one of these.
    pub selectors: Arc<[Vec<Matcher>]>,
    /// The first time that is wanted.
    pub start: Timestamp,
    /// The last time that is wanted.
    pub end: Timestamp,
}

/// A series and exemplars of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplars {
    /// Who it is.
    pub labels: Labels,
    /// Its exemplars, in order of time.
    pub exemplars: Vec<Exemplar>,
}

impl SeriesExemplars {
    /// About how many bytes they take in memory.
    pub fn size_bytes(&self) -> usize {
        let exemplars = self.exemplars.iter().map(|exemplar| exemplar.labels.size_bytes() + size_of::<Exemplar>());
        size_of::<Self>() + self.labels.size_bytes() + exemplars.sum::<usize>()
    }
}

/// Series, in batches, sorted by labels over all batches; no label set comes twice.
pub type SeriesStream = BoxStream<'static, Result<Vec<Series>, QueryError>>;

/// Whoever has samples.
///
/// Work stops when the returned future or stream is dropped. Everything that is held for a query is charged to its budget.
pub trait Queryable: Send + Sync {
    /// The series that match and have samples in the range, with the chunks that hold these samples.
    ///
    /// # Errors
    /// If some of the data can't be had: an answer is whole or it is an error.
    fn select(&self, select: Select, budget: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>>;

    /// Aggregates series where they are. `None`: that can't be done, or not exactly, and the series must be selected.
    ///
    /// # Errors
    /// As [`Queryable::select`].
    fn fold(&self, _fold: Fold, _budget: &Budget) -> BoxFuture<'_, Result<Option<Foldings>, QueryError>> {
        Box::pin(async { Ok(None) })
    }

    /// The names of the labels of series that match.
    ///
    /// # Errors
    /// As [`Queryable::select`].
    fn label_names(&self, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>>;

    /// The values of one label of series that match.
    ///
    /// # Errors
    /// As [`Queryable::select`].
    fn label_values(&self, name: &str, query: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>>;

    /// Exemplars of series that match: each series once, sorted by labels. Storage that keeps no exemplars has none.
    ///
    /// # Errors
    /// As [`Queryable::select`].
    fn exemplars(
        &self,
        _query: ExemplarQuery,
        _budget: &Budget,
    ) -> BoxFuture<'_, Result<Vec<SeriesExemplars>, QueryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
