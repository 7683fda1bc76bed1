//! What a process lets the API ask.

mod status;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use model::{Metadata, TenantId};
use series::{Consistency, QueryError, Queryable};

pub use status::{BuildInfo, HeadStats, RuntimeInfo};
pub use targets::{ActiveTarget, DroppedTarget, Health, TargetMetadata, TargetStates, Targets};

/// Types, help texts and units by metric: one metric may have several.
pub type MetadataByMetric = BTreeMap<Box<str>, BTreeSet<Metadata>>;

/// Whether things can be used, by category and name.
pub type Features = BTreeMap<String, BTreeMap<String, bool>>;

/// What a process lets the API ask. Answers may come from other processes.
///
/// A method with a default is one that a process may have nothing to say to: then the API answers as an empty Prometheus
/// would.
pub trait Backend: Send + Sync + 'static {
    /// The data of a tenant.
    fn queryable(&self, tenant: &TenantId, consistency: Consistency) -> Arc<dyn Queryable>;

    /// Whether requests can be answered.
    ///
    /// # Errors
    /// Why not.
    fn readiness(&self) -> Result<(), NotReady>;

    /// What is known about a metric, or about all of them.
    fn metadata<'a>(
        &'a self,
        tenant: &'a TenantId,
        metric: Option<&'a str>,
    ) -> BoxFuture<'a, Result<MetadataByMetric, QueryError>>;

    /// The targets in certain states, of one scrape pool or of all, in order of their pools.
    fn targets<'a>(
        &'a self,
        tenant: &'a TenantId,
        states: TargetStates,
        scrape_pool: Option<&'a str>,
        scope: Scope,
    ) -> BoxFuture<'a, Result<Targets, QueryError>>;

    /// What active targets say about a metric, or about all of theirs, in any order.
    fn target_metadata<'a>(
        &'a self,
        _tenant: &'a TenantId,
        _metric: Option<&'a str>,
        _scope: Scope,
    ) -> BoxFuture<'a, Result<Vec<TargetMetadata>, QueryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The names of the scrape pools, in any order.
    fn scrape_pools<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<Vec<String>, QueryError>>;

    /// The settings of a scrape pool as YAML, without secrets; `None` if there is no such pool.
    fn scrape_pool_config(&self, _tenant: &TenantId, _scrape_pool: &str) -> Option<String> {
        None
    }

    /// The rules by which a scrape pool changes, keeps and drops targets; `None` if there is no such pool.
    fn relabel_rules(&self, _tenant: &TenantId, _scrape_pool: &str) -> Option<Vec<relabel::Rule>> {
        None
    }

    /// How much the heads hold together.
    fn head_stats<'a>(&'a self, _tenant: &'a TenantId) -> BoxFuture<'a, Result<Option<HeadStats>, QueryError>> {
        Box::pin(async { Ok(None) })
    }

    /// The loaded configuration as YAML: defaults filled in, without secrets.
    fn config_yaml(&self) -> String;

    /// The flags of the process by name, without dashes.
    fn flags(&self) -> BTreeMap<String, String>;

    /// What the parts of the process beside the API can do, such as mechanisms of discovery.
    fn features(&self) -> Features {
        Features::new()
    }

    /// How the process runs.
    fn runtime_info(&self) -> RuntimeInfo;

    /// Loads the configuration again.
    ///
    /// # Errors
    /// What is wrong with it; the old one then stays.
    fn reload(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Told of each query that begins to be evaluated. What is returned lives as long as that goes on.
    fn query_began(&self, _text: &str, _tenant: &TenantId) -> Box<dyn Send> {
        Box::new(())
    }

    /// Where queries are logged that were evaluated, if they are to be.
    fn query_log(&self) -> Option<Arc<dyn QueryLog>> {
        None
    }

    /// The metrics of the process, in the OpenMetrics text format.
    fn metrics_text(&self) -> String;

    /// The state of the cluster for its operators, as JSON.
    ///
    /// # Errors
    /// Who did not answer.
    fn cluster_status(&self) -> BoxFuture<'_, Result<String, QueryError>>;
}

/// Whose targets are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those of all scrapers.
    #[default]
    Cluster,
    /// Those of this process: what it answers to other processes that ask for their clients.
    Process,
}

/// Where queries are logged that were evaluated: Prometheus' `query_log_file`.
pub trait QueryLog: Send + Sync {
    /// Takes a line of JSON, with its line break. Must not keep the caller waiting.
    fn write(&self, line: &[u8]);
}

/// Why a process can't answer requests now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It is about to be ready, after this.
    #[error("{0}")]
    Starting(String),
    /// It is about to end.
    #[error("stopping")]
    Stopping,
}
