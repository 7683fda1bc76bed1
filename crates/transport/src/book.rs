//! Where nodes live, and the connections to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use hyper_util::rt::TokioIo;
use model::NodeId;
use parking_lot::Mutex;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tower::{BoxError, Layer, Service};

use crate::hello::{Address, Hello};
use crate::net::Net;
use crate::server::{CheckHello, HelloService};

/// A connection that says hello on every request. Cheap to clone; connects when it is used, and again after a failure.
pub type Client = InterceptedService<Way, Address>;

/// HTTP/2 flow control: what one stream may have under way.
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
/// What a whole connection may have under way: as much as there can be. A querier reads the streams of many shards in the
/// order of their series; were those it does not read yet able to use the window up, the one it waits for could never move.
pub(crate) const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// How long a connection may be silent before it is probed, and how long the probe may take.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(2);
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Where the nodes of the cluster live, and one connection to each of them.
#[derive(Clone)]
pub struct Nodes {
    net: Arc<dyn Net>,
    hello: Hello,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    addresses: BTreeMap<NodeId, String>,
    channels: HashMap<String, Channel>,
    /// The services of this process.
    own: Option<OwnServices>,
}

impl Nodes {
    /// Knows nobody yet.
    pub fn new(net: Arc<dyn Net>, hello: Hello) -> Self {
        Self { net, hello, state: Arc::default() }
    }

    /// Who this process is.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The net that connections go through.
    pub fn net(&self) -> &Arc<dyn Net> {
        &self.net
    }

    /// A node lives at this address from now on.
    pub fn set_address(&self, node: NodeId, address: &str) {
        let mut state = self.state.lock();
        let old = state.addresses.insert(node, address.to_owned());
        if let Some(old) = old.filter(|old| old != address) {
            state.channels.remove(&old);
        }
    }

    /// A node lives nowhere any more.
    pub fn remove(&self, node: NodeId) {
        let mut state = self.state.lock();
        if let Some(address) = state.addresses.remove(&node) {
            state.channels.remove(&address);
        }
    }

    /// Where a node lives.
    pub fn address(&self, node: NodeId) -> Option<String> {
        self.state.lock().addresses.get(&node).cloned()
    }

    /// A connection to a node; `None` if nobody has said where it lives.
    pub fn client(&self, node: NodeId) -> Option<Client> {
        let address = self.address(node)?;
        Some(InterceptedService::new(Way::There(self.channel(&address)), self.hello.addressed_to(Some(node))))
    }

    /// As [`Self::client`]; requests to this node itself go to its services without a socket between.
    ///
    /// For requests whose answers are read as they are made: nothing is buffered on the way, and no other task makes them.
    pub fn short_client(&self, node: NodeId) -> Option<Client> {
        let own = self.state.lock().own.clone().filter(|_| self.hello.node() == Some(node));
        match own {
            Some(own) => Some(InterceptedService::new(Way::Here(own), self.hello.addressed_to(Some(node)))),
            None => self.client(node),
        }
    }

    /// From now on these are the services of this process.
    pub fn set_own(&self, routes: Routes) {
        self.state.lock().own = Some(CheckHello(self.hello.clone()).layer(routes.prepare()));
    }

    /// From now on this process has no services. They keep what they serve, and that keeps these connections.
    pub fn forget_own(&self) {
        self.state.lock().own = None;
    }

    /// A connection to whoever lives at an address.
    pub fn client_at(&self, address: &str) -> Client {
        InterceptedService::new(Way::There(self.channel(address)), self.hello.addressed_to(None))
    }

    fn channel(&self, address: &str) -> Channel {
        let mut state = self.state.lock();
        let channels = &mut state.channels;
        channels.entry(address.to_owned()).or_insert_with(|| connect(self.net.clone(), address.to_owned())).clone()
    }
}

/// The services of this process, which look as closely at who is meant as those of any other.
type OwnServices = HelloService<Routes>;

/// How requests get to a node.
#[derive(Clone)]
pub enum Way {
    /// Over the net.
    There(Channel),
    /// Not at all: it is this process.
    Here(OwnServices),
}

impl Service<http::Request<Body>> for Way {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::There(channel) => channel.poll_ready(cx).map_err(Into::into),
            Self::Here(services) => Service::<http::Request<Body>>::poll_ready(services, cx).map_err(Into::into),
        }
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self {
            Self::There(channel) => channel.call(request).map_err(Into::into).boxed(),
            Self::Here(services) => services.call(request).map_err(Into::into).boxed(),
        }
    }
}

fn connect(net: Arc<dyn Net>, address: String) -> Channel {
    // The URI only gives the requests an authority: the connector below decides where they go.
    let endpoint = Endpoint::from_static("http://ringwood")
        .connect_timeout(CONNECT_LIMIT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let (net, address) = (net.clone(), address.clone());
        async move { net.connect(&address).await.map(TokioIo::new) }
    }))
}
