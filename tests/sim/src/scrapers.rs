//! Scrapers, and pages to scrape.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discovery::Discovered;
use distributor::Distributor;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use http_client::{Body, HttpClient, HttpError, Outgoing, Transport};
use meta::Client;
use model::TenantId;
use scraper::{Config, Environment, Job, Scraper};
use stdx::{Clock, CpuPool, Tasks};
use telemetry::Registry;
use tokio::sync::watch;
use transport::{Hello, Nodes};

use crate::World;

/// Pages whose values are the time at which they were asked for, in ms.
#[derive(Debug)]
pub struct TimePages(pub Clock);

impl Transport for TimePages {
    fn round_trip(&self, _: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        let page = format!("# TYPE asked_ms gauge\nasked_ms {0}\nasked_again_ms{{a=\"b\"}} {0}\n", self.0.wall_ms());
        respond("text/plain", page)
    }
}

/// Pages of a counter of the seconds since `began_ms`, each with an exemplar of the moment at which it was asked for.
#[derive(Debug)]
pub struct CounterPages {
    /// Time.
    pub clock: Clock,
    /// When the counter began, in ms.
    pub began_ms: i64,
}

impl Transport for CounterPages {
    fn round_trip(&self, _: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        let now_ms = self.clock.wall_ms();
        let [began, now] = [self.began_ms, now_ms].map(|ms| format!("{}.{:03}", ms / 1000, ms % 1000));
        let count = (now_ms - self.began_ms) / 1000;
        let page = format!(
            "# TYPE asked counter\nasked_total {count} # {{trace_id=\"{count}\"}} 0.5 {now}\nasked_created {began}\n# EOF\n"
        );
        respond("application/openmetrics-text; version=1.0.0", page)
    }
}

fn respond(content_type: &str, page: String) -> BoxFuture<'static, Result<http::Response<Body>, HttpError>> {
    let body = Full::new(Bytes::from(page)).map_err(|never| match never {}).boxed_unsync();
    let response = http::Response::builder().header("content-type", content_type).body(body);
    async { Ok(response.unwrap()) }.boxed()
}

/// A running scraper.
pub struct ScraperNode {
    scraper: Scraper,
    distributor: Distributor,
    tasks: Tasks,
}

impl World {
    /// Starts a scraper of a job, whose targets have pages of [`TimePages`].
    pub fn start_scraper(
        &self,
        name: &str,
        job: Job,
        groups: watch::Receiver<Discovered>,
        journal: PathBuf,
    ) -> ScraperNode {
        let pages = Arc::new(TimePages(self.clock.clone()));
        self.start_scraper_of(name, job, groups, Some(journal), pages)
    }

    /// Starts a scraper of a job, whose targets have the pages that `pages` answers with.
    pub fn start_scraper_of(
        &self,
        name: &str,
        job: Job,
        groups: watch::Receiver<Discovered>,
        journal: Option<PathBuf>,
        pages: Arc<dyn Transport>,
    ) -> ScraperNode {
        let (tasks, registry) = (Tasks::new(), Registry::new());
        let nodes = Nodes::new(self.wires.at(name), Hello::new());
        let config = meta::ClientConfig {
            seeds: self.names.clone(),
            catalog: false,
            nodes: nodes.clone(),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
        };
        let client = Client::start(config, &tasks);
        let distributor = Distributor::new(
            distributor::Config::default(),
            nodes,
            Arc::new(client.clone()),
            self.clock.clone(),
            self.rng.fork(),
            &registry,
            &tasks,
        );
        let config = Config {
            name: name.to_owned(),
            incarnation: self.rng.u64(),
            address: name.to_owned(),
            tenant: TenantId::default(),
            version: "0".to_owned(),
            journal,
        };
        let environment = Environment {
            cluster: Arc::new(client),
            sink: Arc::new(distributor.clone()),
            make_client: Arc::new(move |config, clock| Ok(HttpClient::with_transport(config, clock, pages.clone()))),
            clock: self.clock.clone(),
            rng: self.rng.fork(),
            cpu: CpuPool::inline(),
            registry,
            tasks: tasks.clone(),
        };
        let scraper = Scraper::new(config, environment).unwrap();
        scraper.apply(vec![(job, groups)]).unwrap();
        ScraperNode { scraper, distributor, tasks }
    }
}

impl ScraperNode {
    /// The process dies.
    pub async fn die(self) {
        self.tasks.stop();
        self.tasks.wait().await;
    }

    /// The process ends as it should.
    pub async fn drain(self) {
        self.scraper.drain(Duration::from_secs(10)).await;
        self.distributor.drain(Duration::from_secs(10)).await;
        self.die().await;
    }
}
