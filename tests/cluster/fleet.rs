//! Many targets in one server, whose values say which target and which scrape they are of.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Series of each page.
const SERIES: usize = 5;
/// Values of one target are apart from those of the next by more than it is ever scraped.
const STRIDE: u64 = 1_000_000;

/// The targets. They live as long as the process.
pub(crate) struct Fleet {
    pub(crate) port: u16,
    pub(crate) targets: usize,
    served: Arc<Mutex<Served>>,
}

#[derive(Default)]
struct Served {
    /// How often each target was asked.
    counts: Vec<u64>,
}

impl Fleet {
    pub(crate) fn start(targets: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::new(Mutex::new(Served { counts: vec![0; targets] }));
        let serving = served.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let served = serving.clone();
                std::thread::spawn(move || serve(stream, &served));
            }
        });
        Self { port, targets, served }
    }

    /// The value that target `target` gave at its scrape number `scrape`.
    fn value(target: usize, scrape: u64) -> u64 {
        target as u64 * STRIDE + scrape
    }

    /// Whether a target ever gave a value.
    pub(crate) fn has_given(&self, target: usize, value: u64) -> bool {
        let scrapes = self.served.lock().unwrap().counts[target];
        (Self::value(target, 0)..Self::value(target, scrapes)).contains(&value)
    }

    /// The names of the series of each page.
    pub(crate) fn series() -> BTreeSet<String> {
        (0..SERIES).map(|number| format!("fleet_{number}")).collect()
    }
}

/// Answers `GET /<target>` on one connection until it is closed.
fn serve(stream: TcpStream, served: &Mutex<Served>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let target = request.split(' ').nth(1).and_then(|path| path.trim_start_matches('/').parse::<usize>().ok());
        while lines.next().is_some_and(|header| !header.is_empty()) {}
        let Some(target) = target else { return };
        let scrape = {
            let mut served = served.lock().unwrap();
            served.counts[target] += 1;
            served.counts[target] - 1
        };
        let value = Fleet::value(target, scrape);
        let page: String = Fleet::series().iter().map(|name| format!("{name} {value}\n")).collect();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length:";
        if write!(writer, "{head} {}\r\n\r\n{page}", page.len()).is_err() {
            return;
        }
    }
}
