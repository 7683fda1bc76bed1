//! What the status of a cluster says, as `ringwood ctl status --output=json` and `/api/v1/status/cluster` have it.

use serde_json::Value;

/// Who was silent for longer may be dead, in ms.
const SILENT_MS: i64 = 1000;
/// A replica that lacks no more entries than this holds what the shard has.
const CLOSE: u64 = 64;

/// Whether so many nodes are up and so many gone, and every shard rests, has a leader and three replicas on nodes that are up
/// and hold what it has.
pub fn is_settled(status: &Value, up: usize, gone: usize) -> bool {
    let nodes = list(&status["nodes"]);
    let is_heard = |node: &Value| node["silentMs"].as_i64().is_some_and(|ms| (0..SILENT_MS).contains(&ms));
    let heard: Vec<&Value> = nodes.iter().filter(|node| node["state"] == "up" && is_heard(node)).collect();
    let shards: Vec<&Value> = list(&status["shards"]).iter().filter(|shard| shard["shard"] != 0).collect();
    heard.len() == up
        && nodes.iter().filter(|node| node["state"] == "gone").count() == gone
        && !shards.is_empty()
        && shards.iter().all(|shard| rests(shard, &heard))
}

fn rests(shard: &Value, nodes: &[&Value]) -> bool {
    let is_empty = |name: &str| shard[name].as_array().is_some_and(Vec::is_empty);
    let held = |id: &Value| {
        let node = nodes.iter().find(|node| node["id"] == *id)?;
        list(&node["replicas"]).iter().find(|replica| replica["shard"] == shard["shard"])
    };
    let replicas: Vec<&Value> = list(&shard["replicas"]).iter().filter_map(held).collect();
    let applied = |replica: &Value| replica["applied"].as_u64().unwrap_or_default();
    let newest = replicas.iter().map(|replica| applied(replica)).max().unwrap_or_default();
    ["joining", "leaving", "rebuilding"].into_iter().all(is_empty)
        && list(&shard["replicas"]).len() == 3
        && replicas.len() == 3
        && replicas.iter().filter(|replica| replica["isLeader"] == true).count() == 1
        && replicas.iter().all(|replica| list(&replica["voters"]).len() == 3 && applied(replica) + CLOSE >= newest)
}

/// The number of the node that lives at a gRPC address.
pub fn node_at(status: &Value, address: &str) -> Option<u64> {
    let node = list(&status["nodes"]).iter().find(|node| node["address"] == address && node["state"] != "gone")?;
    node["id"].as_u64()
}

/// The elements of an array; none of anything else.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A cluster of three nodes with one shard, led by the first.
    fn whole() -> Value {
        let node = |id: u64| {
            let replica = json!({"shard": 1, "isLeader": id == 1, "voters": [1, 2, 3], "applied": 100});
            json!({"id": id, "address": format!("node-{id}:9095"), "state": "up", "silentMs": 20, "replicas": [replica]})
        };
        let shard = json!({"shard": 1, "replicas": [1, 2, 3], "joining": [], "leaving": [], "rebuilding": []});
        json!({"nodes": [node(1), node(2), node(3)], "shards": [{"shard": 0}, shard]})
    }

    #[test]
    fn a_cluster_is_settled_when_nothing_is_missing_and_nothing_moves() {
        assert!(is_settled(&whole(), 3, 0));
        assert!(!is_settled(&whole(), 4, 0), "a node is missing");
        assert!(!is_settled(&whole(), 3, 1), "a node that was lost is not replaced");
        let spoilt = [
            ("/nodes/1/silentMs", json!(-1)),
            ("/nodes/1/state", json!("draining")),
            ("/nodes/0/replicas/0/isLeader", json!(false)),
            ("/nodes/1/replicas/0/voters", json!([1, 3])),
            ("/nodes/2/replicas/0/applied", json!(35)),
            ("/shards/1/joining", json!([4])),
            ("/shards/1/replicas", json!([1, 2])),
            ("/shards", json!([])),
        ];
        for (path, value) in spoilt {
            let mut status = whole();
            *status.pointer_mut(path).unwrap() = value;
            assert!(!is_settled(&status, 3, 0), "{path}");
        }
    }

    #[test]
    fn nodes_are_known_by_their_addresses_as_long_as_they_are_there() {
        let mut status = whole();
        assert_eq!(node_at(&status, "node-2:9095"), Some(2));
        status["nodes"][1]["state"] = json!("gone");
        assert_eq!(node_at(&status, "node-2:9095"), None);
    }
}
