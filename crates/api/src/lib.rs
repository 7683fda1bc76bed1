//! The HTTP API of Prometheus 3.15, and a small page over it.
//!
//! ```
//! # use std::sync::Arc;
//! # use api::{ApiConfig, Backend, InvalidApiConfig, ServeConfig};
//! # use engine::Engine;
//! # use futures::StreamExt;
//! # use stdx::{Clock, CpuPool, Tasks};
//! # use telemetry::Registry;
//! # use tokio::net::TcpListener;
//! fn start(
//!     listener: TcpListener,
//!     backend: Arc<dyn Backend>,
//!     engine: Engine,
//!     clock: &Clock,
//!     registry: &Registry,
//!     tasks: &Tasks,
//! ) -> Result<(), InvalidApiConfig> {
//!     let router = api::router(ApiConfig::default(), backend, engine, clock.clone(), CpuPool::new(2), registry)?;
//!     let connections = futures::stream::unfold(listener, async |listener| {
//!         let (connection, _) = listener.accept().await.ok()?;
//!         Some((connection, listener))
//!     });
//!     api::serve(connections, router, ServeConfig::default(), clock, tasks);
//!     Ok(())
//! }
//! ```
//!
//! A process says what it knows through a [`Backend`]; whatever it does not know is answered as an empty Prometheus would.
//! Answers have the bytes of Prometheus' own wherever clients could tell the difference, errors their texts and codes.
//! What Prometheus does not have: the header `X-Scope-OrgID` names the tenant, `X-Read-Consistency` how fresh the answer
//! must be, and `/api/v1/status/cluster` shows the state of the cluster.

mod answer;
mod app;
mod backend;
mod caller;
mod cardinality;
mod clean_path;
mod config;
mod cors;
mod error;
mod exemplars;
mod expression;
mod features;
mod federate;
mod format;
mod json;
mod labels;
mod lifecycle;
mod metadata;
mod methods;
mod metrics;
mod openapi;
mod page;
mod params;
mod query;
mod ready;
mod remote_read;
mod router;
mod rules;
mod search;
mod self_metrics;
mod serve;
mod status;
mod targets;

pub use backend::{
    ActiveTarget, Backend, BuildInfo, DroppedTarget, Features, HeadStats, Health, MetadataByMetric, NotReady, QueryLog,
    RuntimeInfo, Scope, TargetMetadata, TargetStates, Targets,
};
pub use config::{ApiConfig, ServeConfig};
pub use params::{parse_time, rfc3339};
pub use router::{InvalidApiConfig, router};
pub use serve::serve;
