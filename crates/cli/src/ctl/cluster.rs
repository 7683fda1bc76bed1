//! The way to the cluster that a command is about.

use std::sync::Arc;
use std::time::Duration;

use meta::{Client, ClientConfig};
use serde_json::Value;
use stdx::{Clock, Rng, Tasks};
use transport::{Hello, Nodes, RpcError, TcpNet};

use super::status::to_json;
use crate::flags::Place;
use crate::peers::Peers;

/// How long meta may take to answer an order.
pub(super) const ORDER_LIMIT: Duration = Duration::from_secs(10);
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
        let seeds = if place.peers.is_empty() { addresses(place).await? } else { place.peers.clone() };
        let (clock, tasks) = (Clock::system(), Tasks::new());
        let nodes = Nodes::new(Arc::new(TcpNet), Hello::new());
        let config = ClientConfig {
            seeds,
            catalog: false,
            nodes: nodes.clone(),
            clock: clock.clone(),
            rng: Rng::from_entropy(),
        };
        Ok(Self { client: Client::start(config, &tasks), nodes, clock, _tasks: tasks })
    }

    /// The state of the cluster.
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
    let url = format!("{}/api/v1/status/cluster", place.url.trim_end_matches('/'));
    let mut answer = Peers::new(Clock::system())?.get(&url).await.map_err(|error| {
        format!("{url}: {error}. Is a process of the cluster there? --url or --cluster.peers says where to ask")
    })?;
    Ok(answer["data"].take())
}

/// Where ingesters live, as the process at the URL knows it.
async fn addresses(place: &Place) -> Result<Vec<String>, String> {
    let status = status_at_url(place).await?;
    let nodes = status["nodes"].as_array().into_iter().flatten().filter(|node| node["state"] != "gone");
    let found: Vec<String> = nodes.filter_map(|node| node["address"].as_str()).map(str::to_owned).collect();
    match found.iter().all(|address| address == ALONE) {
        true => Err(format!("the cluster at {} is one process: there is nowhere to move anything to", place.url)),
        false => Ok(found),
    }
}

/// An order that meta did not take, and what to do about it.
pub(super) fn failed(what: &str, error: &RpcError) -> String {
    match error.kind {
        transport::ErrorKind::Rejected => format!("{what}: {error}"),
        _ => format!(
            "{what}: {error}. Meta answers as long as most of its nodes run and reach each other: see shard 0 in \
             docs/runbooks/RingwoodShardWithoutLeader.md; --cluster.peers says which ingesters to ask"
        ),
    }
}
