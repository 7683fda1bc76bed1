//! A shard that takes everything in, by the rules of the real ones.

use std::collections::BTreeMap;

use chunk::{Chunk, Kind, Markers};
use distributor::{Delivery, Outgoing};
use futures::FutureExt;
use futures::future::BoxFuture;
use head::{Answer, Head, HeadLimits, LayoutChange, LayoutDefinition, ScrapeKind, ScrapeRow};
use model::{Histogram, Labels, LayoutHash, Metadata, TargetId, TenantId, TimeRange, is_stale};
use parking_lot::Mutex;
use prost::Message;
use proto::entry::{self, Families, Outcome, RecordAnswer, Scrape, record};

use crate::shipment::Sink;

/// A shard of its own for each part of a target, as it were.
#[derive(Debug)]
pub(crate) struct FakeShard {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    heads: BTreeMap<u32, Head>,
    /// Every record, with what was answered.
    log: Vec<(Scrape, Outcome)>,
    /// Shards that forget everything but their samples lose layouts; this asks for it once.
    answers_to_give: Vec<Outcome>,
}

/// What can be read of a series: times with values, a histogram's sum; markers are `None`.
pub(crate) type Samples = Vec<(i64, Option<f64>)>;

impl FakeShard {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { heads: BTreeMap::new(), log: Vec::new(), answers_to_give: Vec::new() }) }
    }

    /// Forgets all samples and layouts.
    pub(crate) fn forget(&self) {
        self.state.lock().heads.clear();
    }

    /// Answers the next records so, without looking at them.
    pub(crate) fn answer_next(&self, outcomes: &[Outcome]) {
        self.state.lock().answers_to_give = outcomes.iter().rev().copied().collect();
    }

    /// What was sent since the last look, with what was answered.
    pub(crate) fn take_log(&self) -> Vec<(Scrape, Outcome)> {
        std::mem::take(&mut self.state.lock().log)
    }

    /// Everything that can be read.
    pub(crate) fn read(&self) -> BTreeMap<String, Samples> {
        let mut all: BTreeMap<String, Samples> = BTreeMap::new();
        for head in self.state.lock().heads.values() {
            for series in head.view().select(&TenantId::default(), &[], TimeRange::ALL).unwrap() {
                let samples = all.entry(series.labels.to_string()).or_default();
                samples.extend(series.chunks.iter().flat_map(|selected| read_chunk(&selected.times, &selected.chunk)));
                samples.sort_by_key(|sample| sample.0);
            }
        }
        all
    }

    /// The newest sample of a series; `None` if it ended, or never was.
    pub(crate) fn newest(&self, labels: &str) -> Option<f64> {
        self.read().get(labels)?.last()?.1
    }

    pub(crate) fn metadata(&self) -> Vec<String> {
        let state = self.state.lock();
        let said = state.heads.values().flat_map(|head| head.view().metadata(&TenantId::default(), None));
        said.flat_map(|(name, all)| {
            all.into_iter().map(move |one| format!("{name} {} {} {}", one.metric_type, one.help, one.unit))
        })
        .collect()
    }

    /// Takes one record in.
    pub(crate) fn apply(&self, scrape: &Scrape) -> RecordAnswer {
        let mut state = self.state.lock();
        let answer = match state.answers_to_give.pop() {
            Some(outcome) => RecordAnswer { outcome: outcome.into(), ..RecordAnswer::default() },
            None => {
                let head = state.heads.entry(scrape.part).or_insert_with(|| Head::new(HeadLimits::default()));
                answer_to_proto(append(head, scrape))
            }
        };
        assert_ne!(answer.outcome(), Outcome::Malformed, "{}", answer.reason);
        state.log.push((scrape.clone(), answer.outcome()));
        answer
    }
}

impl Sink for FakeShard {
    fn append(&self, records: Vec<Outgoing>) -> BoxFuture<'static, Vec<Delivery>> {
        let deliveries = records.into_iter().map(|outgoing| {
            let Some(record::Record::Scrape(scrape)) = &outgoing.record.record else { panic!("scrapers send scrapes") };
            assert_eq!(outgoing.slot, ring::slot_of_target(target_of(scrape), scrape.part));
            Ok(self.apply(scrape))
        });
        let deliveries: Vec<Delivery> = deliveries.collect();
        async move { deliveries }.boxed()
    }
}

fn target_of(scrape: &Scrape) -> TargetId {
    TargetId(u128::from_be_bytes(scrape.target_id[..].try_into().unwrap()))
}

fn layout_of(bytes: &[u8]) -> LayoutHash {
    LayoutHash(u128::from_be_bytes(bytes.try_into().unwrap_or_default()))
}

fn append(head: &mut Head, scrape: &Scrape) -> Answer {
    let mut histograms = Vec::new();
    chunk::histograms::decode(&scrape.histograms, scrape.histogram_slots.len(), &mut histograms).unwrap();
    let histograms = histograms.into_iter().map(std::sync::Arc::new);
    let row = ScrapeRow {
        target: target_of(scrape),
        part: scrape.part,
        parts: scrape.parts,
        owner_epoch: scrape.owner_epoch,
        tick_ms: scrape.tick_ms,
        timestamp_ms: scrape.timestamp_ms,
        interval_ms: scrape.interval_ms,
        kind: if scrape.kind() == entry::ScrapeKind::Final { ScrapeKind::Final } else { ScrapeKind::Row },
        layout: layout_of(&scrape.layout),
        change: match (&scrape.definition, &scrape.delta) {
            (None, None) => LayoutChange::Known,
            (Some(definition), _) => LayoutChange::Defined(definition_from_proto(definition)),
            (None, Some(delta)) => LayoutChange::Delta {
                base: layout_of(&delta.base),
                removed: delta.removed_slots.clone(),
                appended: definition_from_proto(delta.appended.as_ref().unwrap()),
            },
        },
        row: &scrape.row,
        reference: scrape.reference,
        becomes_reference: scrape.becomes_reference,
        timed: scrape.timed_slots.iter().copied().zip(scrape.timed_offsets.iter().copied()).collect(),
        track_timestamps_staleness: scrape.track_timestamps_staleness,
        histograms: scrape.histogram_slots.iter().copied().zip(histograms).collect(),
        refuse_new_series: None,
    };
    head.append_scrape(&TenantId::default(), &row)
}

fn definition_from_proto(definition: &entry::LayoutDefinition) -> LayoutDefinition {
    let bytes = zstd::decode_all(&definition.series[..]).unwrap();
    let mut rest = &bytes[..];
    let mut series = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (own, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        series.push(Labels::from_canonical_bytes(own).unwrap());
        rest = after;
    }
    assert_eq!(series.len(), definition.series_count as usize);
    let families = Families::decode(&zstd::decode_all(&definition.families[..]).unwrap()[..]).unwrap();
    let families = families.families.into_iter().map(|family| {
        let metric_type = family.metric_type.parse().unwrap();
        (family.name.into(), Metadata { metric_type, help: family.help.into(), unit: family.unit.into() })
    });
    LayoutDefinition {
        common: Labels::from_canonical_bytes(&definition.common_labels).unwrap(),
        series,
        families: families.collect(),
    }
}

fn answer_to_proto(answer: Answer) -> RecordAnswer {
    let outcome = match answer.outcome {
        head::Outcome::Stored => Outcome::Stored,
        head::Outcome::Duplicate => Outcome::Duplicate,
        head::Outcome::TooOld => Outcome::TooOld,
        head::Outcome::TooNew => Outcome::TooNew,
        head::Outcome::UnknownLayout => Outcome::UnknownLayout,
        head::Outcome::UnknownReference => Outcome::UnknownReference,
        head::Outcome::Malformed => Outcome::Malformed,
        head::Outcome::Superseded => Outcome::Superseded,
    };
    RecordAnswer {
        outcome: outcome.into(),
        stored: answer.stored,
        new_series: answer.new_series,
        out_of_order: answer.out_of_order,
        duplicate_timestamp: answer.duplicate_timestamp,
        too_old: answer.too_old,
        refused_series: answer.refused_series,
        reason: answer.reason.map_or_else(String::new, |reason| reason.to_string()),
        ..RecordAnswer::default()
    }
}

fn read_chunk(times: &[u8], bytes: &[u8]) -> Samples {
    let mut row_times = Vec::new();
    chunk::times::Times::parse(times).unwrap().0.decode(&mut row_times).unwrap();
    let parsed = Chunk::parse(bytes).unwrap();
    let mut times = Vec::new();
    let values: Vec<f64> = match parsed.kind() {
        Kind::Floats => {
            let mut values: Vec<f64> = Vec::new();
            parsed.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
            values
        }
        Kind::Histograms => {
            let mut values: Vec<Histogram> = Vec::new();
            parsed.read_into(&row_times, TimeRange::ALL, Markers::Keep, &mut times, &mut values).unwrap();
            values.iter().map(|value| value.sum).collect()
        }
    };
    times.into_iter().zip(values.into_iter().map(|value| (!is_stale(value)).then_some(value))).collect()
}
