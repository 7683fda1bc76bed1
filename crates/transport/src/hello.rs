//! Who means whom.

use std::sync::Arc;

use parking_lot::RwLock;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use model::NodeId;

/// The cluster that a request is meant for: 32 hexadecimal digits.
const CLUSTER: &str = "ringwood-cluster";
/// The node that a request is meant for: a decimal number.
const NODE: &str = "ringwood-node";

/// The node that a request comes from, if it comes from one: a decimal number.
const FROM: &str = "ringwood-from";

/// The node that a request comes from, if it says so.
pub(crate) fn sender_of(metadata: &MetadataMap) -> Option<NodeId> {
    metadata.get(FROM)?.to_str().ok()?.parse().ok().map(NodeId)
}

/// Who this node is, as far as it is known yet: a fresh process learns it while it runs.
///
/// Requests carry the cluster and the node that they mean; whoever they don't mean refuses them. An address that another
/// node or cluster has taken over is noticed that way before it does harm.
#[derive(Clone, Debug, Default)]
pub struct Hello(Arc<RwLock<Who>>);

#[derive(Clone, Copy, Debug, Default)]
struct Who {
    cluster: Option<u128>,
    node: Option<NodeId>,
}

impl Hello {
    /// Somebody who belongs nowhere yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on this process belongs to a cluster, and is a node of it if it is an ingester.
    pub fn set(&self, cluster: u128, node: Option<NodeId>) {
        *self.0.write() = Who { cluster: Some(cluster), node };
    }

    /// The cluster that this process belongs to.
    pub fn cluster(&self) -> Option<u128> {
        self.0.read().cluster
    }

    /// The node that this process is.
    pub fn node(&self) -> Option<NodeId> {
        self.0.read().node
    }

    /// Writes on every request whom it means.
    pub(crate) fn addressed_to(&self, node: Option<NodeId>) -> Address {
        Address { sender: self.clone(), node }
    }

    /// Whether a request means this process.
    pub(crate) fn check(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let me = *self.0.read();
        let text = |name| metadata.get(name).and_then(|value| value.to_str().ok());
        if let (Some(meant), Some(cluster)) = (text(CLUSTER), me.cluster)
            && u128::from_str_radix(meant, 16) != Ok(cluster)
        {
            let message = format!("this is cluster {cluster:032x}, and you mean cluster {meant}");
            return Err(Status::failed_precondition(message));
        }
        match (text(NODE), me.node) {
            (Some(meant), Some(node)) if meant.parse() != Ok(node.0) => {
                let message = format!("this is node {node}, and you mean node {meant}: its address has changed hands");
                Err(Status::failed_precondition(message))
            }
            // A stream outlives its first request: whoever let one in before it is another node would answer, and vote, as if
            // it were the one that is meant.
            (Some(meant), None) => {
                Err(Status::unavailable(format!("you mean node {meant}, and nobody knows yet which node this is")))
            }
            _ => Ok(()),
        }
    }
}

/// Puts the hello on a request. Part of [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Address {
    sender: Hello,
    node: Option<NodeId>,
}

impl Interceptor for Address {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(cluster) = self.sender.cluster() {
            let value = MetadataValue::try_from(format!("{cluster:032x}")).expect("digits are ASCII");
            request.metadata_mut().insert(CLUSTER, value);
        }
        for (name, node) in [(NODE, self.node), (FROM, self.sender.node())] {
            if let Some(node) = node {
                request.metadata_mut().insert(name, MetadataValue::from(node.0));
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(sender: &Hello, node: Option<NodeId>, receiver: &Hello) -> Result<(), Status> {
        let request = sender.addressed_to(node).call(Request::new(())).unwrap();
        receiver.check(request.metadata())
    }

    #[test]
    fn only_those_who_are_meant_listen() {
        let (sender, receiver) = (Hello::new(), Hello::new());
        asked(&sender, None, &receiver).unwrap();
        let refused = asked(&sender, Some(NodeId(2)), &receiver).unwrap_err();
        assert!(refused.message().contains("nobody knows yet"), "{refused}");
        receiver.set(7, Some(NodeId(2)));
        asked(&sender, None, &receiver).unwrap();
        sender.set(7, Some(NodeId(1)));
        asked(&sender, Some(NodeId(2)), &receiver).unwrap();
        let refused = asked(&sender, Some(NodeId(3)), &receiver).unwrap_err();
        assert!(refused.message().contains("this is node 2, and you mean node 3"), "{refused}");
        sender.set(8, Some(NodeId(1)));
        let refused = asked(&sender, Some(NodeId(2)), &receiver).unwrap_err();
        assert!(refused.message().contains("you mean cluster"), "{refused}");
    }
}
