//! The configuration in use, and how another one takes its place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use config::Loaded;
use discovery::{Context, Discoverer};
use model::Timestamp;
use parking_lot::Mutex;
use scraper::Scraper;
use stdx::Clock;
use telemetry::{FloatGauge, Registry};
use tokio::sync::watch;

use crate::jobs::{ScrapeFeatures, job_of};
use crate::queries::QueryLogFile;
use crate::settings;

/// The configuration of a process, and what acts on it.
pub(crate) struct Settings {
    file: Option<PathBuf>,
    /// Where this process is scraped, if it has no file.
    own_address: String,
    has_node_exporter: Mutex<bool>,
    clock: Clock,
    state: Mutex<State>,
    /// `None`: this process does not scrape.
    scraping: Option<Scraping>,
    exemplars: ExemplarStorage,
    last_success: FloatGauge,
    last_success_time: FloatGauge,
}

/// Whether exemplars are kept, and who is told how many.
pub(crate) struct ExemplarStorage {
    pub(crate) is_on: bool,
    /// Tells the ingester of this process, if it has one.
    pub(crate) limit: watch::Sender<Option<u64>>,
}

impl ExemplarStorage {
    fn apply(&self, loaded: &Loaded) {
        let limit = if self.is_on { loaded.config.storage.max_exemplars() } else { 0 };
        self.limit.send_if_modified(|known| known.replace(limit) != Some(limit));
    }
}

/// What acts on scrape configurations.
pub(crate) struct Scraping {
    pub(crate) features: ScrapeFeatures,
    pub(crate) scraper: Arc<Scraper>,
    pub(crate) context: Context,
    pub(crate) discoverers: Mutex<BTreeMap<String, Discoverer>>,
}

struct State {
    loaded: Arc<Loaded>,
    query_log: Option<Arc<QueryLogFile>>,
    is_good: bool,
    since: Timestamp,
}

impl Settings {
    /// Loads the configuration for the first time.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn load(
        file: Option<PathBuf>,
        own_address: String,
        scraping: Option<Scraping>,
        exemplars: ExemplarStorage,
        clock: Clock,
        registry: &Registry,
    ) -> Result<Self, String> {
        let help = "Whether the last try to load the configuration succeeded.";
        let last_success = registry.register("config_last_reload_successful", help, FloatGauge::default());
        let help = "When the configuration in use was loaded.";
        let last_success_time =
            registry.register("config_last_reload_success_timestamp_seconds", help, FloatGauge::default());
        let state =
            State { loaded: Arc::new(empty()), query_log: None, is_good: false, since: Timestamp(clock.wall_ms()) };
        let has_node_exporter = Mutex::new(false);
        let state = Mutex::new(state);
        let settings = Self {
            file,
            own_address,
            has_node_exporter,
            clock,
            state,
            scraping,
            exemplars,
            last_success,
            last_success_time,
        };
        settings.reload()?;
        Ok(settings)
    }

    /// The configuration in use.
    pub(crate) fn current(&self) -> Arc<Loaded> {
        self.state.lock().loaded.clone()
    }

    /// Whether the last try to load the configuration succeeded, and when the one in use was loaded.
    pub(crate) fn last_load(&self) -> (bool, Timestamp) {
        let state = self.state.lock();
        (state.is_good, state.since)
    }

    /// Where queries are logged, if they are.
    pub(crate) fn query_log(&self) -> Option<Arc<QueryLogFile>> {
        self.state.lock().query_log.clone()
    }

    pub(crate) fn scraper(&self) -> Option<&Arc<Scraper>> {
        self.scraping.as_ref().map(|scraping| &scraping.scraper)
    }

    /// Whether a file says what to do.
    pub(crate) fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Notes whether a node_exporter answers; if that is news, and no file says what to do, it is scraped or no more.
    pub(crate) fn note_node_exporter(&self, is_there: bool) -> Result<(), String> {
        let before = std::mem::replace(&mut *self.has_node_exporter.lock(), is_there);
        if before == is_there || self.has_file() { Ok(()) } else { self.reload() }
    }

    /// Loads the configuration again. A bad one changes nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let outcome = self.try_reload();
        self.state.lock().is_good = outcome.is_ok();
        self.last_success.set(if outcome.is_ok() { 1.0 } else { 0.0 });
        match &outcome {
            Ok(()) => {
                let now = Timestamp(self.clock.wall_ms());
                self.state.lock().since = now;
                self.last_success_time.set(now.as_ms() as f64 / 1000.0);
                tracing::info!(file = ?self.file, "configuration loaded");
            }
            Err(why) => tracing::error!(file = ?self.file, why, "the configuration can't be used; the old one stays"),
        }
        outcome
    }

    fn try_reload(&self) -> Result<(), String> {
        let loaded = match &self.file {
            Some(file) => settings::load(file),
            None => settings::without_file(&self.own_address, *self.has_node_exporter.lock()),
        };
        let mut loaded = loaded.map_err(|errors| errors.to_string())?;
        if self.exemplars.is_on {
            loaded.config.storage.complete_exemplars();
        }
        for notice in &loaded.notices {
            tracing::warn!("{notice}");
        }
        let query_log = self.open_query_log(loaded.config.global.query_log_file.as_str())?;
        if let Some(scraping) = &self.scraping {
            scraping.apply(&loaded)?;
        }
        self.exemplars.apply(&loaded);
        let mut state = self.state.lock();
        state.loaded = Arc::new(loaded);
        state.query_log = query_log;
        Ok(())
    }

    /// The query log of a new configuration, opened again even if it stays the same: whoever rotates it moves it away first.
    fn open_query_log(&self, path: &str) -> Result<Option<Arc<QueryLogFile>>, String> {
        if path.is_empty() {
            return Ok(None);
        }
        let log = QueryLogFile::open(path.as_ref());
        log.map(|log| Some(Arc::new(log))).map_err(|error| format!("global.query_log_file: open {path}: {error}"))
    }
}

impl Scraping {
    fn apply(&self, loaded: &Loaded) -> Result<(), String> {
        let mut jobs = Vec::new();
        for scrape_config in &loaded.scrape_configs {
            let job = job_of(scrape_config, self.features)
                .map_err(|error| format!("job {}: {error}", scrape_config.job_name))?;
            jobs.push((job, scrape_config.discovery.mechanisms()));
        }
        let mut discoverers = self.discoverers.lock();
        let mut before = std::mem::take(&mut *discoverers);
        let mut discovered = Vec::new();
        for (job, mechanisms) in jobs {
            let discoverer = match before.remove(&job.name) {
                Some(mut discoverer) => {
                    discoverer.reload(mechanisms);
                    discoverer
                }
                None => Discoverer::start(&job.name, mechanisms, self.context.clone()),
            };
            let found = discoverer.discovered();
            discoverers.insert(job.name.clone(), discoverer);
            discovered.push((job, found));
        }
        self.scraper.apply(discovered).map_err(|failed| {
            let each = failed.iter().map(|(job, error)| format!("job {job}: {error}"));
            each.collect::<Vec<_>>().join("; ")
        })
    }
}

/// What counts before the first configuration is loaded.
fn empty() -> Loaded {
    config::parse("", std::path::Path::new("empty.yml"), config::Mode::Server, &config::RealFiles)
        .expect("nothing is a configuration")
}
