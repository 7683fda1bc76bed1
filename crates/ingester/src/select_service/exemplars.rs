//! Exemplars as messages.

use bytes::Bytes;
use model::{Exemplar, Labels};
use prost::Message;
use proto::select;
use proto::select::shard_error::Kind;

/// The largest answer that is sent: they come in one message, and one of those may have no more (see `node`).
pub(super) const MOST_BYTES: u64 = 48 << 20;

/// The answer of a shard, unless it is larger than it may be.
pub(super) fn reply(found: Vec<(Labels, Vec<Exemplar>)>, limit_bytes: u64) -> select::ExemplarsReply {
    let series = found.into_iter().map(|(labels, exemplars)| select::SeriesExemplars {
        labels: Bytes::copy_from_slice(labels.canonical_bytes()),
        exemplars: exemplars.iter().map(exemplar).collect(),
    });
    let reply = select::ExemplarsReply { series: series.collect(), error: None };
    let limit = if limit_bytes == 0 { MOST_BYTES } else { limit_bytes.min(MOST_BYTES) };
    let bytes = reply.encoded_len() as u64;
    if bytes <= limit {
        return reply;
    }
    let message = format!("exemplars of {bytes} bytes are more than the {limit} that an answer may have");
    let error = select::ShardError { kind: Kind::TooLarge.into(), message };
    select::ExemplarsReply { series: Vec::new(), error: Some(error) }
}

fn exemplar(exemplar: &Exemplar) -> select::Exemplar {
    select::Exemplar {
        labels: Bytes::copy_from_slice(exemplar.labels.canonical_bytes()),
        value: exemplar.value,
        timestamp_ms: exemplar.timestamp.as_ms(),
    }
}
