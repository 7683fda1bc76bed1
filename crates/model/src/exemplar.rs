//! Exemplars.

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
}
