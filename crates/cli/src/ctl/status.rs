//! The state of the cluster: as JSON, and in tables.

use std::collections::BTreeMap;

use proto::meta::{NodeState, ScraperStatus, StatusReply};
use serde_json::{Value, json};

use crate::table::Table;

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
            "receivedBytes": node.received_bytes,
            "receivesBytesPerSecond": node.receives_bytes_per_second,
            "featureLevel": node.feature_level,
            "replicas": replicas,
        }))
    });
    let map = status.shard_map.as_ref();
    let slots = |shard: u32| map.map_or(0, |map| map.slots.iter().filter(|owner| **owner == shard).count());
    let shards = map.into_iter().flat_map(|map| &map.shards).map(|shard| {
        json!({
            "shard": shard.shard,
            "replicas": shard.replicas,
            "joining": shard.joining,
            "leaving": shard.leaving,
            "rebuilding": shard.rebuilding,
            "byHand": shard.by_hand,
            "forced": shard.forced,
            "slots": slots(shard.shard),
        })
    });
    let heard: BTreeMap<&str, &ScraperStatus> =
        status.scraper_status.iter().map(|scraper| (scraper.name.as_str(), scraper)).collect();
    let moves = map.into_iter().flat_map(|map| &map.moves);
    let moves = moves.map(|it| json!({"slot": it.slot, "from": it.from, "to": it.to}));
    let scrapers = status.scrapers.iter().flat_map(|scrapers| &scrapers.scrapers).map(|scraper| {
        let heard = heard.get(scraper.name.as_str());
        json!({
            "name": scraper.name,
            "address": scraper.address,
            "isLeaving": scraper.leaving,
            "targets": heard.map_or(0, |heard| heard.targets),
            "silentMs": heard.map_or(-1, |heard| heard.silent_ms),
            "featureLevel": heard.map_or(0, |heard| heard.feature_level),
        })
    });
    let cluster_id: String =
        status.cluster.iter().flat_map(|cluster| cluster.cluster_id.iter()).map(|byte| format!("{byte:02x}")).collect();
    json!({
        "clusterId": cluster_id,
        "version": status.version,
        "metaLeader": status.leader,
        "featureLevel": status.feature_level,
        "nodes": nodes.collect::<Vec<_>>(),
        "shards": shards.collect::<Vec<_>>(),
        "slotMoves": moves.collect::<Vec<_>>(),
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
        "newestMs": replica.newest_ms,
        "damage": replica.damage,
    })
}

/// The shards of a state, each with what its replicas say.
pub(super) fn shards_of(status: &Value) -> Value {
    let shards = list(&status["shards"]).iter().map(|shard| {
        let mut shard = shard.clone();
        shard["holders"] = holders(status, &shard["shard"]).into();
        shard
    });
    json!({"shards": shards.collect::<Vec<_>>()})
}

/// What the nodes say about a shard, each report with the number of its node.
fn holders(status: &Value, shard: &Value) -> Vec<Value> {
    let report = |node: &Value| {
        let mut report = list(&node["replicas"]).iter().find(|replica| replica["shard"] == *shard)?.clone();
        report["node"] = node["id"].clone();
        Some(report)
    };
    list(&status["nodes"]).iter().filter_map(report).collect()
}

/// The state of the cluster for people.
pub(super) fn text_of(status: &Value) -> String {
    let blocks = &status["blocks"];
    format!(
        "cluster {}  version {}  meta led by node {}  feature level {}\n\n{}\n{}\n{}\ncatalog: {} blocks, {} bytes\n",
        plain(&status["clusterId"]),
        status["version"],
        status["metaLeader"],
        status["featureLevel"],
        nodes_text(status),
        shards_text(status),
        scrapers_text(status),
        blocks["count"],
        blocks["bytes"],
    )
}

/// The nodes for people.
pub(super) fn nodes_text(status: &Value) -> String {
    let mut table =
        Table::new(&["NODE", "ADDRESS", "ZONE", "STATE", "SILENT", "MEMORY", "RECEIVED", "REPLICAS", "LEADS"]);
    for node in list(&status["nodes"]) {
        let replicas = list(&node["replicas"]);
        table.row(vec![
            node["id"].to_string(),
            plain(&node["address"]),
            plain(&node["zone"]),
            plain(&node["state"]),
            format!("{} ms", node["silentMs"]),
            mebibytes(&node["memoryBytes"]),
            mebibytes(&node["receivedBytes"]),
            replicas.len().to_string(),
            replicas.iter().filter(|replica| replica["isLeader"] == true).count().to_string(),
        ]);
    }
    table.to_text()
}

fn mebibytes(bytes: &Value) -> String {
    format!("{:.1} MiB", bytes.as_f64().unwrap_or(0.0) / 1_048_576.0)
}

/// The shards for people, a row for each replica.
pub(super) fn shards_text(status: &Value) -> String {
    let mut table = Table::new(&[
        "SHARD",
        "REPLICAS",
        "NODE",
        "ROLE",
        "TERM",
        "COMMITTED",
        "APPLIED",
        "LAG",
        "SNAPSHOT",
        "SERIES",
        "UNSHIPPED",
    ]);
    for shard in list(&status["shards"]) {
        let holders = holders(status, &shard["shard"]);
        if holders.is_empty() {
            let mut row = vec![shard["shard"].to_string(), members(shard), "-".to_owned(), "nobody".to_owned()];
            row.resize(11, "-".to_owned());
            table.row(row);
        }
        for replica in holders {
            let count = |name: &str| replica[name].as_u64().unwrap_or(0);
            table.row(vec![
                shard["shard"].to_string(),
                members(shard),
                replica["node"].to_string(),
                role_of(&replica).to_owned(),
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
    table.to_text()
}

fn role_of(replica: &Value) -> &'static str {
    match (replica["damage"].as_str(), replica["isLeader"] == true) {
        (Some(damage), _) if !damage.is_empty() => "damaged",
        (_, true) => "leader",
        (_, false) => "follower",
    }
}

/// Who holds a shard; `+4` is on its way to, `-2` is about to leave, `~2` drops what it has. A star: placed by hand.
fn members(shard: &Value) -> String {
    let leaving = list(&shard["leaving"]);
    let replica = |node: &Value| if leaving.contains(node) { format!("-{node}") } else { node.to_string() };
    let replicas = list(&shard["replicas"]).iter().map(replica);
    let joining = list(&shard["joining"]).iter().map(|node| format!("+{node}"));
    let dropping = list(&shard["rebuilding"]).iter().filter(|node| !leaving.contains(node));
    let all = replicas.chain(joining).chain(dropping.map(|node| format!("~{node}")));
    let text = all.collect::<Vec<_>>().join(",");
    if shard["byHand"] == true { text + "*" } else { text }
}

fn scrapers_text(status: &Value) -> String {
    let mut table = Table::new(&["SCRAPER", "ADDRESS", "STATE", "TARGETS", "SILENT"]);
    for scraper in list(&status["scrapers"]) {
        let state = if scraper["isLeaving"] == true { "leaving" } else { "up" };
        let silent = format!("{} ms", scraper["silentMs"]);
        let (name, address) = (plain(&scraper["name"]), plain(&scraper["address"]));
        table.row(vec![name, address, state.to_owned(), scraper["targets"].to_string(), silent]);
    }
    table.to_text()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn plain(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Value {
        let replica = |is_leader| {
            json!({"shard": 1, "isLeader": is_leader, "leader": 1, "term": 3, "committed": 9,
            "applied": 8, "snapshot": 4, "series": 70, "unshippedCuts": 0})
        };
        let node = |id: u64, replicas: Value| {
            json!({"id": id, "address": format!("n{id}:1"), "zone": "", "state": "up",
            "silentMs": 5, "memoryBytes": 1_048_576, "replicas": replicas})
        };
        json!({
            "clusterId": "c", "version": 7, "metaLeader": 1,
            "nodes": [node(1, json!([replica(true)])), node(2, json!([replica(false)])), node(3, json!([]))],
            "shards": [{"shard": 1, "replicas": [1, 2], "joining": [3], "leaving": [2]},
                {"shard": 2, "replicas": [3], "joining": [], "leaving": []}],
            "scrapers": [], "blocks": {"count": 2, "bytes": 30},
        })
    }

    #[test]
    fn shards_come_with_what_their_replicas_say() {
        let shards = shards_of(&status());
        let nodes: Vec<_> = list(&shards["shards"][0]["holders"]).iter().map(|it| it["node"].clone()).collect();
        assert_eq!(nodes, [json!(1), json!(2)]);
        assert_eq!(shards["shards"][1]["holders"], json!([]));
    }

    #[test]
    fn a_shard_that_nobody_speaks_for_is_shown() {
        let text = shards_text(&status());
        assert!(text.contains("1,-2,+3") && text.contains("leader"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("2 ") && line.contains("nobody")), "{text}");
        assert!(text_of(&status()).ends_with("catalog: 2 blocks, 30 bytes\n"));
    }
}
