//! What scripts run against.

use engine::{Annotation, Value};
use futures::future::BoxFuture;
use model::Labels;
use series::Samples;

/// A series with samples to be stored.
#[derive(Clone, Debug)]
pub struct LoadedSeries {
    /// Who it is.
    pub labels: Labels,
    /// Its samples, to be added to those that it has.
    pub samples: Samples,
}

/// What a query came to.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The result.
    pub value: Value,
    /// Warnings and infos, as the HTTP API tells them.
    pub annotations: Vec<Annotation>,
}

/// Something that stores samples and answers queries. Errors are texts: what a user would see.
pub trait Backend: Send {
    /// Forgets everything.
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>>;

    /// Stores samples, all before it returns.
    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>>;

    /// Evaluates an expression once.
    fn instant<'a>(&'a self, query: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Answer, String>>;

    /// Evaluates an expression from a time to another one, every so many milliseconds.
    fn range<'a>(
        &'a self,
        query: &'a str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> BoxFuture<'a, Result<Answer, String>>;
}
