//! Both servers.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::exposer::Exposer;
use crate::http::{Answer, ask};
use crate::{Request, pages, recorded};

/// How long servers may take to be ready, and pages to be scraped in all their versions.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long what was scraped last may take to be stored.
const SETTLING: Duration = Duration::from_secs(3);

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The real Prometheus.
    pub prometheus: PathBuf,
    /// The binary.
    pub ringwood: PathBuf,
}

impl Programs {
    /// The real Prometheus in a folder `target/tools` above this crate; `None` if `make tools` was not run.
    pub fn find_prometheus() -> Option<PathBuf> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/prometheus");
        program.is_file().then_some(program)
    }
}

/// Both servers, and what they scrape. They end when this is dropped.
pub struct Pair {
    prometheus: Process,
    ringwood: Process,
    /// Serves as long as the process lives.
    exposer: Exposer,
    /// Is removed last, when both have ended.
    _folder: TempDir,
}

struct Process {
    child: Child,
    port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Why there is no pair of servers.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file can't be written, or a program not be started.
    #[error("start {0}")]
    Start(PathBuf, #[source] std::io::Error),
    /// A program ended, or is not ready in time.
    #[error("{0} is not ready: {1}")]
    NotReady(PathBuf, String),
    /// The pages were not scraped in all their versions in time.
    #[error("not every version of the pages was scraped within {0:?}")]
    Scrapes(Duration),
    /// A scrape came too late, so that they have not stored the same.
    #[error("the samples that are stored there: {0}\nand here: {1}")]
    Stored(String, String),
}

/// The times of the versions of pages: of the newest, and between two, in seconds.
#[derive(Clone, Copy)]
struct Versions {
    end: i64,
    count: usize,
    step: i64,
}

/// The switches that both have.
const FEATURES: &str = "search-api,exemplar-storage,promql-experimental-functions,promql-per-step-stats";

/// Both servers with more switches, and pages that have something of everything. Returns the time of the newest samples, too; both are in
/// seconds.
///
/// # Errors
/// If one does not start, or does not store what it is shown.
pub fn start_sweep(programs: &Programs, now: i64, more_features: &str) -> Result<(Pair, i64), PairError> {
    let end = now / 5 * 5;
    let start = end - pages::end_of(0);
    let exposer = Exposer::start(pages::pages(start), pages::VERSIONS);
    let exposer = exposer.map_err(|error| PairError::Start(programs.prometheus.clone(), error))?;
    let config = pages::config(exposer.port);
    let versions = Versions { end, count: pages::VERSIONS, step: pages::STEP_SECONDS };
    let comma = if more_features.is_empty() { "" } else { "," };
    Ok((Pair::start(programs, exposer, versions, &config, &format!("{FEATURES}{comma}{more_features}"))?, end))
}

/// Both servers, with recorded pages whose values move. Returns the time of the newest samples, too; both are in seconds.
///
/// # Errors
/// If one does not start, or does not store what it is shown.
pub fn start_corpus(programs: &Programs, now: i64) -> Result<(Pair, i64), PairError> {
    let recorded = recorded::recorded_pages(now);
    let scraped: Vec<_> = recorded.iter().map(|(job, page)| (job.clone(), page.path().to_owned())).collect();
    let pages = recorded.into_iter().map(|(_, page)| page).collect();
    let exposer = Exposer::start(pages, recorded::VERSIONS);
    let exposer = exposer.map_err(|error| PairError::Start(programs.prometheus.clone(), error))?;
    let config = recorded::config(exposer.port, &scraped);
    let end = recorded::end_of(now);
    let versions = Versions { end, count: recorded::VERSIONS, step: recorded::STEP_SECONDS };
    Ok((Pair::start(programs, exposer, versions, &config, FEATURES)?, end))
}

impl Pair {
    /// Starts both with a configuration, and waits until they have scraped everything that there is.
    ///
    /// # Errors
    /// If one does not start or does not scrape.
    fn start(
        programs: &Programs,
        exposer: Exposer,
        versions: Versions,
        config: &str,
        features: &str,
    ) -> Result<Self, PairError> {
        let folder = tempfile::tempdir().map_err(|error| PairError::Start(std::env::temp_dir(), error))?;
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).map_err(|error| PairError::Start(file.clone(), error))?;
        let features = format!("--enable-feature={features}");
        let file = format!("--config.file={}", file.display());
        let data = |flag: &str, name: &str| format!("--{flag}={}", folder.path().join(name).display());
        let common = [&file, &features, "--web.enable-lifecycle"].map(|flag| flag.to_owned());
        let prometheus = [&common[..], &[data("storage.tsdb.path", "prometheus")]].concat();
        let ringwood = [&common[..], &[data("storage.path", "ringwood"), "--role=all".to_owned()]].concat();
        let pair = Self {
            prometheus: Process::start(&programs.prometheus, &prometheus, &folder.path().join("prometheus.log"))?,
            ringwood: Process::start(&programs.ringwood, &ringwood, &folder.path().join("ringwood.log"))?,
            exposer,
            _folder: folder,
        };
        if !pair.exposer.wait(PATIENCE) {
            return Err(PairError::Scrapes(PATIENCE));
        }
        pause(SETTLING);
        pair.check(versions)?;
        Ok(pair)
    }

    /// Looks whether both have stored the same number of samples of each job in every version of the pages.
    fn check(&self, versions: Versions) -> Result<(), PairError> {
        let Versions { end, count, step } = versions;
        let [start, end, step] = [end - (count as i64 - 1) * step, end, step].map(|number| number.to_string());
        let params = [
            ("query", r#"count by (job) ({__name__=~".+",__name__!~"up|scrape_.*"})"#),
            ("start", &start),
            ("end", &end),
            ("step", &step),
            ("lookback_delta", "1"),
        ];
        let (there, here) = self.ask(&Request::get("/api/v1/query_range", &params));
        let has_all = there.text().matches(',').count() >= count;
        let is_same = there.status == 200 && has_all && there.body == here.body;
        if is_same { Ok(()) } else { Err(PairError::Stored(there.text(), here.text())) }
    }

    /// What the real Prometheus answers, and what we do.
    pub fn ask(&self, request: &Request) -> (Answer, Answer) {
        (ask(self.prometheus.port, request), ask(self.ringwood.port, request))
    }
}

#[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

impl Process {
    fn start(program: &Path, flags: &[String], log: &Path) -> Result<Self, PairError> {
        let failed = |error| PairError::Start(program.to_owned(), error);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).map_err(failed)?.port();
        let errors = fs::File::create(log).map_err(failed)?;
        let child = Command::new(program)
            .args(flags)
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        let mut process = Self { child: child.map_err(failed)?, port };
        let ready = Request::new("GET", "/-/ready");
        for _ in 0..600 {
            let ended = process.child.try_wait().map_err(failed)?;
            if ended.is_some() {
                break;
            }
            if ask(port, &ready).status == 200 {
                return Ok(process);
            }
            pause(Duration::from_millis(100));
        }
        let log = fs::read_to_string(log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(3).collect();
        Err(PairError::NotReady(program.to_owned(), last.join("; ")))
    }
}
