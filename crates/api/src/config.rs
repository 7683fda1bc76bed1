//! How the API behaves.

use std::time::Duration;

use model::Labels;
use stdx::ByteSize;

use crate::backend::BuildInfo;

/// How the API behaves. The defaults are those of a Prometheus server.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// What all paths begin with, such as `/prometheus`; empty or `/` for nothing.
    pub route_prefix: String,
    /// Which origins pages may come from that ask the API: a regular expression for the whole origin.
    pub cors_origin: String,
    /// How many queries may be evaluated at a time. Others wait.
    pub max_concurrent_queries: usize,
    /// How much memory one query may take.
    pub query_memory: ByteSize,
    /// Whether `/-/reload` does anything.
    pub lifecycle_is_enabled: bool,
    /// Whether per-step statistics are shown when they are asked for: `promql-per-step-stats`.
    pub per_step_stats: bool,
    /// Whether `/search/*` answers anything: `search-api`.
    pub search_is_enabled: bool,
    /// The highest `limit` that a search may ask for; 0: any.
    pub search_max_limit: usize,
    /// How many remote reads may be answered at a time. Others wait.
    pub max_concurrent_remote_reads: usize,
    /// More samples for one query of a remote read that is answered at once are refused; 0: no limit.
    pub remote_read_sample_limit: u64,
    /// About how many bytes the frames of a streamed remote read have at the most: one chunk more, in fact.
    pub remote_read_frame_bytes: usize,
    /// Labels that series get when they leave for other servers.
    pub external_labels: Labels,
    /// Which build this is.
    pub build: BuildInfo,
}

/// How a server treats connections.
#[derive(Clone, Copy, Debug)]
pub struct ServeConfig {
    /// How many connections may be open. Others wait to be taken in.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request, and then to send more of its body.
    pub read_timeout: Duration,
    /// How long a client may leave an answer that is made piece by piece unread before it is broken off.
    pub stall_timeout: Duration,
    /// How long requests may go on when the server stops.
    pub grace: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            route_prefix: String::new(),
            cors_origin: ".*".to_owned(),
            max_concurrent_queries: 20,
            // A matrix of thirty million values; twenty such queries at a time take ten gigabytes.
            query_memory: ByteSize::mib(512),
            lifecycle_is_enabled: false,
            per_step_stats: false,
            search_is_enabled: false,
            search_max_limit: 10_000,
            max_concurrent_remote_reads: 10,
            remote_read_sample_limit: 50_000_000,
            remote_read_frame_bytes: 1 << 20,
            external_labels: Labels::empty(),
            build: BuildInfo::default(),
        }
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            max_connections: 512,
            read_timeout: Duration::from_secs(5 * 60),
            // As long as a query may take.
            stall_timeout: Duration::from_secs(2 * 60),
            // As long as a dashboard's query usually takes; clients ask another server again.
            grace: Duration::from_secs(5),
        }
    }
}
