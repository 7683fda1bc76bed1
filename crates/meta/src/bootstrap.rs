//! How a fresh node comes to belong to a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use model::NodeId;
use proto::meta;
use proto::meta::meta_client::MetaClient;
use stdx::{Clock, Rng};
use tokio::sync::{mpsc, oneshot};
use transport::{ErrorKind, Nodes, RpcError, deadline};

use crate::feature::FEATURE_LEVEL;
use crate::identity::{Founding, FoundingMember, Identity, IdentityError, IdentityFile, Stored};
use crate::state::Birth;
use crate::wire;

/// How long a node waits for an answer of another one.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// The pause between two looks around.
const PAUSE: Duration = Duration::from_millis(200);
/// After so many looks the log says what is missing, and then now and again.
const SAY_EVERY: u32 = 25;

/// What a node needs to know to find or form its cluster.
#[derive(Clone)]
pub struct Bootstrap {
    /// The address under which others reach this node.
    pub address: String,
    /// What fails together with it.
    pub zone: String,
    /// The addresses of the nodes to ask; this one's own may be among them.
    pub peers: Vec<String>,
    /// How many fresh nodes form a cluster, this one included; 0: it only joins one.
    pub expect: u32,
    /// What is fixed if this node forms the cluster.
    pub birth: Birth,
    /// Which process this is.
    pub incarnation: u64,
    /// The connections of this process.
    pub nodes: Nodes,
    /// Where the identity is kept.
    pub file: IdentityFile,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
}

/// Why a node can't belong to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The identity can't be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A peer belongs elsewhere.
    #[error("{peer} can't be told that it belongs to the new cluster {cluster_id:032x}: {why}")]
    Elsewhere {
        /// The peer.
        peer: String,
        /// The cluster that was to be formed.
        cluster_id: u128,
        /// What it said.
        why: String,
    },
    /// The process is told to stop.
    #[error("stopped before there was a cluster")]
    Stopped,
}

/// A message of a founder, and where to answer it.
pub(crate) type Formation = (meta::FormRequest, oneshot::Sender<Result<(), String>>);

/// Who a node has become.
#[derive(Clone, Debug)]
pub(crate) struct Belonging {
    pub(crate) identity: Identity,
    pub(crate) founding: Option<Founding>,
}

impl Bootstrap {
    /// Finds or forms the cluster, or remembers it. Keeps trying until it belongs to one; a cluster is formed once, by
    /// `expect` fresh nodes that see each other, and never by fewer.
    pub(crate) async fn run(&self, formations: &mut mpsc::Receiver<Formation>) -> Result<Belonging, BootstrapError> {
        let mut belonging = match self.file.load_stored()? {
            Some(stored) => self.remember(stored)?,
            None => self.find_or_form(formations).await?,
        };
        self.nodes.hello().set(belonging.identity.cluster_id, Some(belonging.identity.node));
        if let Some(founding) = belonging.founding.as_mut().filter(|founding| founding.tell) {
            self.tell_members(belonging.identity, founding).await?;
            founding.tell = false;
            self.file.save(&Stored::new(belonging.identity, Some(founding.clone())))?;
        }
        Ok(belonging)
    }

    fn remember(&self, stored: Stored) -> Result<Belonging, BootstrapError> {
        let identity = self.file.load()?.ok_or(BootstrapError::Stopped)?;
        Ok(Belonging { identity, founding: stored.founding })
    }

    async fn find_or_form(&self, formations: &mut mpsc::Receiver<Formation>) -> Result<Belonging, BootstrapError> {
        let nonce = self.rng.u64();
        for look in 0u32.. {
            let replies = self.look_around().await;
            let missing = match self.next_step(&replies) {
                Next::Join => match self.join(nonce).await {
                    Ok(identity) => {
                        self.file.save(&Stored::new(identity, None))?;
                        return Ok(Belonging { identity, founding: None });
                    }
                    Err(error) => format!("joining the cluster failed: {error}"),
                },
                Next::Form => return self.form(&replies),
                Next::Wait(missing) => missing,
            };
            if look % SAY_EVERY == SAY_EVERY - 1 {
                tracing::info!(peers = ?self.peers, "not part of a cluster yet: {missing}");
            }
            tokio::select! {
                () = self.clock.sleep(PAUSE) => {}
                formation = formations.recv() => {
                    let (request, answer) = formation.ok_or(BootstrapError::Stopped)?;
                    if let Some(belonging) = self.accept(request, answer)? {
                        return Ok(belonging);
                    }
                }
            }
        }
        Err(BootstrapError::Stopped)
    }

    /// Asks everybody who they are. Those that don't answer are left out.
    async fn look_around(&self) -> BTreeMap<String, meta::DiscoverReply> {
        let others = self.peers.iter().filter(|peer| **peer != self.address);
        let asked = others.map(|peer| async move {
            let mut client = MetaClient::new(self.nodes.client_at(peer));
            let reply = deadline(&self.clock, ANSWER_LIMIT, client.discover(meta::DiscoverRequest {})).await;
            reply.ok().map(|reply| (reply.address.clone(), reply))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    fn next_step(&self, replies: &BTreeMap<String, meta::DiscoverReply>) -> Next {
        if replies.values().any(|reply| reply.identity.is_some()) {
            return Next::Join;
        }
        if self.expect == 0 {
            return Next::Wait("no peer belongs to one, and --cluster.bootstrap-expect is not given".to_owned());
        }
        let present = replies.len() as u32 + 1;
        if present < self.expect {
            return Next::Wait(format!("{present} of {} nodes are there", self.expect));
        }
        if present > self.expect {
            return Next::Wait(format!("{present} fresh nodes are there, and only {} are expected", self.expect));
        }
        match replies.keys().find(|address| **address < self.address) {
            None => Next::Form,
            Some(founder) => Next::Wait(format!("{founder} is to form the cluster")),
        }
    }

    /// Becomes a node of the cluster that a peer belongs to.
    async fn join(&self, nonce: u64) -> Result<Identity, RpcError> {
        let request = meta::RegisterRequest {
            node_id: 0,
            address: self.address.clone(),
            zone: self.zone.clone(),
            incarnation: self.incarnation,
            nonce,
            feature_level: FEATURE_LEVEL,
        };
        let mut failed = RpcError::new(ErrorKind::Unavailable, "no peer leads meta");
        for peer in self.peers.iter().filter(|peer| **peer != self.address) {
            let mut client = MetaClient::new(self.nodes.client_at(peer));
            match deadline(&self.clock, ANSWER_LIMIT, client.register(request.clone())).await {
                Ok(reply) => return identity_of(reply.identity.as_ref()),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Forms a cluster of this node and everyone who answered: decides who is who, and remembers it before anybody is told.
    fn form(&self, replies: &BTreeMap<String, meta::DiscoverReply>) -> Result<Belonging, BootstrapError> {
        let mut places: Vec<(&str, &str)> =
            replies.values().map(|reply| (reply.address.as_str(), reply.zone.as_str())).collect();
        places.push((&self.address, &self.zone));
        places.sort_unstable();
        let member = |(node_id, (address, zone)): (u64, &(&str, &str))| FoundingMember {
            node_id,
            address: (*address).to_owned(),
            zone: (*zone).to_owned(),
        };
        let founding = Founding {
            members: (1..).zip(&places).map(member).collect(),
            shards: self.birth.shards,
            replication: self.birth.replication,
            block_window_ms: self.birth.block_window_ms,
            tell: true,
        };
        let own = founding.members.iter().find(|member| member.address == self.address);
        let node = NodeId(own.expect("this node is among the members").node_id);
        let identity = Identity { cluster_id: self.rng.u128(), node };
        self.file.save(&Stored::new(identity, Some(founding.clone())))?;
        tracing::info!(cluster = %format_args!("{:032x}", identity.cluster_id), nodes = founding.members.len(), "forming a cluster");
        Ok(Belonging { identity, founding: Some(founding) })
    }

    /// Tells the other members who they are, until all of them know.
    async fn tell_members(&self, identity: Identity, founding: &Founding) -> Result<(), BootstrapError> {
        for member in founding.members.iter().filter(|member| member.node_id != identity.node.0) {
            let request = founding.to_request(identity.cluster_id, NodeId(member.node_id));
            for attempt in 0u32.. {
                let mut client = MetaClient::new(self.nodes.client_at(&member.address));
                match deadline(&self.clock, ANSWER_LIMIT, client.form(request.clone())).await {
                    Ok(_) => break,
                    Err(RpcError { kind: ErrorKind::Rejected, message: why }) => {
                        let (peer, cluster_id) = (member.address.clone(), identity.cluster_id);
                        return Err(BootstrapError::Elsewhere { peer, cluster_id, why });
                    }
                    Err(error) if attempt.is_multiple_of(SAY_EVERY) => {
                        tracing::warn!(peer = member.address, %error, "a member of the new cluster can't be told");
                    }
                    Err(_) => {}
                }
                self.clock.sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Takes the identity that a founder gives, and answers it once it is kept.
    fn accept(
        &self,
        request: meta::FormRequest,
        answer: oneshot::Sender<Result<(), String>>,
    ) -> Result<Option<Belonging>, BootstrapError> {
        let accepted = identity_of(request.identity.as_ref()).and_then(|identity| {
            let founding = Founding::from_request(request).map_err(|why| RpcError::new(ErrorKind::Rejected, why))?;
            Ok(Belonging { identity, founding: Some(founding) })
        });
        let belonging = match accepted {
            Ok(belonging) => belonging,
            Err(error) => {
                drop(answer.send(Err(error.message)));
                return Ok(None);
            }
        };
        self.file.save(&Stored::new(belonging.identity, belonging.founding.clone()))?;
        // A founder that did not hear the answer asks again.
        drop(answer.send(Ok(())));
        Ok(Some(belonging))
    }
}

enum Next {
    Join,
    Form,
    Wait(String),
}

pub(crate) fn identity_of(message: Option<&meta::Identity>) -> Result<Identity, RpcError> {
    let malformed = |what: String| RpcError::new(ErrorKind::Rejected, what);
    let message = message.ok_or_else(|| malformed("there is no identity in the message".to_owned()))?;
    let cluster_id = wire::id_from_proto(&message.cluster_id).map_err(|error| malformed(error.to_string()))?;
    Ok(Identity { cluster_id, node: NodeId(message.node_id) })
}

pub(crate) fn identity_to_proto(identity: Identity) -> meta::Identity {
    meta::Identity { cluster_id: wire::id_to_proto(identity.cluster_id), node_id: identity.node.0 }
}

impl Founding {
    fn to_request(&self, cluster_id: u128, node: NodeId) -> meta::FormRequest {
        meta::FormRequest {
            identity: Some(identity_to_proto(Identity { cluster_id, node })),
            members: self.members(),
            birth: Some(self.birth()),
        }
    }

    fn from_request(request: meta::FormRequest) -> Result<Self, String> {
        let birth = request.birth.as_ref().ok_or("the message has no birth")?;
        let birth = wire::birth_from_proto(birth).map_err(|error| error.to_string())?;
        let member = |member: meta::Member| {
            let meta::Member { node_id, address, zone } = member;
            FoundingMember { node_id, address, zone }
        };
        Ok(Self {
            members: request.members.into_iter().map(member).collect(),
            shards: birth.shards,
            replication: birth.replication,
            block_window_ms: birth.block_window_ms,
            tell: false,
        })
    }

    pub(crate) fn members(&self) -> Vec<meta::Member> {
        let member = |member: &FoundingMember| meta::Member {
            node_id: member.node_id,
            address: member.address.clone(),
            zone: member.zone.clone(),
        };
        self.members.iter().map(member).collect()
    }

    pub(crate) fn birth(&self) -> meta::Birth {
        meta::Birth { shards: self.shards, replication: self.replication, block_window_ms: self.block_window_ms }
    }
}
