//! A shard that takes everything in, by the rules of the real ones.

use std::collections::BTreeMap;

use chunk::{Chunk, Kind, Markers};
use consensus::StateMachine;
use distributor::{Delivery, Outgoing};
use futures::FutureExt;
use futures::future::BoxFuture;
use head::HeadLimits;
use model::{Histogram, TargetId, TenantId, TimeRange, is_stale};
use parking_lot::Mutex;
use prost::Message;
use proto::entry::{self, Outcome, RecordAnswer, Scrape, record};
use shard::ShardMachine;

use crate::shipment::Sink;

/// A shard of its own for each part of a target.
#[derive(Debug)]
pub(crate) struct FakeShard {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shards: BTreeMap<u32, ShardMachine>,
    /// Every record, with what was answered.
    log: Vec<(Scrape, Outcome)>,
    /// Shards that forget everything but their samples lose layouts; this asks for it once.
    answers_to_give: Vec<Outcome>,
}

/// What can be read of a series: times with values, a histogram's sum; markers are `None`.
pub(crate) type Samples = Vec<(i64, Option<f64>)>;

impl FakeShard {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { shards: BTreeMap::new(), log: Vec::new(), answers_to_give: Vec::new() }) }
    }

    /// Forgets all samples and layouts.
    pub(crate) fn forget(&self) {
        self.state.lock().shards.clear();
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
        for shard in self.state.lock().shards.values() {
            for series in shard.view().select(&TenantId::default(), &[], TimeRange::ALL).map(Result::unwrap) {
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
        let said = state.shards.values().flat_map(|shard| shard.view().metadata(&TenantId::default(), None));
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
                let new = || ShardMachine::new(HeadLimits::default());
                append(state.shards.entry(scrape.part).or_insert_with(new), scrape)
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

fn append(shard: &mut ShardMachine, scrape: &Scrape) -> RecordAnswer {
    let record = record::Record::Scrape(scrape.clone());
    let record = entry::Record { tenant: TenantId::DEFAULT.to_owned(), record: Some(record), verdict: None };
    let batch = entry::Batch { records: vec![record], feature_level: head::PARTS_ARE_KEPT, ..entry::Batch::default() };
    let command = entry::Entry { entry: Some(entry::entry::Entry::Batch(batch)) };
    let answer = shard.apply(1, command.encode_to_vec().into()).unwrap();
    entry::Answer::decode(answer).unwrap().records.remove(0)
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
