//! Evaluates PromQL over [`series::Queryable`] with the answers that Prometheus 3.15 gives.
//!
//! ```
//! # use std::sync::Arc;
//! # use engine::{Engine, EngineOptions, QueryRequest, Value};
//! # use series::Queryable;
//! # use stdx::{Clock, CpuPool};
//! async fn count_targets(storage: Arc<dyn Queryable>, now_ms: i64) -> Result<Value, Box<dyn std::error::Error>> {
//!     let engine = Engine::new(EngineOptions::default(), Clock::system(), CpuPool::inline());
//!     let query = engine.prepare(QueryRequest::instant("count(up == 1)", now_ms))?;
//!     Ok(engine.run(query, storage).await?.value)
//! }
//! ```
//!
//! Series are evaluated one after the other over all steps at once, column by column, and dropped as soon as what is around
//! them has taken what it needs: `sum by (job) (rate(x[5m]))` holds a column for each job, not for each series.

mod aggregate;
mod annotation;
mod arithmetic;
mod buckets;
mod date;
mod engine;
mod fold;
mod go_sort;
mod grid;
mod identity;
mod info;
mod join;
mod ledger;
mod matrix;
mod mean;
mod options;
mod plan;
mod purpose;
mod quantile;
mod query;
mod range;
mod read;
mod result;
mod run;
mod scalar;
mod sink;
mod statistics;
mod table;
mod tally;
mod unique;
mod vector;
mod watch;

pub use annotation::{Annotation, Severity};
pub use engine::Engine;
pub use fold::fold;
pub use matrix::Matrix;
pub use options::{EngineOptions, Features};
pub use query::{InvalidQuery, PushDown, Query, QueryRequest, QueryTimes};
pub use result::{MatrixSeries, QueryResult, Value, VectorSample};
pub use statistics::{Statistics, Timings};
