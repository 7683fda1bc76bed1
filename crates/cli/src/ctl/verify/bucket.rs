//! A bucket, and the catalog that says what is in it.

use api::rfc3339;
use bucket::{BucketCheck, BucketFault, FaultKind};
use meta::{Block, ClusterState};
use model::{BlockId, Timestamp};
use verify::Fault;

use super::Report;
use crate::ctl::catalog::Difference;

/// What is to be said of a bucket, and of how a catalog fits it.
pub(super) fn report(check: BucketCheck, state: Option<&ClusterState>) -> Report {
    let counts = vec![
        ("objects", check.object_count as u64),
        ("object bytes", check.size_bytes),
        ("blocks", check.blocks.len() as u64),
        ("series", check.blocks.iter().map(|block| block.meta.summary.series_count).sum()),
        ("samples", check.blocks.iter().map(|block| block.meta.summary.sample_count).sum()),
    ];
    let mut report = Report { counts, ..Report::default() };
    for fault in &check.faults {
        let block = check.blocks.iter().find(|block| block.key == fault.key);
        let range = block.map(|block| (block.meta.origin.tenant.to_string(), block.meta.summary.range));
        let range = range.map(|(tenant, range)| format!("of tenant {tenant} {}", times(range)));
        report.faults.push(of_object(fault, &range.unwrap_or_else(|| "of a block".to_owned())));
    }
    for object in &check.unnamed {
        report.notes.push(format!(
            "{} ({} bytes) is named by nobody: left of an upload that came to nothing, under way, or none of ours",
            object.key, object.size_bytes
        ));
    }
    match state {
        Some(state) => catalog(&check, state, &mut report),
        None => report.notes.push("not compared with a catalog: --cluster.peers or --url says with which".to_owned()),
    }
    report
}

fn times(range: model::TimeRange) -> String {
    format!("from {} to {}", rfc3339(range.start()), rfc3339(Timestamp(range.end().as_ms() - 1)))
}

fn of_object(fault: &BucketFault, samples: &str) -> Fault {
    let restore = "restore the object from a copy or from the store's versions; else `ringwood ctl catalog rebuild`";
    let (means, mend) = match fault.kind {
        FaultKind::Meta => (
            "the block is in no catalog that is rebuilt".to_owned(),
            "restore the object from a copy or from the store's versions".to_owned(),
        ),
        FaultKind::Missing => (
            format!("samples {samples} are gone"),
            format!("{restore} forgets the block, and queries answer without it"),
        ),
        FaultKind::Block => (
            format!("samples {samples} may be unreadable: queries that need a damaged page fail"),
            "restore the object from a copy or from the store's versions".to_owned(),
        ),
        FaultKind::Catalog => {
            ("a saved catalog is lost; the cluster has its own".to_owned(), "delete the object".to_owned())
        }
    };
    Fault { file: fault.key.clone(), offset: fault.offset, what: fault.what.clone(), means, mend }
}

/// How a catalog differs from the blocks that there are.
fn catalog(check: &BucketCheck, state: &ClusterState, report: &mut Report) {
    let has_file = |block: &Block| {
        let is_named = check.blocks.iter().any(|known| known.key == block.key)
            && !check.faults.iter().any(|fault| fault.key == block.key && fault.kind == FaultKind::Missing);
        is_named || check.unnamed.iter().any(|object| object.key == block.key)
    };
    let difference = Difference::of(state, &check.blocks, has_file);
    report.counts.push(("catalog", state.blocks.len() as u64));
    let fault = |id: BlockId, file: String, what: &str, means: String, mend: &str| Fault {
        file,
        offset: None,
        what: format!("block {id}: {what}"),
        means,
        mend: mend.to_owned(),
    };
    let rebuild = "ringwood ctl catalog rebuild --dry-run, and without it";
    let is_said = |block: &Block| check.faults.iter().any(|fault| fault.key == block.key);
    for (id, block) in difference.missing.iter().filter(|(_, block)| !is_said(block)) {
        let means = format!("queries for what is older than shards hold fail {}", times(block.range));
        report.faults.push(fault(
            *id,
            block.key.clone(),
            "the catalog has it, and the bucket does not",
            means,
            rebuild,
        ));
    }
    for (id, block) in &difference.changed {
        let means = "queries may fail, or read another file than they should".to_owned();
        report.faults.push(fault(*id, block.key.clone(), "the catalog says something else of it", means, rebuild));
    }
    for (id, block) in &difference.unknown {
        let means = format!(
            "nobody reads samples of tenant {} {}, unless it is being shipped now",
            block.tenant,
            times(block.range)
        );
        report.faults.push(fault(*id, block.key.clone(), "the catalog does not have it", means, rebuild));
    }
    for (id, block) in &difference.foreign {
        let means = format!("nobody reads samples of tenant {} {}", block.tenant, times(block.range));
        let what = "it is of another cluster, and not in the catalog";
        report.notes.push(format!("{}: block {id}: {what}; {means}", block.key));
    }
}
