//! Layouts as they are sent.

use std::collections::HashMap;

use bytes::Bytes;
use model::{Labels, LayoutHash, Metadata};
use proto::entry;
use shard::encode_definition;
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

impl Definition {
    /// The definition of these series, in their order.
    pub(crate) fn new(series: &[&Labels], families: &[(Box<str>, Metadata)]) -> Self {
        let definition = split(series, families);
        let name = definition.hash();
        Self { message: encode_definition(&definition), name }
    }

    /// The whole labels of its series, in order.
    pub(crate) fn series(&self) -> Vec<Labels> {
        let definition = shard::decode_definition(&self.message).expect("it was encoded by this process");
        let common = &definition.common;
        let whole = definition.series.iter().map(|own| Labels::from_pairs(common.iter().chain(own.iter())));
        whole.collect()
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
    (name, entry::LayoutDelta { base, removed_slots: removed, appended: Some(encode_definition(&appended)) })
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

/// Places by labels.
pub(super) fn places(series: &[Labels]) -> HashMap<&Labels, u32> {
    series.iter().zip(0u32..).collect()
}
