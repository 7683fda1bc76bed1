//! What the times at which counters began tell.

/// A sample's time, and when its counter began: 0 if that is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    pub(super) time: i64,
    pub(super) start: i64,
}

/// Whether a counter started again between two samples.
pub(super) fn is_reset(before: Began, now: Began) -> bool {
    // A start that is not before the sample is not valid, or says that nobody knows it.
    if now.start == before.start || now.start == 0 || now.start >= now.time || now.start < before.time {
        return false;
    }
    if now.start > before.time {
        return true;
    }
    // The sample counts from the one before: it is a difference, unless the start of that one is not known either.
    before.start != 0 && before.start < before.time
}

/// Whether a sample counts what the one before counted already, though both began at different times.
pub(super) fn is_overlap(before: Began, now: Began) -> bool {
    now.start != 0 && now.start < before.time && now.start != before.start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_between_samples_are_resets() {
        for (before_start, start, reset, overlap) in [
            (0, 0, false, false),
            (10, 10, false, false),
            (10, 150, true, false),
            (0, 150, true, false),
            (10, 100, true, false),
            (0, 100, false, false),
            (100, 100, false, false),
            (150, 100, false, false),
            (10, 50, false, true),
            (10, 200, false, false),
            (10, 250, false, false),
        ] {
            let (before, now) = (Began { time: 100, start: before_start }, Began { time: 200, start });
            assert_eq!((is_reset(before, now), is_overlap(before, now)), (reset, overlap), "{before:?} {now:?}");
        }
    }
}
