//! The processes of a cluster.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use processes::{free_ports, is_settled, node_at};
use serde_json::Value;
use tempfile::TempDir;

use crate::fleet::Fleet;
use crate::http::{get_at, get_json};
use crate::journal;
use crate::net::Net;
use crate::pages::Pages;
use crate::store::Store;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What differs between tests.
pub(crate) struct Options {
    pub(crate) block_window: &'static str,
    pub(crate) local_retention: &'static str,
    pub(crate) snapshot_bytes: &'static str,
    pub(crate) memory_limit: &'static str,
    pub(crate) scrape_interval: &'static str,
    /// What every process is started with beside that.
    pub(crate) flags: Vec<String>,
    /// What runs, unless a process is upgraded.
    pub(crate) binary: PathBuf,
    /// Where blocks go; `None`: into a folder.
    pub(crate) store: Option<Store>,
    /// Where ingesters run, each on a machine of its own; `None`: everything is on this one.
    pub(crate) net: Option<Net>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_window: "2h",
            local_retention: "6h",
            snapshot_bytes: "64KiB",
            memory_limit: "8GiB",
            scrape_interval: "1s",
            flags: Vec::new(),
            binary: binary(),
            store: None,
            net: None,
        }
    }
}

/// Six processes and their folder. They end with the test.
pub(crate) struct Cluster {
    folder: TempDir,
    options: Options,
    pub(crate) net: Option<Net>,
    processes: BTreeMap<String, Process>,
    peers: String,
    pub(crate) querier_port: u16,
    /// Debian's node_exporter, where it is installed.
    exporter: Option<Child>,
    /// How many nodes have lost their identity, with their disk or by an order.
    gone: usize,
}

struct Process {
    flags: Vec<String>,
    binary: PathBuf,
    /// Where it answers HTTP.
    web: SocketAddr,
    /// What its command begins with, if anything.
    prefix: Vec<String>,
    child: Option<Child>,
}

/// The binary that cargo built for this test: beside the folder of the test itself, wherever that is now.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("ringwood")
}

/// Asks until there is an answer.
pub(crate) fn wait_until<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    #[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < patience, "waited for {patience:?}: {what}");
        #[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Cluster {
    /// Starts three ingesters, two scrapers and a querier, and waits until they are ready.
    pub(crate) fn start(fleet: &Fleet, mut options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports(10);
        let net = options.net.take();
        let host = |at: usize| net.as_ref().map_or_else(|| "127.0.0.1".to_owned(), |net| net.host(at));
        let peers: Vec<String> = (0..3).map(|at| format!("{}:{}", host(at), ports[at])).collect();
        let webs: Vec<SocketAddr> =
            (0..3).map(|at| format!("{}:{}", host(at), ports[3 + at]).parse().unwrap()).collect();
        let prefixes = [0, 1, 2].map(|at| net.as_ref().map_or_else(Vec::new, |net| net.prefix(at)));
        let exporter_port = free_ports(1)[0];
        let exporter = start_exporter(exporter_port);
        write_config(folder.path(), fleet, options.scrape_interval, exporter.as_ref().map(|_| exporter_port));
        let mut cluster = Self {
            folder,
            options,
            net,
            processes: BTreeMap::new(),
            peers: peers.join(","),
            querier_port: ports[9],
            exporter,
            gone: 0,
        };
        for ((at, zone), prefix) in ["a", "b", "c"].into_iter().enumerate().zip(prefixes) {
            let flags = vec![
                "--role=ingester".to_owned(),
                "--cluster.bootstrap-expect=3".to_owned(),
                format!("--cluster.zone={zone}"),
                format!("--grpc.listen-address={}", peers[at]),
            ];
            cluster.add_at(&format!("ingester-{}", at + 1), webs[at], prefix, flags);
        }
        cluster.add_scraper("scraper-1");
        cluster.add_scraper("scraper-2");
        let port = cluster.querier_port;
        cluster.add("querier", port, vec!["--role=querier".to_owned()]);
        cluster.wait_until_settled();
        cluster
    }

    /// Adds an ingester, which joins those that are there.
    pub(crate) fn add_ingester(&mut self, name: &str, zone: &str) {
        let ports = free_ports(2);
        let address = format!("--grpc.listen-address=127.0.0.1:{}", ports[0]);
        self.add(name, ports[1], vec!["--role=ingester".to_owned(), format!("--cluster.zone={zone}"), address]);
    }

    /// Empties an ingester, ends it, and then its identity.
    pub(crate) fn retire(&mut self, name: &str) {
        let node = self.node_of(name).to_string();
        self.order(&["drain", &node]);
        self.end(name);
        self.order(&["remove", &node]);
        self.gone += 1;
    }

    /// The number of the node that an ingester is.
    pub(crate) fn node_of(&self, name: &str) -> u64 {
        self.joined(name).unwrap()
    }

    /// The same, once it has joined.
    pub(crate) fn joined(&self, name: &str) -> Option<u64> {
        let mut flags = self.processes[name].flags.iter();
        let address = flags.find_map(|flag| flag.strip_prefix("--grpc.listen-address="))?;
        node_at(&self.order(&["nodes"]), address)
    }

    /// The nodes that hold a replica of a shard, in order; meta is shard 0.
    pub(crate) fn holders(&self, shard: u64) -> Vec<u64> {
        let shards = self.order(&["shards"]);
        let shard = shards["shards"].as_array().unwrap().iter().find(|known| known["shard"] == shard).unwrap().clone();
        let mut holders: Vec<u64> =
            shard["replicas"].as_array().unwrap().iter().map(|node| node.as_u64().unwrap()).collect();
        holders.sort_unstable();
        holders
    }

    /// Runs a command of `ringwood ctl`: its exit code, and what it says.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> (i32, Value) {
        let run = Command::new(binary())
            .arg("ctl")
            .args(arguments)
            .arg(format!("--cluster.peers={}", self.peers))
            .arg("--output=json")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(run.stdout).unwrap();
        let answer = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}"));
        (run.status.code().unwrap(), answer)
    }

    /// Runs a command that must succeed.
    pub(crate) fn order(&self, arguments: &[&str]) -> Value {
        let (code, answer) = self.ctl(arguments);
        assert_eq!(code, 0, "{arguments:?}: {answer}");
        answer
    }

    pub(crate) fn bucket_url(&self) -> String {
        format!("file://{}", self.path("bucket").display())
    }

    /// The S3 server that has the blocks.
    pub(crate) fn store(&self) -> &Store {
        self.options.store.as_ref().unwrap()
    }

    fn bucket_flags(&self) -> Vec<String> {
        if let Some(store) = &self.options.store {
            return vec![format!("--bucket.url={}", store.url()), store.setting()];
        }
        std::fs::create_dir_all(self.path("bucket")).unwrap();
        vec![format!("--bucket.url={}", self.bucket_url())]
    }

    /// Kills everything and loses the disks of all ingesters; then all start anew, as another cluster.
    pub(crate) fn lose_all_ingesters(&mut self) {
        self.kill_all();
        let names: Vec<String> = self.processes.keys().cloned().collect();
        for name in names.iter().filter(|name| name.starts_with("ingester")) {
            std::fs::remove_dir_all(self.path(name)).unwrap();
        }
        self.gone = 0;
        for name in &names {
            self.restart(name);
        }
    }

    pub(crate) fn add_scraper(&mut self, name: &str) {
        let port = free_ports(1)[0];
        self.add(name, port, vec!["--role=scraper".to_owned()]);
    }

    fn add(&mut self, name: &str, port: u16, flags: Vec<String>) {
        self.add_at(name, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Vec::new(), flags);
    }

    fn add_at(&mut self, name: &str, web: SocketAddr, prefix: Vec<String>, flags: Vec<String>) {
        let binary = self.options.binary.clone();
        self.processes.insert(name.to_owned(), Process { flags, binary, web, prefix, child: None });
        self.restart(name);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a process that does not run.
    pub(crate) fn restart(&mut self, name: &str) {
        self.restart_under(name, Vec::new());
    }

    /// Starts a process by a command that runs another one, in the same process.
    pub(crate) fn restart_under(&mut self, name: &str, command: Vec<String>) {
        let (data, log, journal) =
            (self.path(name), self.path(&format!("{name}.log")), self.path(&format!("{name}.journal")));
        let log = File::options().create(true).append(true).open(log).unwrap();
        let bucket = self.bucket_flags();
        let config = self.path("prometheus.yml");
        let process = self.processes.get_mut(name).unwrap();
        let binary = process.binary.to_str().unwrap().to_owned();
        let words: Vec<String> = process.prefix.iter().cloned().chain(command).chain([binary]).collect();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .args(&process.flags)
            .arg(format!("--web.listen-address={}", process.web))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", data.display()))
            .arg(format!("--scrape.journal={}", journal.display()))
            .arg(format!("--cluster.peers={}", self.peers))
            .arg(format!("--block.window={}", self.options.block_window))
            .arg(format!("--storage.local-retention={}", self.options.local_retention))
            .arg(format!("--storage.snapshot-bytes={}", self.options.snapshot_bytes))
            .arg(format!("--storage.memory-limit={}", self.options.memory_limit))
            .args(&self.options.flags)
            .args(bucket)
            .arg("--shards=4")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        process.child = Some(child);
    }

    /// Has one more target scraped, at `/` of a port of this machine.
    pub(crate) fn scrape_also(&self, job: &str, port: u16) {
        self.add_jobs(&format!("- job_name: {job}\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"));
    }

    /// Has pages scraped, the first so many, each by a job of its own with a label that says which page it is.
    pub(crate) fn scrape_pages(&self, job: &str, pages: &Pages, count: usize) {
        let job = |page: usize| {
            format!(
                "- job_name: {job}-{page}\n  metrics_path: /{page}\n  static_configs: [{{targets: ['127.0.0.1:{}'], labels: {{page: '{page}'}}}}]\n",
                pages.port
            )
        };
        self.add_jobs(&(0..count).map(job).collect::<String>());
    }

    fn add_jobs(&self, jobs: &str) {
        let mut config = File::options().append(true).open(self.path("prometheus.yml")).unwrap();
        config.write_all(jobs.as_bytes()).unwrap();
        for name in self.processes.keys().filter(|name| name.starts_with("scraper")) {
            self.signal(name, "HUP");
        }
    }

    /// The largest value that a metric has in any of the processes of a kind that answer.
    pub(crate) fn most(&self, kind: &str, metric: &str) -> f64 {
        self.values(kind, metric).fold(f64::NAN, f64::max)
    }

    /// The values of a metric in all processes of a kind that answer, together.
    pub(crate) fn sum(&self, kind: &str, metric: &str) -> f64 {
        self.values(kind, metric).sum()
    }

    fn values(&self, kind: &str, metric: &str) -> impl Iterator<Item = f64> {
        let of_kind = self.processes.iter().filter(move |(name, _)| name.starts_with(kind));
        of_kind.filter_map(move |(_, process)| {
            let (_, page) = get_at(process.web, "/metrics")?;
            page.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok())
        })
    }

    /// From now on this cluster's new processes are of the binary that cargo built for this test.
    pub(crate) fn use_todays_binary(&mut self) {
        self.options.binary = binary();
    }

    /// Ends a process and starts it again from the binary that cargo built for this test.
    pub(crate) fn upgrade(&mut self, name: &str) {
        self.end(name);
        self.processes.get_mut(name).unwrap().binary = binary();
        self.restart(name);
    }

    /// Adds a querier, and asks it from now on instead of the one before.
    pub(crate) fn add_querier(&mut self, name: &str) {
        let port = free_ports(1)[0];
        self.add(name, port, vec!["--role=querier".to_owned()]);
        self.wait_until_ready(name);
        self.querier_port = port;
    }

    /// Waits until a process can be asked.
    pub(crate) fn wait_until_ready(&self, name: &str) {
        let web = self.processes[name].web;
        wait_until(&format!("{name} is ready"), PATIENCE, || {
            get_at(web, "/-/ready").filter(|(status, _)| *status == 200)
        });
    }

    /// Kills a process with SIGKILL.
    pub(crate) fn kill(&mut self, name: &str) {
        if let Some(mut child) = self.processes.get_mut(name).unwrap().child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Kills all processes.
    pub(crate) fn kill_all(&mut self) {
        let names: Vec<String> = self.processes.keys().cloned().collect();
        names.iter().for_each(|name| self.kill(name));
    }

    /// Sends a signal to a process.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let process = self.processes[name].child.as_ref().unwrap();
        let sent = Command::new("kill").args(["-s", signal, &process.id().to_string()]).status().unwrap();
        assert!(sent.success(), "SIG{signal} to {name}");
    }

    /// Ends a process with SIGTERM, and waits until it has handed over what it has.
    pub(crate) fn end(&mut self, name: &str) {
        self.signal(name, "TERM");
        let mut child = self.processes.get_mut(name).unwrap().child.take().unwrap();
        let status = wait_until(&format!("{name} ends"), PATIENCE, || child.try_wait().unwrap());
        assert!(status.success(), "{name} ended with {status}");
    }

    /// Waits until a process has ended by itself, because something failed.
    pub(crate) fn wait_until_failed(&mut self, name: &str) {
        let mut child = self.processes.get_mut(name).unwrap().child.take().unwrap();
        let status = wait_until(&format!("{name} fails"), PATIENCE, || child.try_wait().unwrap());
        assert!(!status.success(), "{name} ended as if nothing were wrong");
    }

    /// Waits until a process answers.
    pub(crate) fn wait_until_running(&self, name: &str) {
        let web = self.processes[name].web;
        wait_until(&format!("{name} answers"), PATIENCE, || {
            get_at(web, "/-/healthy").filter(|(status, _)| *status == 200)
        });
    }

    /// Empties the disk of a process that does not run.
    pub(crate) fn wipe(&mut self, name: &str) {
        std::fs::remove_dir_all(self.path(name)).unwrap();
        self.gone += 1;
    }

    /// The value of a metric without labels, as a process tells it.
    pub(crate) fn metric(&self, name: &str, metric: &str) -> Option<f64> {
        let (_, page) = get_at(self.processes[name].web, "/metrics")?;
        page.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok())
    }

    /// Where the processes answer HTTP.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.processes.values().map(|process| process.web.port())
    }

    /// Whether a node_exporter is scraped.
    pub(crate) fn has_exporter(&self) -> bool {
        self.exporter.is_some()
    }

    /// The cluster's feature level, as its meta tells it; 0: it knows of none.
    pub(crate) fn feature_level(&self) -> u64 {
        self.order(&["status"])["featureLevel"].as_u64().unwrap()
    }

    /// Waits until all know what comes with this level.
    pub(crate) fn wait_for_feature_level(&self, level: u64) {
        wait_until("the feature level rises", PATIENCE, || (self.feature_level() == level).then_some(()));
    }

    /// The state of the cluster, as the querier tells it.
    pub(crate) fn status(&self) -> Value {
        get_json(self.querier_port, "/api/v1/status/cluster").unwrap_or_default()
    }

    /// Waits until all processes are ready, nodes that lost their disk are replaced, and every shard rests, has a leader and three
    /// replicas of living nodes.
    pub(crate) fn wait_until_settled(&self) {
        wait_until("the cluster is whole", PATIENCE, || {
            let running = self.processes.values().filter(|process| process.child.is_some());
            for process in running {
                if get_at(process.web, "/-/ready")?.0 != 200 {
                    return None;
                }
            }
            let up =
                self.processes.iter().filter(|(name, process)| name.starts_with("ingester") && process.child.is_some());
            is_settled(&self.status()["data"], up.count(), self.gone).then_some(())
        });
    }

    /// The time of the newest scrape of the fleet that was acknowledged, by the ends of the journals.
    pub(crate) fn newest_scrape(&self) -> Option<i64> {
        let scrapers = self.processes.keys().filter(|name| name.starts_with("scraper"));
        let tails = scrapers.map(|name| journal::tail(&self.path(&format!("{name}.journal"))));
        journal::acknowledged(&tails.collect::<String>()).into_iter().map(|(_, time)| time).max()
    }

    /// Waits until the fleet was scraped for so much longer.
    pub(crate) fn wait_for_scraping(&self, seconds: i64) {
        let before = self.newest_scrape().unwrap();
        wait_until("scrapes go on", PATIENCE, || (self.newest_scrape()? >= before + seconds * 1000).then_some(()));
    }

    /// What a process has logged.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    /// All lines of all journals.
    pub(crate) fn journals(&self) -> String {
        self.processes.keys().filter(|name| name.starts_with("scraper")).map(|name| self.journal(name)).collect()
    }

    /// What was acknowledged to one scraper.
    pub(crate) fn journal(&self, scraper: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{scraper}.journal"))).unwrap_or_default()
    }

    /// Waits until so many scrapes of the fleet were acknowledged, in all.
    pub(crate) fn wait_for_scrapes(&self, count: usize) {
        wait_until("scrapes are acknowledged", PATIENCE, || {
            (journal::acknowledged(&self.journals()).len() >= count).then_some(())
        });
    }

    /// Waits until so many more scrapes of the fleet were acknowledged.
    pub(crate) fn wait_for_more_scrapes(&self, count: usize) {
        let before = journal::acknowledged(&self.journals()).len();
        self.wait_for_scrapes(before + count);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_all();
        if let Some(mut exporter) = self.exporter.take() {
            // It may have ended by itself.
            drop(exporter.kill());
            drop(exporter.wait());
        }
        if std::thread::panicking() {
            for name in self.processes.keys() {
                let log = self.log(name);
                let lines: Vec<&str> = log.lines().collect();
                let last = lines[lines.len().saturating_sub(12)..].join("\n");
                eprintln!("--- {name}\n{last}");
            }
        }
    }
}

fn start_exporter(port: u16) -> Option<Child> {
    let exporter = Command::new("/usr/bin/prometheus-node-exporter")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if exporter.is_err() {
        eprintln!("1 real part skipped: prometheus-node-exporter is not installed");
    }
    exporter.ok()
}

/// One job for the targets of the fleet, which are on one port, and one for the node_exporter.
fn write_config(folder: &Path, fleet: &Fleet, interval: &str, exporter_port: Option<u16>) {
    let path = folder.join("prometheus.yml");
    let mut text = format!("global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\nscrape_configs:\n");
    text.push_str("- job_name: fleet\n  static_configs:\n");
    for target in 0..fleet.targets {
        text.push_str(&format!(
            "  - {{targets: ['127.0.0.1:{}'], labels: {{fleet: '{target}', __metrics_path__: '/{target}'}}}}\n",
            fleet.port
        ));
    }
    if let Some(port) = exporter_port {
        text.push_str(&format!("- job_name: node\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"));
    }
    std::fs::write(path, text).unwrap();
}
