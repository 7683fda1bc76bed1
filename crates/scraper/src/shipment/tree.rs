//! In which order the parts of a scrape are sent.
//!
//! Two scrapers may have a target at one time, and think of it as split into different numbers of parts. No series may then be
//! stored twice for one tick: once in the part that it belonged to, once in the one that it belongs to since. So a part is
//! sent only once it is known that the part from which it was split off (its *parent*) has this tick in as many parts.

use proto::entry::{Outcome, RecordAnswer};

/// What a part of a target has said of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) parts: u32,
    /// From this tick on, if any, all ticks are stored in so many parts.
    since_ms: Option<i64>,
}

impl Told {
    /// `None` if it says nothing about that.
    pub(crate) fn by(answer: &RecordAnswer) -> Option<Self> {
        (answer.parts > 0).then_some(Self { parts: answer.parts, since_ms: answer.parts_since_ms })
    }

    /// Whether a tick can't have been stored in fewer parts than these.
    pub(crate) fn keeps(&self, parts: u32, tick_ms: i64) -> bool {
        self.parts >= parts && (parts == 1 || self.since_ms.is_some_and(|since| tick_ms >= since))
    }
}

/// The part from which another one was split off; part 0 was not.
pub(super) fn parent(part: u32) -> Option<u32> {
    part.checked_ilog2().map(|bit| part & !(1 << bit))
}

/// Whether a tick that was answered in this way is stored in as many parts as it was sent in, so that what was split off from
/// the part may be sent, too.
pub(super) fn is_split(answer: &RecordAnswer, parts: u32, tick_ms: i64) -> bool {
    match answer.outcome() {
        Outcome::Stored => true,
        // A shard that says nothing of parts is one of a time when nobody waited.
        Outcome::Duplicate => Told::by(answer).is_none_or(|told| told.parts == parts && told.keeps(parts, tick_ms)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_was_split_off_from_the_one_that_had_its_series_before() {
        assert_eq!(parent(0), None);
        assert_eq!([1, 2, 3, 4, 5, 6, 7, 12].map(|part| parent(part).unwrap()), [0, 0, 1, 0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_tick_is_split_if_it_was_stored_since_the_target_is() {
        let answer = |outcome: Outcome, parts, parts_since_ms| RecordAnswer {
            outcome: outcome.into(),
            parts,
            parts_since_ms,
            ..RecordAnswer::default()
        };
        assert!(is_split(&answer(Outcome::Stored, 2, None), 2, 10));
        assert!(is_split(&answer(Outcome::Duplicate, 2, Some(10)), 2, 10));
        assert!(!is_split(&answer(Outcome::Duplicate, 2, Some(10)), 2, 9), "it may be from before");
        assert!(!is_split(&answer(Outcome::Duplicate, 1, None), 2, 10), "somebody stored all of it here");
        assert!(!is_split(&answer(Outcome::Duplicate, 4, Some(1)), 2, 10), "somebody splits it further");
        assert!(!is_split(&answer(Outcome::TooOld, 2, Some(1)), 2, 10));
        assert!(is_split(&answer(Outcome::Duplicate, 0, None), 2, 10), "shards did not say once");
    }
}
