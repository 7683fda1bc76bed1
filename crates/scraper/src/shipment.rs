//! The rows of a scrape on their way to their shards.

use std::sync::Arc;

use bytes::Bytes;
use distributor::{Delivery, Distributor, Outgoing};
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{LayoutHash, TargetId, TenantId};
use proto::entry::{self, Outcome, Record, ScrapeKind, record};

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

/// One part of a scrape.
#[derive(Clone, Debug)]
pub(crate) struct Shipment {
    part: u32,
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
        let rows = (0u32..).zip(rows);
        rows.map(|(part, mut row)| {
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
            };
            // They are in the record, and may have to wait there for long.
            row.extras = Extras::default();
            Self { part, outgoing, row: Some(row), settled }
        })
        .collect()
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
            };
            Self { part, outgoing: outgoing(header, scrape, 0), row: None, settled }
        };
        (0..parts).map(shipment).collect()
    }

    /// The record, and what is to be known when it is answered.
    pub(crate) fn into_parts(self) -> (Record, Settled) {
        (self.outgoing.record, self.settled)
    }

    /// Repeats the record with what its shard lacked, as often as that is worth while, and says what became of it.
    async fn finish(mut self, mut delivery: Delivery, stamp: Stamp, sink: &dyn Sink) -> Shipped {
        for _ in 0..REPAIRS {
            match delivery.as_ref().map(entry::RecordAnswer::outcome) {
                Ok(Outcome::UnknownLayout) => self.define(),
                Ok(Outcome::UnknownReference) => self.stand_alone(),
                _ => break,
            }
            let deliveries = sink.append(vec![self.outgoing.clone()]).await;
            delivery = deliveries.into_iter().next().unwrap_or(delivery);
        }
        self.settled.outcome = delivery.as_ref().ok().map(entry::RecordAnswer::outcome);
        Shipped { part: self.part, stamp, samples: self.outgoing.samples, settled: self.settled, delivery }
    }

    /// Says the layout from scratch. By its new name, no reference is known.
    fn define(&mut self) {
        let Some(row) = &self.row else { return };
        let definition = row.definition.clone();
        if let Some(record::Record::Scrape(scrape)) = &mut self.outgoing.record.record {
            scrape.layout = hash_bytes(definition.name);
            scrape.definition = Some(definition.message.clone());
            scrape.delta = None;
            put_starts(scrape, &row.starts.all);
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

/// Sends the parts of a scrape. They are on their way when this returns.
pub(crate) fn ship(sink: Arc<dyn Sink>, stamp: Stamp, shipments: Vec<Shipment>) -> BoxFuture<'static, Vec<Shipped>> {
    let first = sink.append(shipments.iter().map(|shipment| shipment.outgoing.clone()).collect());
    async move {
        let mut shipped = Vec::with_capacity(shipments.len());
        for (shipment, delivery) in shipments.into_iter().zip(first.await) {
            shipped.push(shipment.finish(delivery, stamp, &*sink).await);
        }
        shipped
    }
    .boxed()
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
        put_starts(&mut scrape, &row.starts.all);
    }
    scrape
}

/// Says when the counters of a row began.
fn put_starts(scrape: &mut entry::Scrape, starts: &[(u32, i64)]) {
    scrape.start_slots = starts.iter().map(|(slot, _)| *slot).collect();
    scrape.start_ages = starts.iter().map(|(_, start)| scrape.timestamp_ms.saturating_sub(*start)).collect();
    let says_layout = scrape.definition.is_some() || scrape.delta.is_some();
    if starts.is_empty() && !says_layout {
        // That of no slot the start is known is said by a slot whose start is none: no list at all would change nothing.
        scrape.start_slots.push(0);
        scrape.start_ages.push(scrape.timestamp_ms);
    }
}

fn hash_bytes(hash: LayoutHash) -> Bytes {
    Bytes::copy_from_slice(&hash.0.to_be_bytes())
}
