//! Names and values of labels as messages.

use std::sync::Arc;

use proto::select;
use proto::select::shard_error::Kind;

use super::exemplars::MOST_BYTES;

/// The answer of a shard: no more texts than `limit`, and an error if they are larger than they may be (0: as a message).
pub(super) fn reply(
    shard: u32,
    header: select::Header,
    mut texts: Vec<Arc<str>>,
    limit: usize,
    limit_bytes: u64,
) -> select::ShardLabels {
    let truncated = texts.len() > limit;
    texts.truncate(limit);
    let limit = if limit_bytes == 0 { MOST_BYTES } else { limit_bytes.min(MOST_BYTES) };
    // Beside itself, a text takes a tag and a length.
    let bytes: u64 = texts.iter().map(|text| text.len() as u64 + 4).sum();
    if bytes > limit {
        let message = format!("labels of {bytes} bytes are more than the {limit} that an answer may have");
        let error = Some(select::ShardError { kind: Kind::TooLarge.into(), message });
        return select::ShardLabels { shard, error, ..Default::default() };
    }
    let texts = texts.iter().map(|text| text.to_string()).collect();
    select::ShardLabels { shard, header: Some(header), texts, error: None, truncated }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_too_many_are_cut_off_and_those_too_large_refused() {
        let texts = || vec![Arc::from("a"), Arc::from("bc"), Arc::from("d")];
        let reply = |limit, limit_bytes| super::reply(7, select::Header::default(), texts(), limit, limit_bytes);
        let whole = reply(usize::MAX, 16);
        assert_eq!((whole.texts.len(), whole.truncated, whole.error), (3, false, None));
        let cut = reply(2, 15);
        assert_eq!((cut.texts.len(), cut.truncated, cut.error), (2, true, None));
        let refused = reply(usize::MAX, 15);
        assert_eq!(refused.error.map(|error| error.kind()), Some(Kind::TooLarge));
        assert_eq!(reply(usize::MAX, 0).texts.len(), 3);
    }
}
