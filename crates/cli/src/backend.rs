//! What the API asks of this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::{
    ActiveTarget, Backend, DroppedTarget, Features, HeadStats, Health, MetadataByMetric, NotReady, QueryLog,
    RuntimeInfo, Scope, TargetMetadata, TargetStates, Targets,
};
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, TryFutureExt};
use ingester::Ingester;
use model::{TenantId, Timestamp};
use querier::Querier;
use scraper::PoolTargets;
use series::{Consistency, QueryError, Queryable};
use telemetry::Registry;

use crate::ctl;
use crate::external_url::ExternalUrl;
use crate::features::features;
use crate::flags::{ServerFlags, span};
use crate::peers::Peers;
use crate::queries::ActiveQueries;
use crate::reload::Settings;
use crate::sources::{no_storage, not_a_querier};

/// How long meta may take to say how the cluster is.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// The parts of this process, as far as it has them.
pub(crate) struct Parts {
    pub(crate) flags: ServerFlags,
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: meta::Client,
    pub(crate) ingester: Option<Arc<Ingester>>,
    pub(crate) querier: Option<Querier>,
    pub(crate) peers: Peers,
    pub(crate) external_url: ExternalUrl,
    pub(crate) active_queries: Option<ActiveQueries>,
    /// The scraper's name among the scrapers.
    pub(crate) scraper_name: String,
    pub(crate) registry: Registry,
    pub(crate) started: Timestamp,
    /// Whether the process is about to end.
    pub(crate) is_stopping: Arc<AtomicBool>,
}

impl Backend for Parts {
    fn queryable(&self, tenant: &TenantId, consistency: Consistency) -> Arc<dyn Queryable> {
        self.querier.as_ref().map_or_else(no_storage, |querier| querier.storage(tenant, consistency))
    }

    fn readiness(&self) -> Result<(), NotReady> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err(NotReady::Stopping);
        }
        if self.client.state().shard_map.is_none() {
            return Err(NotReady::Starting("the cluster is not known yet".to_owned()));
        }
        let ingester = self.ingester.as_ref().map_or(Ok(()), |ingester| ingester.readiness());
        let querier = self.querier.as_ref().map_or(Ok(()), Querier::readiness);
        ingester.and(querier).map_err(NotReady::Starting)
    }

    fn metadata<'a>(
        &'a self,
        tenant: &'a TenantId,
        metric: Option<&'a str>,
    ) -> BoxFuture<'a, Result<MetadataByMetric, QueryError>> {
        match &self.querier {
            Some(querier) => querier.metadata(tenant, metric).boxed(),
            None => async { Err(not_a_querier()) }.boxed(),
        }
    }

    fn targets<'a>(
        &'a self,
        _: &'a TenantId,
        states: TargetStates,
        scrape_pool: Option<&'a str>,
        scope: Scope,
    ) -> BoxFuture<'a, Result<Targets, QueryError>> {
        async move {
            let mut all = self.own_targets(states);
            if scope == Scope::Cluster {
                let others = self.ask_others(|address| async move { self.peers.targets(&address, states).await });
                for others in others.await? {
                    all.active.extend(others.active);
                    // Every scraper discovers everything: what one drops, all drop.
                    if self.settings.scraper().is_none() && all.dropped_counts.is_empty() {
                        all.dropped = others.dropped;
                        all.dropped_counts = others.dropped_counts;
                    }
                }
            }
            if let Some(pool) = scrape_pool {
                all.active.retain(|target| target.scrape_pool == pool);
                all.dropped.retain(|target| target.scrape_pool == pool);
            }
            all.active.sort_by(|a, b| (&a.scrape_pool, &a.labels).cmp(&(&b.scrape_pool, &b.labels)));
            Ok(all)
        }
        .boxed()
    }

    fn scrape_pools<'a>(&'a self, _: &'a TenantId) -> BoxFuture<'a, Result<Vec<String>, QueryError>> {
        let loaded = self.settings.current();
        let names = loaded.scrape_configs.iter().map(|config| config.job_name.clone()).collect();
        async move { Ok(names) }.boxed()
    }

    fn scrape_pool_config(&self, _: &TenantId, scrape_pool: &str) -> Option<String> {
        let loaded = self.settings.current();
        let config = loaded.scrape_configs.iter().find(|config| config.job_name == scrape_pool)?;
        Some(config.to_yaml())
    }

    fn target_metadata<'a>(
        &'a self,
        _: &'a TenantId,
        metric: Option<&'a str>,
        scope: Scope,
    ) -> BoxFuture<'a, Result<Vec<TargetMetadata>, QueryError>> {
        async move {
            let mut all = self.own_target_metadata(metric);
            if scope == Scope::Cluster {
                let others =
                    self.ask_others(|address| async move { self.peers.target_metadata(&address, metric).await });
                all.extend(others.await?.into_iter().flatten());
            }
            Ok(all)
        }
        .boxed()
    }

    fn relabel_rules(&self, _: &TenantId, scrape_pool: &str) -> Option<Vec<relabel::Rule>> {
        let loaded = self.settings.current();
        let config = loaded.scrape_configs.iter().find(|config| config.job_name == scrape_pool)?;
        let rules = config::relabel::compile(&config.relabel_configs, config.names());
        Some(rules.expect("the configuration was checked when it was loaded"))
    }

    fn features(&self) -> Features {
        features(&self.flags)
    }

    fn head_stats<'a>(&'a self, _: &'a TenantId) -> BoxFuture<'a, Result<Option<HeadStats>, QueryError>> {
        async move {
            let status = self.client.status(STATUS_LIMIT).await;
            let status = status.map_err(|error| QueryError::Unavailable(error.message))?;
            let replicas = status.nodes.iter().flat_map(|node| &node.replicas);
            let series = replicas.filter(|replica| replica.is_leader).map(|replica| replica.series_count).sum();
            Ok(Some(HeadStats { series, ..HeadStats::default() }))
        }
        .boxed()
    }

    fn config_yaml(&self) -> String {
        self.settings.current().config.to_yaml()
    }

    fn flags(&self) -> BTreeMap<String, String> {
        self.flags.shown()
    }

    fn runtime_info(&self) -> RuntimeInfo {
        let (config_is_loaded, config_time) = self.settings.last_load();
        let metrics = tokio::runtime::Handle::current().metrics();
        RuntimeInfo {
            start_time: self.started,
            working_directory: std::env::current_dir()
                .map_or_else(|_| String::new(), |path| path.display().to_string()),
            hostname: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
            config_is_loaded,
            config_time,
            corruption_count: 0,
            task_count: metrics.num_alive_tasks() as u64,
            thread_count: metrics.num_workers() as u64,
            storage_retention: span(self.flags.storage_local_retention),
        }
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        async { self.settings.reload() }.boxed()
    }

    fn query_began(&self, text: &str, tenant: &TenantId) -> Box<dyn Send> {
        match &self.active_queries {
            Some(active) => active.began(text, tenant),
            None => Box::new(()),
        }
    }

    fn query_log(&self) -> Option<Arc<dyn QueryLog>> {
        self.settings.query_log().map(|log| log as Arc<dyn QueryLog>)
    }

    fn metrics_text(&self) -> String {
        self.registry.encode().expect("writing into a string can't fail")
    }

    fn cluster_status(&self) -> BoxFuture<'_, Result<String, QueryError>> {
        async {
            let status = self.client.status(STATUS_LIMIT).await;
            let status = status.map_err(|error| QueryError::Unavailable(format!("meta: {error}")))?;
            Ok(ctl::to_json(&status).to_string())
        }
        .boxed()
    }
}

impl Parts {
    /// The targets that this process scrapes.
    fn own_targets(&self, states: TargetStates) -> Targets {
        let mut targets = Targets::default();
        let Some(scraper) = self.settings.scraper() else { return targets };
        for pool in scraper.targets() {
            if states.has_active() {
                targets.active.extend(active_of(&pool, &self.external_url));
            }
            if states.has_dropped() {
                targets.dropped_counts.insert(pool.scrape_pool.clone(), pool.dropped_count as u64);
                targets.dropped.extend(pool.dropped.into_iter().map(|discovered_labels| DroppedTarget {
                    discovered_labels,
                    scrape_pool: pool.scrape_pool.clone(),
                }));
            }
        }
        targets
    }

    /// What the targets that this process scrapes say about a metric, or about all of theirs.
    fn own_target_metadata(&self, metric: Option<&str>) -> Vec<TargetMetadata> {
        let mut all = Vec::new();
        let Some(scraper) = self.settings.scraper() else { return all };
        let pools = scraper.targets();
        for active in pools.iter().flat_map(|pool| &pool.active).filter(|active| active.is_owned) {
            let families = active.status.families.iter();
            let wanted = families.filter(|(family, _)| metric.is_none_or(|metric| metric == &**family));
            all.extend(wanted.map(|(family, metadata)| TargetMetadata {
                target: active.target.labels.clone(),
                metric: family.clone(),
                metadata: metadata.clone(),
            }));
        }
        all
    }

    /// Asks all other scrapers.
    async fn ask_others<T, F>(&self, ask: impl Fn(String) -> F) -> Result<Vec<T>, QueryError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let state = self.client.state();
        let is_other = |name: &str| self.settings.scraper().is_none() || name != self.scraper_name;
        let others = state.scrapers.iter().filter(|(name, _)| is_other(name)).map(|(name, member)| {
            let unavailable =
                move |error| QueryError::Unavailable(format!("scraper {name} at {}: {error}", member.address));
            ask(member.address.clone()).map_err(unavailable)
        });
        join_all(others).await.into_iter().collect()
    }
}

/// The targets of a pool that this process scrapes.
fn active_of<'a>(pool: &'a PoolTargets, external_url: &'a ExternalUrl) -> impl Iterator<Item = ActiveTarget> + 'a {
    pool.active.iter().filter(|active| active.is_owned).map(move |active| {
        let (target, status) = (&active.target, &active.status);
        ActiveTarget {
            discovered_labels: target.discovered.clone(),
            labels: target.labels.clone(),
            scrape_pool: pool.scrape_pool.clone(),
            scrape_url: target.url.clone(),
            global_url: external_url.seen_from_outside(&target.url),
            last_error: status.last_error.clone(),
            last_scrape: status.last_scrape_ms.map(Timestamp),
            last_scrape_duration: status.last_duration,
            health: match status.health {
                scraper::Health::Up => Health::Up,
                scraper::Health::Down => Health::Down,
                scraper::Health::Unknown => Health::Unknown,
            },
            scrape_interval: span(target.interval),
            scrape_timeout: span(target.timeout),
        }
    })
}
