//! The HTTP API of Prometheus 3.15.

mod answer;
mod app;
mod backend;
mod caller;
mod config;
mod cors;
mod error;
mod json;
mod labels;
mod metrics;
mod params;
mod query;
mod ready;
mod router;
mod status;
mod targets;

pub use backend::{Backend, Consistency, MetadataByMetric, NotReady};
pub use config::{ApiConfig, ServeConfig};
pub use router::router;
pub use status::{BuildInfo, HeadStats, RuntimeInfo};
pub use targets::{ActiveTarget, DroppedTarget, Health, TargetMetadata, TargetStates, Targets};
