//! Ingesters as processes, which come and go, and a querier.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use bench_query::system::System;
use http_client::{HttpClient, HttpClientConfig, Request};
use processes::{free_ports, is_settled};
use serde_json::Value;
use stdx::Clock;
use tempfile::TempDir;

/// How many ingesters form the cluster.
const FOUNDERS: usize = 3;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(50);

/// A cluster whose ingesters 1, 2 and 3 found it. Everything is killed and removed when it is dropped.
pub(crate) struct Cluster {
    pub(crate) client: HttpClient,
    pub(crate) clock: Clock,
    binary: PathBuf,
    /// What all ingesters are started with besides.
    flags: Vec<String>,
    ingesters: Vec<Option<System>>,
    /// Where each of them answers HTTP and gRPC.
    ports: Vec<[u16; 2]>,
    querier: Option<System>,
    /// How many ingesters have lost their disk, and with it their identity.
    wiped: usize,
    // The last field: processes end before their data go.
    folder: TempDir,
}

impl Cluster {
    /// Starts three ingesters and waits until they are a cluster.
    pub(crate) async fn start(binary: &Path, flags: &[String]) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let mut cluster = Self {
            client: HttpClient::new(HttpClientConfig::default(), clock.clone())?,
            clock,
            binary: binary.to_owned(),
            flags: flags.to_vec(),
            ingesters: Vec::new(),
            ports: (0..FOUNDERS).map(|_| two_ports()).collect(),
            querier: None,
            wiped: 0,
            folder: tempfile::tempdir()?,
        };
        // None is ready before all are there.
        let systems = futures::future::try_join_all((1..=FOUNDERS).map(|number| cluster.open(number))).await?;
        cluster.ingesters = systems.into_iter().map(Some).collect();
        cluster.settled().await?;
        Ok(cluster)
    }

    /// Starts one more ingester.
    pub(crate) async fn add(&mut self) -> anyhow::Result<()> {
        self.ports.push(two_ports());
        let system = self.open(self.ports.len()).await?;
        self.ingesters.push(Some(system));
        Ok(())
    }

    /// Starts the querier, whose URL is returned.
    pub(crate) async fn start_querier(&mut self) -> anyhow::Result<String> {
        let flags = vec!["--role=querier".to_owned()];
        let querier = self.start_process("querier", flags).await?;
        Ok(self.querier.insert(querier).url.clone())
    }

    /// Starts a process of another role.
    pub(crate) async fn start_process(&self, name: &str, flags: Vec<String>) -> anyhow::Result<System> {
        self.start_at(name, flags, free_ports(1)[0]).await
    }

    async fn start_at(&self, name: &str, flags: Vec<String>, port: u16) -> anyhow::Result<System> {
        let arguments = [
            flags,
            vec![
                format!("--web.listen-address=127.0.0.1:{port}"),
                format!("--storage.path={}", self.path(name).display()),
                format!("--bucket.url=file://{}", self.path("bucket").display()),
                format!("--cluster.peers={}", self.peers()),
            ],
        ];
        std::fs::create_dir_all(self.path("bucket"))?;
        let log = self.path(&format!("{name}.log"));
        System::start(&self.client, (&self.binary, &arguments.concat()), port, &log).await
    }

    async fn open(&self, number: usize) -> anyhow::Result<System> {
        let own = vec![
            "--role=ingester".to_owned(),
            "--cluster.bootstrap-expect=3".to_owned(),
            format!("--grpc.listen-address={}", self.address(number)),
        ];
        let [port, _] = self.ports[number - 1];
        let flags = [own, self.flags.clone()].concat();
        self.start_at(&format!("ingester-{number}"), flags, port).await.with_context(|| self.last_words(number))
    }

    /// Where an ingester answers gRPC.
    pub(crate) fn address(&self, number: usize) -> String {
        let [_, port] = self.ports[number - 1];
        format!("127.0.0.1:{port}")
    }

    fn peers(&self) -> String {
        (1..=FOUNDERS).map(|number| self.address(number)).collect::<Vec<_>>().join(",")
    }

    /// The end of an ingester's log.
    fn last_words(&self, number: usize) -> String {
        let log = std::fs::read_to_string(self.path(&format!("ingester-{number}.log"))).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("ingester {number} said last:\n{}", lines[lines.len().saturating_sub(8)..].join("\n"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The process of a running ingester, counted from 1.
    pub(crate) fn ingester(&self, number: usize) -> anyhow::Result<&System> {
        self.ingesters[number - 1].as_ref().with_context(|| format!("ingester {number} does not run"))
    }

    /// All ingesters that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = (usize, &System)> {
        (1..).zip(&self.ingesters).filter_map(|(number, system)| Some((number, system.as_ref()?)))
    }

    /// SIGKILL to an ingester.
    pub(crate) fn kill(&mut self, number: usize) {
        self.ingesters[number - 1] = None;
    }

    /// Starts an ingester that was killed, and waits until it is ready.
    pub(crate) async fn restart(&mut self, number: usize) -> anyhow::Result<()> {
        self.ingesters[number - 1] = Some(self.open(number).await?);
        Ok(())
    }

    /// Removes what an ingester has that was killed.
    pub(crate) fn wipe(&mut self, number: usize) -> anyhow::Result<()> {
        std::fs::remove_dir_all(self.path(&format!("ingester-{number}")))?;
        self.wiped += 1;
        Ok(())
    }

    /// The cluster's state, as `ringwood ctl status` has it.
    pub(crate) async fn status(&self) -> anyhow::Result<Value> {
        let (_, system) = self.running().next().context("no ingester runs")?;
        let body = get(&self.client, &format!("{}/api/v1/status/cluster", system.url)).await?;
        Ok(serde_json::from_slice::<Value>(&body)?["data"].take())
    }

    /// Gives an order with `ringwood ctl`, and waits until it is carried out.
    pub(crate) async fn order(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = tokio::process::Command::new(&self.binary);
        command.arg("ctl").args(arguments).arg(format!("--cluster.peers={}", self.peers())).arg("--output=json");
        let done = command.stdin(Stdio::null()).output().await?;
        if !done.status.success() {
            bail!("ctl {arguments:?}: {}", String::from_utf8_lossy(&done.stdout));
        }
        Ok(serde_json::from_slice(&done.stdout)?)
    }

    /// Asks until there is an answer.
    pub(crate) async fn wait_until<T>(&self, what: &str, answer: impl Fn(&Value) -> Option<T>) -> anyhow::Result<T> {
        let began = self.clock.now();
        loop {
            // Without a leader of meta there is no status for a moment.
            if let Ok(status) = self.status().await
                && let Some(answer) = answer(&status)
            {
                return Ok(answer);
            }
            if self.clock.now().duration_since(began) > PATIENCE {
                bail!("waited for {PATIENCE:?}: {what}");
            }
            self.clock.sleep(PAUSE).await;
        }
    }

    /// Waits until every shard rests, has a leader and three replicas of living nodes that hold what it has.
    pub(crate) async fn settled(&self) -> anyhow::Result<()> {
        let (running, wiped) = (self.running().count(), self.wiped);
        self.wait_until("the cluster is whole", |status| is_settled(status, running, wiped).then_some(())).await
    }
}

fn two_ports() -> [u16; 2] {
    let ports = free_ports(2);
    [ports[0], ports[1]]
}

/// The body of an answer with status 200.
pub(crate) async fn get(client: &HttpClient, url: &str) -> anyhow::Result<Vec<u8>> {
    let response = client.send(Request::get(url.parse()?, Duration::from_secs(20))).await?;
    if !response.status.is_success() {
        bail!("{url}: {}: {}", response.status, String::from_utf8_lossy(&response.body));
    }
    Ok(response.body.to_vec())
}
