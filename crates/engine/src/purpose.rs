//! What a stage is carried out for.

/// What a stage is carried out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It has all series, and what comes of them is its result.
    Result,
    /// It has some of the series, and what comes of them is put together elsewhere with what comes of the others.
    Part,
}

impl Purpose {
    /// The largest value that may be summed up in parts. However many of them there are, no sum overflows: where one does, it
    /// depends on the order of the series.
    const MOST: f64 = 1e290;

    /// Whether these values can be summed up in any order. NaN and infinities can.
    pub(crate) fn allows(self, values: &[f64]) -> bool {
        let is_large = |value: &f64| value.abs() > Self::MOST && value.is_finite();
        self == Self::Result || !values.iter().any(is_large)
    }
}
