//! Sockets as a handle.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Where connections come from and go to.
pub trait Net: Send + Sync + 'static {
    /// Waits for connections at an address.
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;

    /// Opens a connection to an address.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Io>>;
}

/// Takes connections in.
pub trait Listener: Send {
    /// The address, with the port that was really taken.
    fn address(&self) -> io::Result<String>;

    /// Waits for the next connection.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Io>>;
}

/// Both directions of a connection.
pub struct Io(Pin<Box<dyn Stream>>);

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

impl Io {
    /// A connection over any byte stream.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpNet;

impl Net for TcpNet {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        async move { Ok(Box::new(TcpListener::bind(address).await?) as Box<dyn Listener>) }.boxed()
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Io>> {
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Io::new(stream))
        }
        .boxed()
    }
}

impl Listener for TcpListener {
    fn address(&self) -> io::Result<String> {
        Ok(self.local_addr()?.to_string())
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Io>> {
        async move {
            let (stream, _) = TcpListener::accept(self).await?;
            stream.set_nodelay(true)?;
            Ok(Io::new(stream))
        }
        .boxed()
    }
}

/// Pipes within one process; addresses are any names. Clones share the same names.
#[derive(Clone, Debug, Default)]
pub struct MemoryNet(Arc<Mutex<HashMap<String, mpsc::Sender<Io>>>>);

/// What a pipe holds before its writer waits, in bytes.
const PIPE_BYTES: usize = 256 << 10;

impl Net for MemoryNet {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        async move {
            let (sender, connections) = mpsc::channel(16);
            let mut names = self.0.lock();
            if names.get(address).is_some_and(|taken| !taken.is_closed()) {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{address} is taken")));
            }
            names.insert(address.to_owned(), sender);
            Ok(Box::new(MemoryListener { address: address.to_owned(), connections }) as Box<dyn Listener>)
        }
        .boxed()
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Io>> {
        async move {
            let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens at {address}"));
            let listener = self.0.lock().get(address).cloned().ok_or_else(refused)?;
            let (here, there) = tokio::io::duplex(PIPE_BYTES);
            listener.send(Io::new(there)).await.map_err(|_| refused())?;
            Ok(Io::new(here))
        }
        .boxed()
    }
}

struct MemoryListener {
    address: String,
    connections: mpsc::Receiver<Io>,
}

impl Listener for MemoryListener {
    fn address(&self) -> io::Result<String> {
        Ok(self.address.clone())
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Io>> {
        let connection = self.connections.recv();
        async { connection.await.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe)) }.boxed()
    }
}
