//! The HTTP API of Prometheus 3.15.

mod answer;
mod app;
mod backend;
mod caller;
mod cardinality;
mod config;
mod cors;
mod error;
mod exemplars;
mod expression;
mod features;
mod federate;
mod json;
mod labels;
mod lifecycle;
mod metadata;
mod metrics;
mod page;
mod params;
mod query;
mod ready;
mod router;
mod rules;
mod serve;
mod status;
mod targets;

pub use backend::{
    ActiveTarget, Backend, BuildInfo, Consistency, DroppedTarget, Features, HeadStats, Health, MetadataByMetric,
    NotReady, RuntimeInfo, Scope, TargetMetadata, TargetStates, Targets,
};
pub use config::{ApiConfig, ServeConfig};
pub use router::{InvalidApiConfig, router};
pub use serve::serve;
