//! How data come into the systems: over the way that each has for them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use distributor::{Distributor, Outgoing};
use head::LayoutDefinition;
use http_client::{HttpClient, Request};
use model::{Labels, ShardId, TargetId, TenantId};
use prost::Message;
use proto::entry;
use stdx::{Clock, Rng, Tasks};
use telemetry::Registry;
use transport::{Hello, Nodes, TcpNet};

use crate::data::{Fleet, Target, Times};

/// So many ticks of all targets are under way at once: no system takes samples that are an hour late.
const TICKS_AT_ONCE: u64 = 20;
const LIMIT: Duration = Duration::from_secs(60);

/// Sends a fleet's samples as remote write 1.0, oldest first.
///
/// # Errors
/// What the server says of a request that it does not take.
pub async fn remote_write(client: &HttpClient, url: &str, fleet: &Fleet) -> anyhow::Result<()> {
    for from in (0..fleet.times.count()).step_by(TICKS_AT_ONCE as usize) {
        let ticks = from..(from + TICKS_AT_ONCE).min(fleet.times.count());
        for target in &fleet.targets {
            let body = write_request(target, fleet, ticks.clone()).encode_to_vec();
            let compressed = snap::raw::Encoder::new().compress_vec(&body)?;
            let mut request = Request::get(url.parse()?, LIMIT);
            request.method = http::Method::POST;
            request.headers.insert("content-type", http::HeaderValue::from_static("application/x-protobuf"));
            request.headers.insert("content-encoding", http::HeaderValue::from_static("snappy"));
            request.body = compressed.into();
            let response = client.send(request).await.with_context(|| format!("write to {url}"))?;
            if !response.status.is_success() {
                bail!("{url}: {}: {}", response.status, String::from_utf8_lossy(&response.body));
            }
        }
    }
    Ok(())
}

/// `prometheus.WriteRequest` of Prometheus' `prompb/remote.proto`, as far as floats need it.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<WrittenSample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct WrittenSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp_ms: i64,
}

fn write_request(target: &Target, fleet: &Fleet, ticks: std::ops::Range<u64>) -> WriteRequest {
    let labels = |own: &Labels| {
        let mut pairs: Vec<(&str, &str)> = own.iter().chain(target.common.iter()).collect();
        pairs.sort_unstable();
        pairs.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect()
    };
    let new = |own: &Labels| TimeSeries { labels: labels(own), samples: Vec::new() };
    let mut series: Vec<TimeSeries> = target.series.iter().map(new).collect();
    let mut values = Vec::new();
    for tick in ticks {
        target.values(tick, &mut values);
        let timestamp_ms = fleet.times.of(tick);
        for (series, value) in series.iter_mut().zip(&values) {
            series.samples.push(WrittenSample { value: *value, timestamp_ms });
        }
    }
    WriteRequest { series }
}

/// A way into a Ringwood cluster: what a scraper has.
pub struct Ringwood {
    client: Arc<meta::Client>,
    distributor: Distributor,
    tasks: Tasks,
}

impl Ringwood {
    /// Connects to an ingester.
    pub async fn connect(address: &str) -> Self {
        let (tasks, registry, clock, rng) = (Tasks::new(), Registry::new(), Clock::system(), Rng::from_entropy());
        let nodes = Nodes::new(Arc::new(TcpNet), Hello::new());
        let config = meta::ClientConfig {
            seeds: vec![address.to_owned()],
            catalog: false,
            nodes: nodes.clone(),
            clock: clock.clone(),
            rng: rng.fork(),
        };
        let client = Arc::new(meta::Client::start(config, &tasks));
        while client.state().shard_map.is_none() {
            clock.sleep(Duration::from_millis(20)).await;
        }
        let config = distributor::Config::default();
        let distributor = Distributor::new(config, nodes, client.clone(), clock, rng, &registry, &tasks);
        Self { client, distributor, tasks }
    }

    /// The shard that a target belongs to.
    pub fn shard_of(&self, target: &Target) -> Option<ShardId> {
        let slot = ring::slot_of_target(TargetId(definition(target).hash().0), 0);
        self.client.state().shard_map.as_ref().map(|map| map.shard_of(slot))
    }

    /// Sends one scrape of a target, which says what its series are. Returns when it is stored.
    ///
    /// # Errors
    /// If it is not.
    pub async fn append_tick(&self, target: &Target, times: Times, tick: u64) -> anyhow::Result<()> {
        let (layout, mut values) = (definition(target), Vec::new());
        target.values(tick, &mut values);
        let mut record = scrape(&layout, times, tick, &values);
        if let Some(entry::record::Record::Scrape(scrape)) = &mut record.record.record {
            scrape.definition = Some(shard::encode_definition(&layout));
        }
        self.append_all(vec![record]).await
    }

    /// Sends a fleet's samples as scrapes of its targets, oldest first.
    ///
    /// # Errors
    /// If a scrape is not stored.
    pub async fn append(&self, fleet: &Fleet) -> anyhow::Result<()> {
        let layouts: Vec<LayoutDefinition> = fleet.targets.iter().map(definition).collect();
        let mut values = Vec::new();
        for from in (0..fleet.times.count()).step_by(TICKS_AT_ONCE as usize) {
            let mut records = Vec::new();
            for tick in from..(from + TICKS_AT_ONCE).min(fleet.times.count()) {
                for (target, layout) in fleet.targets.iter().zip(&layouts) {
                    target.values(tick, &mut values);
                    records.push(scrape(layout, fleet.times, tick, &values));
                }
            }
            self.append_all(records).await?;
        }
        Ok(())
    }

    async fn append_all(&self, records: Vec<Outgoing>) -> anyhow::Result<()> {
        for delivery in self.distributor.append(records).await {
            let answer = delivery.context("append a scrape")?;
            // One whose answer was lost is sent again.
            if !matches!(answer.outcome(), entry::Outcome::Stored | entry::Outcome::Duplicate) {
                bail!("a scrape was answered with {:?}: {}", answer.outcome(), answer.reason);
            }
        }
        Ok(())
    }

    /// Lets the connections go.
    pub async fn end(self) {
        self.tasks.stop();
        self.tasks.wait().await;
    }
}

fn definition(target: &Target) -> LayoutDefinition {
    LayoutDefinition { common: target.common.clone(), series: target.series.clone(), families: Vec::new() }
}

fn scrape(layout: &LayoutDefinition, times: Times, tick: u64, values: &[f64]) -> Outgoing {
    // One target has one layout, so the layout's hash names it as well.
    let hash = layout.hash().0;
    let mut row = Vec::new();
    chunk::row::encode(values, None, None, &mut row);
    let time_ms = times.of(tick);
    let scrape = entry::Scrape {
        target_id: Bytes::copy_from_slice(&hash.to_be_bytes()),
        parts: 1,
        owner_epoch: 1,
        tick_ms: time_ms,
        timestamp_ms: time_ms,
        interval_ms: times.interval_ms,
        layout: Bytes::copy_from_slice(&hash.to_be_bytes()),
        definition: (tick == 0).then(|| shard::encode_definition(layout)),
        row: row.into(),
        ..Default::default()
    };
    let record = Some(entry::record::Record::Scrape(scrape));
    let record = entry::Record { tenant: TenantId::DEFAULT.to_owned(), record, verdict: None };
    Outgoing { slot: ring::slot_of_target(TargetId(hash), 0), record, samples: values.len() as u32 }
}
