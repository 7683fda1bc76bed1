//! The gRPC server of a process.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use stdx::{Clock, Tasks};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tower::{Layer, Service, ServiceBuilder};

use crate::book::{CONNECTION_WINDOW, KEEP_ALIVE, STREAM_WINDOW};
use crate::hello::Hello;
use crate::net::{Io, Listener};

/// Frames as large as HTTP/2 comfortably carries: entries are up to a quarter of a megabyte.
const FRAME_BYTES: u32 = 1 << 20;
/// More requests than this at once on one connection wait; streams count as one.
const REQUESTS_PER_CONNECTION: usize = 4096;

/// What requests that are under way may still take when the server stops. Streams between nodes never end by themselves.
const GRACE: Duration = Duration::from_millis(500);

/// Serves `routes` to whoever connects, until the owner of the tasks is told to stop; then requests that are under way
/// have a moment to end before the connections do.
pub fn serve(listener: Box<dyn Listener>, routes: Routes, hello: Hello, clock: &Clock, tasks: &Tasks) {
    // From the outside in: a request that means somebody else costs nothing more than the look.
    let layers = ServiceBuilder::new().layer(CheckHello(hello)).into_inner();
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .concurrency_limit_per_connection(REQUESTS_PER_CONNECTION)
        .layer(layers)
        .add_routes(routes);
    let severed = CancellationToken::new();
    let serving = {
        let stopping = tasks.clone();
        let stop = async move { stopping.stopped().await };
        server.serve_with_incoming_shutdown(incoming(listener, severed.clone()), stop)
    };
    tasks.spawn("grpc-server", async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the gRPC server failed");
        }
    });
    let (clock, stopping) = (clock.clone(), tasks.clone());
    tasks.spawn("grpc-sever", async move {
        stopping.stopped().await;
        clock.sleep(GRACE).await;
        severed.cancel();
    });
}

/// The connections that a listener takes in. One that fails on arrival is its client's trouble, not the server's.
fn incoming(listener: Box<dyn Listener>, severed: CancellationToken) -> impl Stream<Item = io::Result<Connection>> {
    futures::stream::unfold((listener, severed), |(mut listener, severed)| async move {
        loop {
            match listener.accept().await {
                Ok(io) => {
                    let connection = Connection { io, severed: Box::pin(severed.clone().cancelled_owned()) };
                    return Some((Ok(connection), (listener, severed)));
                }
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
                Err(error) => {
                    tracing::warn!(%error, "taking in a connection failed");
                    // Out of file descriptors, most likely: let some be given back.
                    tokio::task::yield_now().await;
                }
            }
        }
    })
}

/// A connection that can be cut from this side.
struct Connection {
    io: Io,
    severed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.severed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

/// Refuses requests that mean another node or another cluster.
#[derive(Clone)]
pub(crate) struct CheckHello(pub(crate) Hello);

impl<S> Layer<S> for CheckHello {
    type Service = HelloService<S>;

    fn layer(&self, inner: S) -> HelloService<S> {
        HelloService { inner, hello: self.0.clone() }
    }
}

/// Services behind that check.
#[derive(Clone)]
pub struct HelloService<S> {
    inner: S,
    hello: Hello,
}

type Reply = http::Response<tonic::body::Body>;

impl<S, B> Service<http::Request<B>> for HelloService<S>
where
    S: Service<http::Request<B>, Response = Reply>,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        match self.hello.check(&MetadataMap::from_headers(request.headers().clone())) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(status) => Box::pin(async move { Ok(status.into_http()) }),
        }
    }
}
