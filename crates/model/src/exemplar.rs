//! Exemplars.

use std::cmp::Ordering;

use crate::{Labels, Timestamp};

/// One observation that stands for many: usually it names the trace that was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// What the observation is linked to, such as a trace id.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// When it was observed.
    pub timestamp: Timestamp,
}

impl Exemplar {
    /// The most characters that the names and values of an exemplar's labels may have together.
    pub const MAX_LABEL_CHARACTERS: usize = 128;

    /// Whether labels have more characters than [`MAX_LABEL_CHARACTERS`](Self::MAX_LABEL_CHARACTERS).
    pub fn labels_are_too_long(labels: &Labels) -> bool {
        let characters = |text: &str| text.chars().count();
        let all = labels.iter().map(|(name, value)| characters(name) + characters(value));
        all.sum::<usize>() > Self::MAX_LABEL_CHARACTERS
    }

    /// The order in which exemplars of a series are appended: by time, then value, then labels.
    pub fn order(&self, other: &Self) -> Ordering {
        let by_time = self.timestamp.cmp(&other.timestamp);
        by_time.then_with(|| self.value.total_cmp(&other.value)).then_with(|| self.labels.cmp(&other.labels))
    }
}
