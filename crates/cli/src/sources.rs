//! The storage of a process that has none.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use series::{Budget, LabelQuery, QueryError, Queryable, Select, SeriesStream, Texts};

/// Answers every question with why there is no answer.
pub(crate) struct NoStorage;

/// The storage of a process without the role `querier`.
pub(crate) fn no_storage() -> Arc<dyn Queryable> {
    Arc::new(NoStorage)
}

pub(crate) fn not_a_querier() -> QueryError {
    QueryError::Unavailable("this process does not have the role querier: ask one that has".to_owned())
}

impl Queryable for NoStorage {
    fn select(&self, _: Select, _: &Budget) -> BoxFuture<'_, Result<SeriesStream, QueryError>> {
        async { Err(not_a_querier()) }.boxed()
    }

    fn label_names(&self, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        async { Err(not_a_querier()) }.boxed()
    }

    fn label_values(&self, _: &str, _: LabelQuery) -> BoxFuture<'_, Result<Texts, QueryError>> {
        async { Err(not_a_querier()) }.boxed()
    }
}
