//! `ringwood ctl`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use meta::{Client, ClientConfig};
use model::NodeId;
use proto::meta::{NodeState, StatusReply};
use serde_json::{Value, json};
use stdx::{Clock, Rng, Tasks};
use transport::{Hello, Nodes, TcpNet};

use crate::flags::{Ctl, CtlCommand, CtlPeers};
use crate::peers::Peers;
use crate::table::Table;

/// How long meta may take to answer an order.
const ORDER_LIMIT: Duration = Duration::from_secs(10);

/// Runs a command.
pub(crate) fn run(ctl: Ctl) -> Result<ExitCode, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    match ctl.command {
        CtlCommand::Status => {
            let url = format!("{}/api/v1/status/cluster", ctl.url.trim_end_matches('/'));
            let answer = runtime.block_on(async { Peers::new(Clock::system())?.get(&url).await });
            let answer = answer.map_err(|error| format!("{url}: {error}"))?;
            print!("{}", text_of(&answer["data"]));
            Ok(ExitCode::SUCCESS)
        }
        CtlCommand::Drain { node, cancel, peers } => runtime.block_on(drain(NodeId(node), cancel, peers)),
        CtlCommand::Remove { node, force, peers } => runtime.block_on(async {
            let removed = client(peers).remove(NodeId(node), force, ORDER_LIMIT).await;
            removed.map_err(|error| format!("remove node {node}: {error}"))?;
            println!("node {node} is removed");
            Ok(ExitCode::SUCCESS)
        }),
    }
}

/// A client of the cluster for the time of a command.
fn client(peers: CtlPeers) -> Client {
    let net = Arc::new(TcpNet);
    let config = ClientConfig {
        seeds: peers.addresses,
        catalog: false,
        nodes: Nodes::new(net, Hello::new()),
        clock: Clock::system(),
        rng: Rng::from_entropy(),
    };
    Client::start(config, &Tasks::new())
}

/// Has a node emptied, and tells how far that is.
async fn drain(node: NodeId, cancel: bool, peers: CtlPeers) -> Result<ExitCode, String> {
    let client = client(peers);
    let drained = client.drain(node, cancel, ORDER_LIMIT).await;
    drained.map_err(|error| format!("drain node {node}: {error}"))?;
    if cancel {
        println!("node {node} takes part again");
        return Ok(ExitCode::SUCCESS);
    }
    let mut states = client.watch();
    let mut told = None;
    loop {
        let state = states.borrow_and_update().clone();
        let is_draining = state.nodes.get(&node).is_some_and(|node| node.state == meta::NodeState::Draining);
        let held = state.replicas_on(node);
        match told {
            _ if is_draining && held == 0 => {
                println!("node {node} is empty: it can be ended, and then removed");
                return Ok(ExitCode::SUCCESS);
            }
            _ if is_draining && told != Some(held) => {
                println!("node {node} holds {held} replicas");
                told = Some(held);
            }
            Some(_) if !is_draining => return Err(format!("node {node} is not to be emptied any more")),
            // Nothing is new, or what came first does not know of the order yet.
            _ => {}
        }
        states.changed().await.map_err(|_| "the client of meta ended".to_owned())?;
    }
}

/// The state of the cluster as JSON.
pub(crate) fn to_json(status: &StatusReply) -> Value {
    let nodes = status.nodes.iter().filter_map(|node| {
        let known = node.node.as_ref()?;
        let state = match known.state() {
            NodeState::Up => "up",
            NodeState::Draining => "draining",
            NodeState::Gone => "gone",
        };
        let replicas: Vec<Value> = node.replicas.iter().map(replica_to_json).collect();
        Some(json!({
            "id": known.node_id,
            "address": known.address,
            "zone": known.zone,
            "state": state,
            "silentMs": node.silent_ms,
            "memoryBytes": node.memory_bytes,
            "replicas": replicas,
        }))
    });
    let map = status.shard_map.as_ref();
    let shards = map.into_iter().flat_map(|map| &map.shards).map(|shard| {
        let proto::meta::Shard { shard, replicas, joining, leaving, .. } = shard;
        json!({"shard": shard, "replicas": replicas, "joining": joining, "leaving": leaving})
    });
    let targets: BTreeMap<&str, (u32, i64)> = status
        .scraper_status
        .iter()
        .map(|scraper| (scraper.name.as_str(), (scraper.targets, scraper.silent_ms)))
        .collect();
    let scrapers = status.scrapers.iter().flat_map(|scrapers| &scrapers.scrapers).map(|scraper| {
        let (targets, silent_ms) = targets.get(scraper.name.as_str()).copied().unwrap_or((0, -1));
        json!({"name": scraper.name, "address": scraper.address, "targets": targets, "silentMs": silent_ms})
    });
    let cluster_id: String =
        status.cluster.iter().flat_map(|cluster| cluster.cluster_id.iter()).map(|byte| format!("{byte:02x}")).collect();
    json!({
        "clusterId": cluster_id,
        "version": status.version,
        "metaLeader": status.leader,
        "nodes": nodes.collect::<Vec<_>>(),
        "shards": shards.collect::<Vec<_>>(),
        "scrapers": scrapers.collect::<Vec<_>>(),
        "blocks": {"count": status.block_count, "bytes": status.block_bytes},
    })
}

fn replica_to_json(replica: &proto::meta::ReplicaStatus) -> Value {
    json!({
        "shard": replica.shard,
        "isLeader": replica.is_leader,
        "leader": replica.leader,
        "term": replica.term,
        "log": replica.log_count,
        "committed": replica.committed_count,
        "applied": replica.applied_count,
        "snapshot": replica.snapshot_count,
        "voters": replica.voters,
        "learners": replica.learners,
        "series": replica.series_count,
        "unshippedCuts": replica.unshipped_cuts,
    })
}

/// The state of the cluster for people.
fn text_of(status: &Value) -> String {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ids = |value: &Value| list(value).iter().map(Value::to_string).collect::<Vec<_>>().join(",");
    let mut text = format!(
        "cluster {}  version {}  meta led by node {}\n\n",
        status["clusterId"].as_str().unwrap_or("-"),
        status["version"],
        status["metaLeader"]
    );
    let mut nodes = Table::new(&["NODE", "ADDRESS", "ZONE", "STATE", "SILENT", "MEMORY", "REPLICAS", "LEADS"]);
    for node in list(&status["nodes"]) {
        let replicas = list(&node["replicas"]);
        nodes.row(vec![
            node["id"].to_string(),
            plain(&node["address"]),
            plain(&node["zone"]),
            plain(&node["state"]),
            format!("{} ms", node["silentMs"]),
            format!("{:.1} MiB", node["memoryBytes"].as_f64().unwrap_or(0.0) / 1_048_576.0),
            replicas.len().to_string(),
            replicas.iter().filter(|replica| replica["isLeader"] == true).count().to_string(),
        ]);
    }
    text.push_str(&nodes.to_text());
    let head =
        ["SHARD", "REPLICAS", "NODE", "ROLE", "TERM", "COMMITTED", "APPLIED", "LAG", "SNAPSHOT", "SERIES", "UNSHIPPED"];
    let mut shards = Table::new(&head);
    for shard in list(&status["shards"]) {
        for node in list(&status["nodes"]) {
            let replicas = list(&node["replicas"]);
            let Some(replica) = replicas.iter().find(|replica| replica["shard"] == shard["shard"]) else { continue };
            let count = |name: &str| replica[name].as_u64().unwrap_or(0);
            shards.row(vec![
                shard["shard"].to_string(),
                ids(&shard["replicas"]),
                node["id"].to_string(),
                if replica["isLeader"] == true { "leader".to_owned() } else { "follower".to_owned() },
                replica["term"].to_string(),
                replica["committed"].to_string(),
                replica["applied"].to_string(),
                count("committed").saturating_sub(count("applied")).to_string(),
                replica["snapshot"].to_string(),
                replica["series"].to_string(),
                replica["unshippedCuts"].to_string(),
            ]);
        }
    }
    text.push_str(&format!("\n{}", shards.to_text()));
    let mut scrapers = Table::new(&["SCRAPER", "ADDRESS", "TARGETS", "SILENT"]);
    for scraper in list(&status["scrapers"]) {
        let silent = format!("{} ms", scraper["silentMs"]);
        scrapers.row(vec![plain(&scraper["name"]), plain(&scraper["address"]), scraper["targets"].to_string(), silent]);
    }
    text.push_str(&format!("\n{}", scrapers.to_text()));
    let blocks = &status["blocks"];
    text.push_str(&format!("\ncatalog: {} blocks, {} bytes\n", blocks["count"], blocks["bytes"]));
    text
}

fn plain(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}
