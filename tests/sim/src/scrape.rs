//! Targets that are scraped without a network.

use bytes::Bytes;
use head::LayoutDefinition;
use model::{Labels, TargetId};
use proto::entry;

/// A target with some series.
pub struct FakeTarget {
    id: TargetId,
    definition: LayoutDefinition,
}

impl FakeTarget {
    /// Target `number`, with `series` series named `m0`, `m1`, … .
    pub fn new(number: u32, series: u32) -> Self {
        Self::alike(number, series, number)
    }

    /// Another target, `number`, whose series have the labels of those of target `like`.
    pub fn alike(number: u32, series: u32, like: u32) -> Self {
        let instance = like.to_string();
        let name = |at| Labels::from_pairs([("__name__", format!("m{at}").as_str())]);
        let definition = LayoutDefinition {
            common: Labels::from_pairs([("instance", instance.as_str()), ("job", "fake")]),
            series: (0..series).map(name).collect(),
            families: Vec::new(),
        };
        Self { id: TargetId(u128::from(number) + 1), definition }
    }

    /// The slot of its only part.
    pub fn slot(&self) -> model::Slot {
        ring::slot_of_target(self.id, 0)
    }

    /// The record of a scrape at a tick, with these values.
    pub fn scrape(&self, tick_ms: i64, values: &[f64]) -> entry::Record {
        let mut row = Vec::new();
        chunk::row::encode(values, None, None, &mut row);
        let scrape = entry::Scrape {
            target_id: Bytes::copy_from_slice(&self.id.0.to_be_bytes()),
            part: 0,
            parts: 1,
            owner_epoch: 1,
            tick_ms,
            timestamp_ms: tick_ms,
            interval_ms: 1000,
            layout: Bytes::copy_from_slice(&self.definition.hash().0.to_be_bytes()),
            definition: Some(shard::encode_definition(&self.definition)),
            row: row.into(),
            ..Default::default()
        };
        let record = Some(entry::record::Record::Scrape(scrape));
        entry::Record { tenant: model::TenantId::DEFAULT.to_owned(), record, verdict: None }
    }
}
