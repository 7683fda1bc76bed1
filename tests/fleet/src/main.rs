//! Many targets like node_exporter in one process.
//!
//! `fleet PORT TARGETS SERIES [CHURN_SECONDS]` serves `/0`, `/1`, … : pages of so many series, with names and labels as long as those of a
//! node_exporter (about 110 bytes a line). Two fifths of the values change from scrape to scrape: counters by uneven steps,
//! gauges by steps of 4096 bytes or a hundredth, durations altogether. With `CHURN_SECONDS` a tenth of
//! the series bears a label `generation`, whose value is another one each time so many seconds are over. Pages are not compressed, whatever the client accepts.

#![expect(clippy::print_stderr, reason = "a command line tool speaks to whoever called it")]

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// How the value of a series goes on.
#[derive(Clone, Copy)]
enum Kind {
    Constant,
    Counter,
    Bytes,
    Fraction,
    Duration,
}

struct Series {
    /// Name and labels, with the space behind them.
    head: String,
    kind: Kind,
    value: f64,
}

/// How long a generation of series lives, in seconds.
type Churn = Option<usize>;

struct Target {
    series: Vec<Series>,
    churn: Churn,
    rng: fastrand::Rng,
    page: String,
}

impl Target {
    fn new(number: usize, series: usize, churn: Churn) -> Self {
        let mut rng = fastrand::Rng::with_seed(number as u64);
        let series = (0..series).map(|at| new_series(at, &mut rng)).collect();
        Self { series, churn, rng, page: String::new() }
    }

    /// The page, one step further on.
    fn next_page(&mut self) -> &str {
        self.page.clear();
        let generation = self.churn.map(|seconds| seconds_now() / seconds.max(1));
        for (at, series) in self.series.iter_mut().enumerate() {
            match series.kind {
                Kind::Constant => {}
                Kind::Counter => series.value += f64::from(self.rng.u16(0..900)),
                Kind::Bytes => series.value = (series.value + f64::from(self.rng.i16(-64..64)) * 4096.0).max(0.0),
                Kind::Fraction => {
                    series.value = (series.value * 100.0 + f64::from(self.rng.i8(-9..10))).round() / 100.0
                }
                Kind::Duration => series.value = self.rng.f64() / 100.0,
            }
            let written = match (generation, series.head.strip_suffix("} ")) {
                (Some(generation), Some(open)) if at % 10 == 9 => {
                    writeln!(self.page, "{open},generation=\"{generation}\"}} {}", series.value)
                }
                _ => writeln!(self.page, "{}{}", series.head, series.value),
            };
            written.expect("a text takes whatever is written");
        }
        &self.page
    }
}

/// Seconds since 1970.
fn seconds_now() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a target lives in real time")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as usize)
}

fn new_series(at: usize, rng: &mut fastrand::Rng) -> Series {
    // Families of two series on average.
    let (family, member) = (at / 2, at % 2);
    let kind = match at % 10 {
        0 | 1 => Kind::Counter,
        2 => Kind::Bytes,
        3 if at % 20 == 3 => Kind::Fraction,
        3 => Kind::Duration,
        _ => Kind::Constant,
    };
    let device = ["nvme0n1p1", "enp0s31f6"][member];
    let head = format!(
        "node_synthetic_subsystem_{family:03}_operations_total{{device=\"{device}\",mountpoint=\"/var/lib/containers\",state=\"s{family}\"}} "
    );
    let value = match kind {
        Kind::Bytes => f64::from(rng.u32(..)) * 4096.0,
        Kind::Fraction => f64::from(rng.u8(..)) / 4.0,
        _ => f64::from(rng.u16(..)),
    };
    Series { head, kind, value }
}

fn main() -> ExitCode {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let (port, targets, series, churn) = match arguments[..] {
        [port, targets, series] => (port, targets, series, None),
        [port, targets, series, churn] => (port, targets, series, Some(churn)),
        _ => {
            eprintln!("usage: fleet PORT TARGETS SERIES [CHURN_SECONDS]");
            return ExitCode::FAILURE;
        }
    };
    match serve(port, targets, series, churn) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fleet: port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: usize, targets: usize, series: usize, churn: Churn) -> io::Result<()> {
    let targets: Arc<[Mutex<Target>]> =
        (0..targets).map(|number| Mutex::new(Target::new(number, series, churn))).collect();
    for stream in TcpListener::bind(format!("127.0.0.1:{port}"))?.incoming() {
        let (stream, targets) = (stream?, targets.clone());
        // A client that goes away ends its thread.
        std::thread::spawn(move || drop(answer(stream, &targets)));
    }
    Ok(())
}

/// Answers requests on one connection until it is closed.
fn answer(mut stream: TcpStream, targets: &[Mutex<Target>]) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(request) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|header| !header.is_empty()) {}
        let number = request.split(' ').nth(1).and_then(|path| path.trim_start_matches('/').parse::<usize>().ok());
        let Some(target) = number.and_then(|number| targets.get(number)) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let Ok(mut target) = target.lock() else { return Ok(()) };
        let page = target.next_page();
        let length = page.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), page.as_bytes()].concat())?;
    }
    Ok(())
}
