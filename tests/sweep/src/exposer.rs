//! What both servers scrape: pages that change only once both have seen them, so that both store the same.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A page: its content type and bytes, by the number of its version.
type Body = Box<dyn Fn(usize) -> (&'static str, Vec<u8>) + Send + Sync>;

/// How often a client must see a version: a scrape that was answered may still come too late.
const TIMES: usize = 2;

/// What is at a path.
pub(crate) struct Page {
    path: String,
    body: Body,
}

impl Page {
    /// A page in versions from 0 on.
    pub(crate) fn new(path: &str, body: impl Fn(usize) -> (&'static str, Vec<u8>) + Send + Sync + 'static) -> Self {
        Self { path: path.to_owned(), body: Box::new(body) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

/// A server of pages. It serves until the process ends.
pub(crate) struct Exposer {
    /// Where it listens, on the loopback interface.
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    pages: Vec<Page>,
    versions: usize,
    progress: Mutex<Progress>,
    moved: Condvar,
}

/// How far the pages are.
#[derive(Default)]
struct Progress {
    version: usize,
    /// How often each client has seen each page in this version.
    seen: BTreeMap<(bool, usize), usize>,
    is_done: bool,
}

impl Exposer {
    /// Starts to serve pages, which go through so many versions. They begin to do so with the first scrape.
    ///
    /// # Errors
    /// If there is no port to listen at.
    pub(crate) fn start(pages: Vec<Page>, versions: usize) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { pages, versions, progress: Mutex::default(), moved: Condvar::new() });
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                // Whoever hangs up in the middle asks again a second later.
                std::thread::spawn(move || drop(served.answer(&stream)));
            }
        });
        Ok(Self { port, shared })
    }

    /// Waits until both clients have seen every page in its last version; false if that takes too long.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let progress = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.moved.wait_timeout_while(progress, patience, |progress| !progress.is_done);
        waited.map_or_else(|poisoned| poisoned.into_inner().0.is_done, |(progress, _)| progress.is_done)
    }
}

impl Shared {
    fn answer(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let mut is_ours = false;
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            is_ours |= line.to_lowercase().starts_with("user-agent: ringwood");
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let Some(at) = self.pages.iter().position(|page| page.path == path) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        let version = self.progress.lock().unwrap_or_else(PoisonError::into_inner).version;
        let (content_type, body) = (self.pages[at].body)(version);
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)?;
        self.note(version, (is_ours, at));
        Ok(())
    }

    /// Takes note of who has seen what, and moves on when both have seen everything.
    fn note(&self, version: usize, seen: (bool, usize)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if version != progress.version {
            return;
        }
        *progress.seen.entry(seen).or_default() += 1;
        let complete = progress.seen.values().filter(|times| **times >= TIMES).count();
        if complete < 2 * self.pages.len() {
            return;
        }
        if progress.version + 1 < self.versions {
            progress.version += 1;
            progress.seen.clear();
        } else {
            progress.is_done = true;
            self.moved.notify_all();
        }
    }
}
