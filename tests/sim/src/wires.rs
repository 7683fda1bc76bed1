//! A net of machines, whose links can be slow or cut, in one direction or both.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use stdx::{Clock, Rng, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use transport::{Io, Listener, Net};

/// All links. Clones share them.
///
/// Connections are streams, as TCP's are: within one, bytes come late or not at all, but in order. What is done twice or in
/// another order is so because calls are repeated on other connections.
#[derive(Clone)]
pub struct Wires(Arc<Inner>);

struct Inner {
    clock: Clock,
    rng: Rng,
    tasks: Tasks,
    listeners: Mutex<BTreeMap<String, mpsc::Sender<Io>>>,
    links: watch::Sender<Links>,
}

#[derive(Clone, Debug, Default)]
struct Links {
    /// How long a piece of data is on its way, at least and at most.
    latency: [Duration; 2],
    /// Links that are slower than others, by so much at most.
    slow: BTreeMap<(String, String), Duration>,
    /// How often links are cut that carry nothing now; what is sent comes when all cuts are mended.
    cut: BTreeMap<(String, String), u32>,
    /// How often the connections of each machine were reset.
    resets: BTreeMap<String, u64>,
}

impl Links {
    fn is_cut(&self, from: &str, to: &str) -> bool {
        self.cut.contains_key(&(from.to_owned(), to.to_owned()))
    }

    fn resets(&self, a: &str, b: &str) -> u64 {
        [a, b].iter().map(|name| self.resets.get(*name).copied().unwrap_or_default()).sum()
    }
}

/// What a pipe holds before its writer waits, in bytes.
const PIPE_BYTES: usize = 256 << 10;
/// How much travels at once, in bytes.
const PIECE_BYTES: usize = 64 << 10;

impl Wires {
    /// Links that take no time.
    pub fn new(clock: Clock, rng: Rng) -> Self {
        let links = watch::Sender::new(Links::default());
        Self(Arc::new(Inner { clock, rng, tasks: Tasks::new(), listeners: Mutex::default(), links }))
    }

    /// The net as a machine sees it.
    pub fn at(&self, machine: &str) -> Arc<dyn Net> {
        Arc::new(Plug { wires: self.clone(), machine: machine.to_owned() })
    }

    /// From now on data are on their way for so long.
    pub fn set_latency(&self, least: Duration, most: Duration) {
        self.0.links.send_modify(|links| links.latency = [least, most]);
    }

    /// From now on the link carries nothing.
    pub fn cut(&self, from: &str, to: &str) {
        self.0.links.send_modify(|links| {
            *links.cut.entry((from.to_owned(), to.to_owned())).or_default() += 1;
        });
    }

    /// From now on the link is slower by up to `delay`.
    pub fn slow(&self, from: &str, to: &str, delay: Duration) {
        self.0.links.send_modify(|links| {
            links.slow.insert((from.to_owned(), to.to_owned()), delay);
        });
    }

    /// One cut of the link is mended; others may be left.
    pub fn mend(&self, from: &str, to: &str) {
        self.0.links.send_modify(|links| {
            let link = (from.to_owned(), to.to_owned());
            let left = links.cut.remove(&link).unwrap_or(1) - 1;
            if left > 0 {
                links.cut.insert(link, left);
            }
        });
    }

    /// The link is as fast as it was at first.
    pub fn speed_up(&self, from: &str, to: &str) {
        self.0.links.send_modify(|links| {
            links.slow.remove(&(from.to_owned(), to.to_owned()));
        });
    }

    /// All connections from and to a machine break.
    pub fn reset(&self, machine: &str) {
        self.0.links.send_modify(|links| *links.resets.entry(machine.to_owned()).or_default() += 1);
    }

    /// Carries what comes out of one end of a connection to the other.
    async fn carry(
        self,
        mut source: ReadHalf<tokio::io::DuplexStream>,
        mut sink: WriteHalf<tokio::io::DuplexStream>,
        from: String,
        to: String,
    ) {
        let mut links = self.0.links.subscribe();
        let resets = links.borrow().resets(&from, &to);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = tokio::select! {
                biased;
                _ = links.wait_for(|links| links.resets(&from, &to) != resets) => return,
                read = source.read(&mut piece) => read.unwrap_or(0),
            };
            let [least, most] = {
                let links = self.0.links.borrow();
                let extra = links.slow.get(&(from.clone(), to.clone())).copied().unwrap_or_default();
                [links.latency[0], links.latency[1] + extra]
            };
            if !most.is_zero() {
                self.0.clock.sleep(self.0.rng.duration(least, most)).await;
            }
            let open = links.wait_for(|links| !links.is_cut(&from, &to) || links.resets(&from, &to) != resets).await;
            if !open.is_ok_and(|links| links.resets(&from, &to) == resets) {
                return;
            }
            if length == 0 || sink.write_all(&piece[..length]).await.is_err() {
                // The other end may be gone, or hears that this one is.
                drop(sink.shutdown().await);
                return;
            }
        }
    }

    async fn connect(&self, from: &str, to: &str) -> io::Result<Io> {
        let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, format!("nobody listens at {to}"));
        let mut links = self.0.links.subscribe();
        // Whoever can't be reached is no more silent than one who can't answer.
        drop(links.wait_for(|links| !links.is_cut(from, to) && !links.is_cut(to, from)).await);
        let listener = self.0.listeners.lock().get(to).cloned().ok_or_else(refused)?;
        let (here, near) = tokio::io::duplex(PIPE_BYTES);
        let (there, far) = tokio::io::duplex(PIPE_BYTES);
        listener.send(Io::new(there)).await.map_err(|_| refused())?;
        let ((near_out, near_in), (far_out, far_in)) = (tokio::io::split(near), tokio::io::split(far));
        let (from, to) = (from.to_owned(), to.to_owned());
        self.0.tasks.spawn("wire", self.clone().carry(near_out, far_in, from.clone(), to.clone()));
        self.0.tasks.spawn("wire", self.clone().carry(far_out, near_in, to, from));
        Ok(Io::new(here))
    }
}

/// The net as one machine sees it.
struct Plug {
    wires: Wires,
    machine: String,
}

impl Net for Plug {
    fn listen<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        async move {
            let (sender, connections) = mpsc::channel(16);
            let mut listeners = self.wires.0.listeners.lock();
            if listeners.get(address).is_some_and(|taken| !taken.is_closed()) {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("{address} is taken")));
            }
            listeners.insert(address.to_owned(), sender);
            Ok(Box::new(Socket { address: address.to_owned(), connections }) as Box<dyn Listener>)
        }
        .boxed()
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Io>> {
        self.wires.connect(&self.machine, address).boxed()
    }
}

struct Socket {
    address: String,
    connections: mpsc::Receiver<Io>,
}

impl Listener for Socket {
    fn address(&self) -> io::Result<String> {
        Ok(self.address.clone())
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Io>> {
        let connection = self.connections.recv();
        async { connection.await.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe)) }.boxed()
    }
}
