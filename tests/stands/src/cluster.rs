//! Ingesters as processes, which come and go, and a querier.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use bench_query::system::System;
use http_client::{HttpClient, HttpClientConfig, Request};
use serde_json::Value;
use stdx::Clock;
use tempfile::TempDir;

/// Where the first ingester and the querier answer HTTP, and the first ingester gRPC; the others follow.
const HTTP_PORT: u16 = 19_601;
const QUERIER_PORT: u16 = 19_600;
const GRPC_PORT: u16 = 19_651;
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
            querier: None,
            wiped: 0,
            folder: tempfile::tempdir()?,
        };
        // None is ready before all are there.
        let systems = futures::future::try_join_all((1..=3).map(|number| cluster.open(number))).await?;
        cluster.ingesters = systems.into_iter().map(Some).collect();
        cluster.settled().await?;
        Ok(cluster)
    }

    /// Starts one more ingester.
    pub(crate) async fn add(&mut self) -> anyhow::Result<()> {
        let system = self.open(self.ingesters.len() + 1).await?;
        self.ingesters.push(Some(system));
        Ok(())
    }

    /// Starts the querier, whose URL is returned.
    pub(crate) async fn start_querier(&mut self) -> anyhow::Result<String> {
        let flags = vec!["--role=querier".to_owned()];
        let querier = self.start_process("querier", flags, QUERIER_PORT).await?;
        Ok(self.querier.insert(querier).url.clone())
    }

    /// Starts a process of another role.
    pub(crate) async fn start_process(&self, name: &str, flags: Vec<String>, port: u16) -> anyhow::Result<System> {
        let arguments = [
            flags,
            vec![
                format!("--web.listen-address=127.0.0.1:{port}"),
                format!("--storage.path={}", self.path(name).display()),
                format!("--bucket.url=file://{}", self.path("bucket").display()),
                format!("--cluster.peers={}", peers()),
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
            format!("--grpc.listen-address={}", address(number)),
        ];
        let port = HTTP_PORT + number as u16 - 1;
        let flags = [own, self.flags.clone()].concat();
        self.start_process(&format!("ingester-{number}"), flags, port).await.with_context(|| self.last_words(number))
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
        command.arg("ctl").args(arguments).arg(format!("--cluster.peers={}", peers())).arg("--output=json");
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

fn is_settled(status: &Value, running: usize, wiped: usize) -> bool {
    let nodes = list(&status["nodes"]);
    let is_up =
        |node: &&Value| node["state"] == "up" && node["silentMs"].as_i64().is_some_and(|ms| (0..1000).contains(&ms));
    let gone = nodes.iter().filter(|node| node["state"] == "gone").count();
    let up: Vec<&Value> = nodes.iter().filter(is_up).collect();
    let shards: Vec<&Value> = list(&status["shards"]).iter().filter(|shard| shard["shard"] != 0).collect();
    up.len() == running && gone == wiped && !shards.is_empty() && shards.iter().all(|shard| rests(shard, &up))
}

fn rests(shard: &Value, nodes: &[&Value]) -> bool {
    /// A replica that lacks no more entries than this holds what the shard has.
    const CLOSE: u64 = 64;
    let is_empty = |list: &str| shard[list].as_array().is_some_and(Vec::is_empty);
    let held = |id: &Value| {
        let node = nodes.iter().find(|node| node["id"] == *id)?;
        list(&node["replicas"]).iter().find(|replica| replica["shard"] == shard["shard"])
    };
    let replicas: Vec<&Value> = list(&shard["replicas"]).iter().filter_map(held).collect();
    let applied = |replica: &Value| replica["applied"].as_u64().unwrap_or_default();
    let newest = replicas.iter().map(|replica| applied(replica)).max().unwrap_or_default();
    ["joining", "leaving", "rebuilding"].into_iter().all(is_empty)
        && replicas.len() == 3
        && replicas.iter().filter(|replica| replica["isLeader"] == true).count() == 1
        && replicas.iter().all(|replica| list(&replica["voters"]).len() == 3 && applied(replica) + CLOSE >= newest)
}

/// The elements of an array; none of anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Where an ingester answers gRPC.
pub(crate) fn address(number: usize) -> String {
    format!("127.0.0.1:{}", GRPC_PORT + number as u16 - 1)
}

fn peers() -> String {
    (1..=3).map(address).collect::<Vec<_>>().join(",")
}

/// The body of an answer with status 200.
pub(crate) async fn get(client: &HttpClient, url: &str) -> anyhow::Result<Vec<u8>> {
    let response = client.send(Request::get(url.parse()?, Duration::from_secs(20))).await?;
    if !response.status.is_success() {
        bail!("{url}: {}: {}", response.status, String::from_utf8_lossy(&response.body));
    }
    Ok(response.body.to_vec())
}
