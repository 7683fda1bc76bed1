//! A list of what was acknowledged, for tests of whole clusters.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use parking_lot::Mutex;

use crate::shipment::Shipped;
use crate::target::Target;

/// A file with a line of JSON for each part of a scrape that its shard has acknowledged.
///
/// Where the outcome is `duplicate`, the tick was stored before: by a try whose answer was lost, or by another scraper, whose
/// samples may have another time.
/// A line is one write, made after the answer and before anything else is done with it: what a killed process was told is
/// in the file.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Notes an acknowledged part of a scrape.
    pub(crate) fn note(&self, target: &Target, shipped: &Shipped, outcome: &str) {
        let Shipped { part, stamp, samples, .. } = shipped;
        let (id, labels) = (target.id, &target.labels);
        let pairs: Vec<String> =
            labels.iter().map(|(name, value)| format!("{}:{}", json_text(name), json_text(value))).collect();
        let line = format!(
            "{{\"target\":\"{id}\",\"labels\":{{{}}},\"part\":{part},\"tick_ms\":{},\"timestamp_ms\":{},\"samples\":{samples},\
             \"outcome\":\"{outcome}\"}}\n",
            pairs.join(","),
            stamp.tick_ms,
            stamp.timestamp_ms,
        );
        if let Err(error) = self.0.lock().write_all(line.as_bytes()) {
            tracing::error!(%error, "the journal cannot be written");
        }
    }
}

fn json_text(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}
