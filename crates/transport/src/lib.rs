//! How nodes talk.
//!
//! Sockets come through a [`Net`] (TCP, or pipes within one process), one HTTP/2 connection per pair of nodes carries all
//! of gRPC, every request says hello (which cluster, which node it means) and is refused with words when it reached somebody
//! else. [`RaftNetwork`] carries Raft over it.

mod book;
mod error;
mod hello;
mod net;
mod raft_network;
mod raft_service;
mod server;

pub use book::{Client, Nodes};
pub use error::{ErrorKind, RpcError, deadline};
pub use hello::Hello;
pub use net::{Io, Listener, MemoryNet, Net, TcpNet};
pub use raft_network::RaftNetwork;
pub use raft_service::RaftService;
pub use server::serve;
