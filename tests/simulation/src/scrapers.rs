//! Scrapers, and pages to scrape.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discovery::Groups;
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
use transport::{Hello, Net, Nodes};

use crate::World;

/// Pages whose values are the time at which they were asked for, in ms.
#[derive(Debug)]
pub struct TimePages(pub Clock);

impl Transport for TimePages {
    fn round_trip(&self, _: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        let page = format!("# TYPE asked_ms gauge\nasked_ms {0}\nasked_again_ms{{a=\"b\"}} {0}\n", self.0.wall_ms());
        let body = Full::new(Bytes::from(page)).map_err(|never| match never {}).boxed_unsync();
        let response = http::Response::builder().header("content-type", "text/plain").body(body);
        async { Ok(response.unwrap()) }.boxed()
    }
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
        groups: watch::Receiver<Groups>,
        journal: PathBuf,
    ) -> ScraperNode {
        let (tasks, registry) = (Tasks::new(), Registry::new());
        let net: Arc<dyn Net> = Arc::new(self.net.clone());
        let nodes = Nodes::new(net, Hello::new());
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
            journal: Some(journal),
        };
        let environment = Environment {
            cluster: Arc::new(client),
            sink: Arc::new(distributor.clone()),
            make_client: Arc::new(|config, clock| {
                let pages = Arc::new(TimePages(clock.clone()));
                Ok(HttpClient::with_transport(config, clock, pages))
            }),
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
