//! The rows of a scrape on their way to their shards.

mod split;
mod tree;

use std::sync::Arc;

use bytes::Bytes;
use distributor::{Delivery, Distributor, Outgoing};
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{LayoutHash, TargetId, TenantId};
use proto::entry::{self, Outcome, Record, RecordAnswer, ScrapeKind, record};

pub(crate) use tree::Told;

use crate::page::{Extras, LayoutChange, PartRow, Settled, Stamp};

/// How often a record is repeated with something that its shard lacked: the layout, the reference, once more each.
const REPAIRS: u32 = 4;

/// Where records go.
pub trait Sink: Send + Sync + 'static {
    /// Takes records in: they are on their way when this returns. The future tells what became of them, in their order.
    fn append(&self, records: Vec<Outgoing>) -> BoxFuture<'static, Vec<Delivery>>;
}

impl Sink for Distributor {
    fn append(&self, records: Vec<Outgoing>) -> BoxFuture<'static, Vec<Delivery>> {
        Distributor::append(self, records).boxed()
    }
}

/// What all parts of a scrape have in common.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) tenant: TenantId,
    pub(crate) target: TargetId,
    pub(crate) owner_epoch: u64,
    pub(crate) interval_ms: i64,
    pub(crate) stamp: Stamp,
}

/// When the parts of a scrape are sent: see [`tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turns {
    Together,
    AfterParents,
}

/// One part of a scrape.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    header: Header,
    part: u32,
    parts: u32,
    outgoing: Outgoing,
    /// Nothing, of a final record.
    row: Option<PartRow>,
    settled: Settled,
}

/// What became of a part of a scrape.
#[derive(Clone, Debug)]
pub(crate) struct Shipped {
    pub(crate) part: u32,
    pub(crate) stamp: Stamp,
    pub(crate) samples: u32,
    pub(crate) settled: Settled,
    pub(crate) delivery: Delivery,
}

impl Shipment {
    /// The rows of a scrape.
    pub(crate) fn rows(header: &Header, rows: Vec<PartRow>) -> Vec<Self> {
        let parts = rows.len() as u32;
        (0u32..).zip(rows).map(|(part, row)| Self::row(header, part, parts, row)).collect()
    }

    fn row(header: &Header, part: u32, parts: u32, mut row: PartRow) -> Self {
        let scrape = scrape_of_row(header, part, parts, &row);
        let outgoing = outgoing(header, scrape, row.samples);
        let settled = Settled {
            sent_as: row.layout,
            layout: row.layout,
            becomes: row.becomes.clone(),
            is_reference: row.becomes.is_some(),
            unknown_reference: None,
            told_starts: row.starts.are_told.then(|| row.starts.all.clone()),
            tellings: row.starts.tellings,
            outcome: None,
            told: None,
        };
        // They are in the record, and may have to wait there for long.
        row.extras = Extras::default();
        Self { header: header.clone(), part, parts, outgoing, row: Some(row), settled }
    }

    /// What tells every part of a target that it left discovery.
    pub(crate) fn final_records(header: &Header, parts: u32) -> Vec<Self> {
        let shipment = |part| {
            let scrape = entry::Scrape { kind: ScrapeKind::Final.into(), ..scrape(header, part, parts) };
            let nowhere = LayoutHash(0);
            let settled = Settled {
                sent_as: nowhere,
                layout: nowhere,
                becomes: None,
                is_reference: false,
                unknown_reference: None,
                told_starts: None,
                tellings: 0,
                outcome: None,
                told: None,
            };
            let outgoing = outgoing(header, scrape, 0);
            Self { header: header.clone(), part, parts, outgoing, row: None, settled }
        };
        (0..parts).map(shipment).collect()
    }

    /// The record, and what is to be known when it is answered.
    pub(crate) fn into_parts(self) -> (Record, Settled) {
        (self.outgoing.record, self.settled)
    }

    /// Repeats the record with what its shard lacked, as often as that is worth while. Returns the last answer.
    async fn repair(&mut self, mut delivery: Delivery, sink: &dyn Sink) -> Delivery {
        for _ in 0..REPAIRS {
            match delivery.as_ref().map(RecordAnswer::outcome) {
                Ok(Outcome::UnknownLayout) => self.define(),
                Ok(Outcome::UnknownReference) => self.stand_alone(),
                _ => break,
            }
            let deliveries = sink.append(vec![self.outgoing.clone()]).await;
            delivery = deliveries.into_iter().next().unwrap_or(delivery);
        }
        delivery
    }

    /// The record as several ones, if its shard has said that the target has more parts: the first takes its place, and the
    /// others were split off from it.
    fn split(&self, delivery: &Delivery) -> Option<Vec<Self>> {
        let answer = delivery.as_ref().ok().filter(|answer| answer.outcome() == Outcome::Split)?;
        let Some(record::Record::Scrape(scrape)) = &self.outgoing.record.record else { return None };
        if answer.parts <= self.parts || !answer.parts.is_power_of_two() {
            return None;
        }
        let rows = split::split(scrape, self.row.as_ref()?, answer.parts);
        let pieces = rows.into_iter().map(|(part, row)| Self::row(&self.header, part, answer.parts, row));
        let mut pieces: Vec<Self> = pieces.collect();
        // What was to become a reference does not.
        pieces[0].settled.becomes.clone_from(&self.settled.becomes);
        Some(pieces)
    }

    /// What became of it.
    fn shipped(self, delivery: Delivery) -> Shipped {
        let answer = delivery.as_ref().ok();
        let settled =
            Settled { outcome: answer.map(RecordAnswer::outcome), told: answer.and_then(Told::by), ..self.settled };
        Shipped { part: self.part, stamp: self.header.stamp, samples: self.outgoing.samples, settled, delivery }
    }

    /// Says the layout from scratch. By its new name, no reference is known.
    fn define(&mut self) {
        let Some(row) = &self.row else { return };
        let definition = row.definition.clone();
        if let Some(record::Record::Scrape(scrape)) = &mut self.outgoing.record.record {
            scrape.layout = hash_bytes(definition.name);
            scrape.definition = Some(definition.message.clone());
            scrape.delta = None;
            put_starts(scrape, row);
        }
        self.settled.told_starts = Some(row.starts.all.clone());
        self.settled.layout = definition.name;
        self.stand_alone();
    }

    /// Encodes the row anew, without a reference.
    fn stand_alone(&mut self) {
        let Some(row) = &mut self.row else { return };
        let Some(reference) = row.reference.take() else { return };
        let mut values = vec![0.0; reference.values.len()];
        let decoded = chunk::row::decode(&row.row, Some(&reference.values), &mut values);
        let (present, _) = decoded.expect("it was encoded by this process, with this reference");
        let mut encoded = Vec::with_capacity(row.row.len());
        chunk::row::encode(&values, present.as_deref(), None, &mut encoded);
        row.row = encoded.into();
        if let Some(record::Record::Scrape(scrape)) = &mut self.outgoing.record.record {
            scrape.row = row.row.clone();
            scrape.reference = 0;
            // Absent slots mean other values now, so that it would be another reference.
            scrape.becomes_reference = false;
        }
        self.settled.is_reference = false;
        self.settled.unknown_reference = Some(reference);
    }
}

/// Sends the parts of a scrape: those whose turn it is are on their way when this returns.
pub(crate) fn ship(sink: Arc<dyn Sink>, shipments: Vec<Shipment>, turns: Turns) -> BoxFuture<'static, Vec<Shipped>> {
    let is_due = |shipment: &Shipment| turns == Turns::Together || tree::parent(shipment.part).is_none();
    let (due, waiting): (Vec<Shipment>, Vec<Shipment>) = shipments.into_iter().partition(is_due);
    let first = append(&*sink, &due);
    async move {
        let answered = due.into_iter().zip(first.await).collect();
        Shipping { sink, answered, waiting, shipped: Vec::new() }.finish().await
    }
    .boxed()
}

/// The parts of a scrape on their way.
struct Shipping {
    sink: Arc<dyn Sink>,
    answered: Vec<(Shipment, Delivery)>,
    /// Parts that wait for the one from which they were split off.
    waiting: Vec<Shipment>,
    shipped: Vec<Shipped>,
}

impl Shipping {
    async fn finish(mut self) -> Vec<Shipped> {
        while let Some((mut shipment, delivery)) = self.answered.pop() {
            let delivery = shipment.repair(delivery, &*self.sink).await;
            if let Some(pieces) = shipment.split(&delivery) {
                let (first, others): (Vec<_>, Vec<_>) =
                    pieces.into_iter().partition(|piece| piece.part == shipment.part);
                self.waiting.extend(others);
                self.send(first).await;
                continue;
            }
            let tick_ms = shipment.header.stamp.tick_ms;
            if delivery.as_ref().is_ok_and(|answer| tree::is_split(answer, shipment.parts, tick_ms)) {
                let is_due = |other: &mut Shipment| tree::parent(other.part) == Some(shipment.part);
                let due = self.waiting.extract_if(.., is_due).collect();
                self.send(due).await;
            } else {
                self.give_up_split_off(shipment.part, &delivery);
            }
            self.shipped.push(shipment.shipped(delivery));
        }
        debug_assert!(self.waiting.is_empty(), "each part was split off from one that was sent");
        self.shipped
    }

    async fn send(&mut self, due: Vec<Shipment>) {
        if !due.is_empty() {
            let deliveries = append(&*self.sink, &due).await;
            self.answered.extend(due.into_iter().zip(deliveries));
        }
    }

    /// What was split off from a part has its fate, for the tick is in fewer parts, or nowhere.
    fn give_up_split_off(&mut self, part: u32, delivery: &Delivery) {
        let delivery = delivery.as_ref().map_err(|dropped| *dropped);
        let delivery = delivery.map(|answer| RecordAnswer { outcome: answer.outcome, ..RecordAnswer::default() });
        let is_split_off = |other: &mut Shipment| {
            let above = std::iter::successors(tree::parent(other.part), |part| tree::parent(*part));
            above.into_iter().any(|parent| parent == part)
        };
        let given_up = self.waiting.extract_if(.., is_split_off);
        self.shipped.extend(given_up.map(|shipment| shipment.shipped(delivery.clone())));
    }
}

fn append(sink: &dyn Sink, shipments: &[Shipment]) -> BoxFuture<'static, Vec<Delivery>> {
    sink.append(shipments.iter().map(|shipment| shipment.outgoing.clone()).collect())
}

fn outgoing(header: &Header, scrape: entry::Scrape, samples: u32) -> Outgoing {
    let slot = ring::slot_of_target(header.target, scrape.part);
    let tenant = header.tenant.as_str().to_owned();
    let record = Record { tenant, record: Some(record::Record::Scrape(scrape)), verdict: None };
    Outgoing { slot, record, samples }
}

fn scrape(header: &Header, part: u32, parts: u32) -> entry::Scrape {
    entry::Scrape {
        target_id: Bytes::copy_from_slice(&header.target.0.to_be_bytes()),
        part,
        parts,
        owner_epoch: header.owner_epoch,
        tick_ms: header.stamp.tick_ms,
        timestamp_ms: header.stamp.timestamp_ms,
        interval_ms: header.interval_ms,
        ..entry::Scrape::default()
    }
}

fn scrape_of_row(header: &Header, part: u32, parts: u32, row: &PartRow) -> entry::Scrape {
    let extras = &row.extras;
    let mut histograms = Vec::new();
    let encoded = chunk::histograms::encode(&extras.histograms, &mut histograms);
    encoded.expect("each was checked, and they were counted, when the page was read");
    let (definition, delta) = match &row.change {
        LayoutChange::Known => (None, None),
        LayoutChange::Defined => (Some(row.definition.message.clone()), None),
        LayoutChange::Delta(delta) => (None, Some(delta.clone())),
    };
    let mut scrape = entry::Scrape {
        layout: hash_bytes(row.layout),
        definition,
        delta,
        row: row.row.clone(),
        reference: row.reference.as_ref().map_or(0, |reference| reference.hash),
        becomes_reference: row.becomes.is_some(),
        timed_slots: extras.timed_slots.clone(),
        timed_offsets: extras.timed_offsets.clone(),
        track_timestamps_staleness: extras.track_timestamps_staleness,
        histogram_slots: extras.histogram_slots.clone(),
        histograms: histograms.into(),
        exemplars: extras.exemplars.clone(),
        ..scrape(header, part, parts)
    };
    if row.starts.are_told {
        put_starts(&mut scrape, row);
    }
    scrape
}

/// Says when the counters of a row began.
fn put_starts(scrape: &mut entry::Scrape, row: &PartRow) {
    let starts = &row.starts.all;
    scrape.start_slots = starts.iter().map(|(slot, _)| *slot).collect();
    scrape.start_ages = starts.iter().map(|(_, start)| scrape.timestamp_ms.saturating_sub(*start)).collect();
    let says_layout = scrape.definition.is_some() || scrape.delta.is_some();
    let has_slots = row.definition.message.series_count > 0;
    if starts.is_empty() && !says_layout && has_slots {
        // That of no slot the start is known is said by a slot whose start is none: no list at all would change nothing.
        scrape.start_slots.push(0);
        scrape.start_ages.push(scrape.timestamp_ms);
    }
}

fn hash_bytes(hash: LayoutHash) -> Bytes {
    Bytes::copy_from_slice(&hash.0.to_be_bytes())
}
