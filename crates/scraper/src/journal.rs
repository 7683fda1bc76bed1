//! A list of what was acknowledged, for tests of whole clusters.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use model::{Labels, TargetId};
use parking_lot::Mutex;

use crate::page::Stamp;

/// A file with a line of JSON for each part of a scrape that its shard has acknowledged as stored.
///
/// A line is one write, made after the answer and before anything else is done with it: what a killed process was told is
/// in the file.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Notes an acknowledged part of a scrape with `samples` samples.
    pub(crate) fn note(&self, target: TargetId, labels: &Labels, part: u32, stamp: Stamp, samples: u32) {
        let pairs: Vec<String> =
            labels.iter().map(|(name, value)| format!("{}:{}", json_text(name), json_text(value))).collect();
        let line = format!(
            "{{\"target\":\"{target}\",\"labels\":{{{}}},\"part\":{part},\"tick_ms\":{},\"timestamp_ms\":{},\"samples\":{samples}}}\n",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let labels = Labels::from_pairs([("a", "x\"\\\ny")]);
        let stamp = Stamp { tick_ms: 5, timestamp_ms: 6, wall_ms: 7 };
        for _ in 0..2 {
            Journal::open(&path).unwrap().note(TargetId(1), &labels, 0, stamp, 3);
        }
        let line = "{\"target\":\"00000000000000000000000000000001\",\"labels\":{\"a\":\"x\\\"\\\\\\u000ay\"},\
                    \"part\":0,\"tick_ms\":5,\"timestamp_ms\":6,\"samples\":3}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), line.repeat(2));
    }
}
