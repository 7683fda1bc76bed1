//! Layouts as they are sent.

use std::collections::HashMap;

use bytes::Bytes;
use model::{Labels, LayoutHash, Metadata};
use prost::Message;
use proto::entry::{self, Families, Family};
use xxhash_rust::xxh3::Xxh3;

/// What a record says about its layout.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LayoutChange {
    /// Nothing: the shard has stored a row of it.
    Known,
    /// What it is.
    Defined,
    /// What makes it different from another one.
    Delta(entry::LayoutDelta),
}

/// A layout as it is sent, compressed, so that it costs little to keep.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) message: entry::LayoutDefinition,
    /// The name of the layout when it is said in this way.
    pub(crate) name: LayoutHash,
}

/// Weak and fast: definitions are sent once, and wait in memory for the day when they are needed again.
const COMPRESSION_LEVEL: i32 = 1;

impl Definition {
    /// The definition of these series, in their order.
    pub(crate) fn new(series: &[&Labels], families: &[(Box<str>, Metadata)]) -> Self {
        let definition = split(series, families);
        let name = definition.hash();
        Self { message: encode(&definition), name }
    }

    /// The whole labels of its series, in order.
    pub(crate) fn series(&self) -> Vec<Labels> {
        let bytes = zstd::decode_all(&self.message.series[..]).expect("it was compressed by this process");
        let common = Labels::from_canonical_bytes(&self.message.common_labels).expect("it was written by this process");
        let mut rest = &bytes[..];
        let mut series = Vec::with_capacity(self.message.series_count as usize);
        while let Some((length, after)) = rest.split_first_chunk() {
            let (own, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            let own = Labels::from_canonical_bytes(own).expect("it was written by this process");
            series.push(Labels::from_pairs(common.iter().chain(own.iter())));
            rest = after;
        }
        series
    }
}

/// The name of the layout that a delta makes, and the delta as it is sent.
pub(super) fn delta(
    base: LayoutHash,
    removed: Vec<u32>,
    appended: &[&Labels],
    families: &[(Box<str>, Metadata)],
) -> (LayoutHash, entry::LayoutDelta) {
    let appended = split(appended, families);
    let name = head::Layout::delta_hash(base, &removed, &appended);
    let base = Bytes::copy_from_slice(&base.0.to_be_bytes());
    (name, entry::LayoutDelta { base, removed_slots: removed, appended: Some(encode(&appended)) })
}

/// A hash of what a page says about its families.
pub(super) fn families_hash(families: &[(Box<str>, Metadata)]) -> u128 {
    let mut hash = Xxh3::new();
    for (name, metadata) in families {
        for text in [name, metadata.metric_type.as_str(), &metadata.help, &metadata.unit] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
    }
    hash.digest128()
}

/// Splits off the labels that all series share.
fn split(series: &[&Labels], families: &[(Box<str>, Metadata)]) -> head::LayoutDefinition {
    let common = match series {
        [] => Labels::empty(),
        // The name of a single series is as good as shared, but names look odd there.
        [first, others @ ..] => {
            let shared = |pair: &(&str, &str)| others.iter().all(|labels| labels.get(pair.0) == Some(pair.1));
            Labels::from_sorted(first.iter().filter(|(name, _)| *name != model::METRIC_NAME).filter(shared))
        }
    };
    let names: Vec<&str> = common.iter().map(|(name, _)| name).collect();
    let own = series.iter().map(|labels| labels.without(&names)).collect();
    head::LayoutDefinition { common, series: own, families: families.to_vec() }
}

fn encode(definition: &head::LayoutDefinition) -> entry::LayoutDefinition {
    let mut series = Vec::new();
    for labels in &definition.series {
        let bytes = labels.canonical_bytes();
        series.extend((bytes.len() as u32).to_le_bytes());
        series.extend(bytes);
    }
    let families = definition.families.iter().map(|(name, metadata)| Family {
        name: name.to_string(),
        metric_type: metadata.metric_type.as_str().to_owned(),
        help: metadata.help.to_string(),
        unit: metadata.unit.to_string(),
    });
    let families = Families { families: families.collect() };
    entry::LayoutDefinition {
        common_labels: Bytes::copy_from_slice(definition.common.canonical_bytes()),
        series_count: definition.series.len() as u32,
        series: compress(&series),
        families: compress(&families.encode_to_vec()),
    }
}

fn compress(bytes: &[u8]) -> Bytes {
    zstd::bulk::compress(bytes, COMPRESSION_LEVEL).expect("memory can be compressed into memory").into()
}

/// Places by labels.
pub(super) fn places(series: &[Labels]) -> HashMap<&Labels, u32> {
    series.iter().zip(0u32..).collect()
}
