//! Targets whose pages have as many series as the test says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Targets in one server: `/0`, `/1` and so on. They live as long as the process.
pub(crate) struct Pages {
    pub(crate) port: u16,
    counts: Arc<Vec<AtomicUsize>>,
}

impl Pages {
    pub(crate) fn start(targets: usize, series: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..targets).map(|_| AtomicUsize::new(series)).collect());
        let serving = counts.clone();
        let scrapes: Arc<Vec<Mutex<u64>>> = Arc::new((0..targets).map(|_| Mutex::new(0)).collect());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (counts, scrapes) = (serving.clone(), scrapes.clone());
                // A client that goes away gets nothing.
                std::thread::spawn(move || drop(serve(stream, &counts, &scrapes)));
            }
        });
        Self { port, counts }
    }

    /// From now on the page of a target has so many series.
    pub(crate) fn set(&self, target: usize, series: usize) {
        self.counts[target].store(series, Ordering::SeqCst);
    }
}

/// Answers one request, and closes the connection. A page's value is how often it was asked for.
fn serve(mut stream: TcpStream, counts: &[AtomicUsize], scrapes: &[Mutex<u64>]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let target = request.split(' ').nth(1).and_then(|path| path.trim_start_matches('/').parse::<usize>().ok());
    let target = target.filter(|target| *target < counts.len()).unwrap_or(0);
    let value = {
        let mut scrapes = scrapes[target].lock().unwrap();
        *scrapes += 1;
        *scrapes
    };
    let series = counts[target].load(Ordering::SeqCst);
    let page: String = (0..series).map(|number| format!("page_total{{n=\"{number}\"}} {value}\n")).collect();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n{page}", page.len())
}
