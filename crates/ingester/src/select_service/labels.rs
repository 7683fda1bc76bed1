//! Names and values of labels as messages.

use proto::select;
use proto::select::shard_error::Kind;
use series::Texts;

use super::exemplars::MOST_BYTES;

/// What the answer of a shard may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The most texts; 0: all.
    limit: usize,
    /// More bytes than these are an error.
    limit_bytes: u64,
    /// Whether the texts come in one piece.
    is_joined: bool,
}

impl Form {
    pub(super) fn of(request: &select::LabelsRequest) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        // 0: as many as a message may have.
        let limit_bytes = if request.limit_bytes == 0 { MOST_BYTES } else { request.limit_bytes.min(MOST_BYTES) };
        Self { limit, limit_bytes, is_joined: request.takes_joined }
    }

    /// The answer of a shard.
    pub(super) fn reply(self, shard: u32, header: select::Header, texts: Texts) -> select::ShardLabels {
        let texts = texts.cut(self.limit);
        let bytes = texts.size_bytes() as u64;
        if bytes > self.limit_bytes {
            let message =
                format!("labels of {bytes} bytes are more than the {} that an answer may have", self.limit_bytes);
            let error = Some(select::ShardError { kind: Kind::TooLarge.into(), message });
            return select::ShardLabels { shard, error, ..Default::default() };
        }
        let truncated = texts.is_cut();
        let mut reply = select::ShardLabels { shard, header: Some(header), truncated, ..Default::default() };
        if self.is_joined {
            let (joined, lengths) = texts.into_joined();
            reply.lengths = lengths.map(|length| length as u32).collect();
            reply.joined = joined;
        } else {
            reply.texts = texts.iter().map(str::to_owned).collect();
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(limit: u64, limit_bytes: u64, takes_joined: bool) -> select::ShardLabels {
        let request = select::LabelsRequest { limit, limit_bytes, takes_joined, ..Default::default() };
        Form::of(&request).reply(7, select::Header::default(), ["a", "bc", "d"].into_iter().collect())
    }

    #[test]
    fn texts_that_are_too_many_are_cut_off_and_those_too_large_refused() {
        let whole = reply(0, 28, false);
        assert_eq!(
            (whole.texts, whole.truncated, whole.error),
            (vec!["a".into(), "bc".into(), "d".into()], false, None)
        );
        let cut = reply(2, 27, false);
        assert_eq!((cut.texts.len(), cut.truncated, cut.error), (2, true, None));
        for takes_joined in [false, true] {
            let refused = reply(0, 27, takes_joined);
            assert_eq!(refused.error.map(|error| error.kind()), Some(Kind::TooLarge));
        }
        assert_eq!(reply(0, 0, false).texts.len(), 3);
    }

    #[test]
    fn texts_are_joined_for_those_who_take_that() {
        let joined = reply(2, 0, true);
        assert_eq!((&*joined.joined, &*joined.lengths, joined.truncated), ("abc", &[1, 2][..], true));
        assert!(joined.texts.is_empty());
    }
}
