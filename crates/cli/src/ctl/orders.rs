//! Orders to meta, and how far they are.

use model::NodeId;
use serde_json::json;

use super::cluster::{Cluster, ORDER_LIMIT, failed};
use super::{Answer, progress};
use crate::flags::Output;

/// Has a node emptied, and tells how far that is.
pub(super) async fn drain(cluster: &Cluster, node: NodeId, cancel: bool, output: Output) -> Result<Answer, String> {
    let drained = cluster.client.drain(node, cancel, ORDER_LIMIT).await;
    drained.map_err(|error| failed(&format!("drain node {node}"), &error))?;
    if cancel {
        let data = json!({"node": node.0, "state": "up"});
        return Ok(Answer::good(data, format!("node {node} takes part again\n")));
    }
    let mut states = cluster.client.watch();
    let mut told = None;
    loop {
        let state = states.borrow_and_update().clone();
        let is_draining = state.nodes.get(&node).is_some_and(|node| node.state == meta::NodeState::Draining);
        let held = state.replicas_on(node);
        match told {
            _ if is_draining && held == 0 => {
                let data = json!({"node": node.0, "state": "draining", "replicas": 0});
                return Ok(Answer::good(data, format!("node {node} is empty: it can be ended, and then removed\n")));
            }
            _ if is_draining && told != Some(held) => {
                progress(output, &format!("node {node} holds {held} replicas"));
                told = Some(held);
            }
            Some(_) if !is_draining => return Err(format!("node {node} is not to be emptied any more")),
            // Nothing is new, or what came first does not know of the order yet.
            _ => {}
        }
        states.changed().await.map_err(|_| "the client of meta ended".to_owned())?;
    }
}

/// Ends the identity of a node.
pub(super) async fn remove(cluster: &Cluster, node: NodeId, force: bool) -> Result<Answer, String> {
    let removed = cluster.client.remove(node, force, ORDER_LIMIT).await;
    removed.map_err(|error| failed(&format!("remove node {node}"), &error))?;
    Ok(Answer::good(json!({"node": node.0, "state": "gone"}), format!("node {node} is removed\n")))
}
