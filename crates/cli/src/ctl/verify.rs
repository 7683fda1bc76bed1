//! `ringwood ctl verify`: all that is wrong in a data directory or a bucket, without changing anything.

mod bucket;

use std::path::Path;

use serde_json::{Value, json};
use verify::{Fault, NodeCheck, check_node};

use super::Answer;
use super::cluster::Cluster;
use crate::flags::{BucketSettings, Place};
use crate::table::Table;

/// What was looked at, and found.
#[derive(Debug, Default)]
struct Report {
    faults: Vec<Fault>,
    /// What is worth to know, and no fault.
    notes: Vec<String>,
    /// How much of what there is.
    counts: Vec<(&'static str, u64)>,
}

/// Looks at a bucket, if `what` is a URL, or a data directory.
pub(super) async fn verify(what: &str, settings: &BucketSettings, place: &Place) -> Result<Answer, String> {
    if !what.contains("://") {
        let NodeCheck { faults, notes, counts, .. } = check_node(Path::new(what))?;
        return Ok(answer(Report { faults, notes, counts }));
    }
    let store = super::catalog::open(what, settings)?;
    // Whatever the catalog has now must be in the bucket when that is looked at afterwards.
    let state = match place.is_given() {
        true => Some(Cluster::with_catalog(place).await?.state().await?),
        false => None,
    };
    let begins = |block: &::bucket::Uploaded| {
        eprintln!("block {} ({} bytes)", block.key, block.meta.summary.size_bytes);
    };
    let checked = ::bucket::check_bucket(&store, begins).await.map_err(|error| super::chain(&error))?;
    Ok(answer(bucket::report(checked, state.as_deref())))
}

fn answer(report: Report) -> Answer {
    Answer { is_good: report.faults.is_empty(), text: text_of(&report), data: to_json(&report) }
}

fn to_json(report: &Report) -> Value {
    let fault = |fault: &Fault| {
        let Fault { file, offset, what, means, mend } = fault;
        json!({"file": file, "offset": offset, "what": what, "means": means, "mend": mend})
    };
    let counts = report.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count)));
    json!({
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
        "notes": report.notes,
        "counts": counts.collect::<serde_json::Map<_, _>>(),
    })
}

fn text_of(report: &Report) -> String {
    let mut text = String::new();
    for Fault { file, offset, what, means, mend } in &report.faults {
        let at = offset.map_or_else(String::new, |offset| format!(" at byte {offset}"));
        text.push_str(&format!("FAULT  {file}{at}\n       {what}\n       {means}\n       mend: {mend}\n"));
    }
    report.notes.iter().for_each(|note| text.push_str(&format!("note   {note}\n")));
    let mut table = Table::new(&["LOOKED AT", "COUNT"]);
    report.counts.iter().for_each(|(name, count)| table.row(vec![(*name).to_owned(), count.to_string()]));
    table.row(vec!["faults".to_owned(), report.faults.len().to_string()]);
    text + &table.to_text()
}
