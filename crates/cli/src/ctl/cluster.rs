//! The way to the cluster that a command is about.

use std::sync::Arc;
use std::time::Duration;

use meta::{Client, ClientConfig, ClusterState};
use serde_json::Value;
use stdx::{Clock, Rng, Tasks};
use transport::{Hello, Nodes, RpcError, TcpNet};

use super::status::to_json;
use crate::flags::Place;
use crate::peers::Peers;

/// How long meta may take to answer an order.
pub(super) const ORDER_LIMIT: Duration = Duration::from_secs(10);
/// Where a process of the cluster answers HTTP unless somebody says otherwise.
const DEFAULT_URL: &str = "http://localhost:9090";
/// How a cluster that is one process calls its ingester: nobody else reaches that.
const ALONE: &str = "self";

/// A cluster that takes orders.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The connections to its nodes, as far as the client has heard of them.
    pub(super) nodes: Nodes,
    pub(super) clock: Clock,
    /// Ends what follows the cluster when the command ends.
    _tasks: Tasks,
}

impl Cluster {
    /// # Errors
    /// If nobody says where ingesters live.
    pub(super) async fn connect(place: &Place) -> Result<Self, String> {
        Self::follow(place, false).await
    }

    /// As [`Self::connect`]; the state has the catalog, too.
    pub(super) async fn with_catalog(place: &Place) -> Result<Self, String> {
        Self::follow(place, true).await
    }

    async fn follow(place: &Place, catalog: bool) -> Result<Self, String> {
        let seeds = if place.peers.is_empty() { addresses(place).await? } else { place.peers.clone() };
        let (clock, tasks) = (Clock::system(), Tasks::new());
        let nodes = Nodes::new(Arc::new(TcpNet), Hello::new());
        let config =
            ClientConfig { seeds, catalog, nodes: nodes.clone(), clock: clock.clone(), rng: Rng::from_entropy() };
        Ok(Self { client: Client::start(config, &tasks), nodes, clock, _tasks: tasks })
    }

    /// The state of the cluster, its catalog, too, if that is followed.
    ///
    /// # Errors
    /// If nobody tells it.
    pub(super) async fn state(&self) -> Result<Arc<ClusterState>, String> {
        // What is followed may be a little behind: meta says how far it is by now.
        let status = self.client.status(ORDER_LIMIT).await;
        let version = status.map_err(|error| failed("ask meta for the catalog", &error))?.version;
        let reached = self.clock.timeout(ORDER_LIMIT, self.client.reached(version)).await;
        reached.ok_or_else(|| format!("nobody told version {version} of the cluster's state within {ORDER_LIMIT:?}"))
    }

    /// The state of the cluster as JSON.
    ///
    /// # Errors
    /// If meta does not answer.
    pub(super) async fn status(&self) -> Result<Value, String> {
        let status = self.client.status(ORDER_LIMIT).await;
        status.map(|status| to_json(&status)).map_err(|error| failed("ask meta how the cluster is", &error))
    }
}

/// The state of a cluster, by whichever way leads to it.
///
/// # Errors
/// If nobody answers.
pub(super) async fn status(place: &Place) -> Result<Value, String> {
    if !place.peers.is_empty() {
        return Cluster::connect(place).await?.status().await;
    }
    status_at_url(place).await
}

async fn status_at_url(place: &Place) -> Result<Value, String> {
    let url = format!("{}/api/v1/status/cluster", url_of(place).trim_end_matches('/'));
    let mut answer = Peers::new(Clock::system())?.get(&url).await.map_err(|error| {
        format!("{url}: {error}. Is a process of the cluster there? --url or --cluster.peers says where to ask")
    })?;
    Ok(answer["data"].take())
}

fn url_of(place: &Place) -> &str {
    place.url.as_deref().unwrap_or(DEFAULT_URL)
}

/// Where ingesters live, as the process at the URL knows it.
async fn addresses(place: &Place) -> Result<Vec<String>, String> {
    let status = status_at_url(place).await?;
    let nodes = status["nodes"].as_array().into_iter().flatten().filter(|node| node["state"] != "gone");
    let found: Vec<String> = nodes.filter_map(|node| node["address"].as_str()).map(str::to_owned).collect();
    match found.iter().all(|address| address == ALONE) {
        true => Err(format!("the cluster at {} is one process, which takes no orders", url_of(place))),
        false => Ok(found),
    }
}

/// An order that meta did not take, and what to do about it.
pub(super) fn failed(what: &str, error: &RpcError) -> String {
    match error.kind {
        transport::ErrorKind::Rejected => format!("{what}: {error}"),
        _ if error.message.is_empty() => format!("{what}: meta does not know how: its nodes are of an older version"),
        _ => format!(
            "{what}: {error}. Meta answers as long as most of its nodes run and reach each other: see shard 0 in \
             docs/runbooks/RingwoodShardWithoutLeader.md; --cluster.peers says which ingesters to ask"
        ),
    }
}
