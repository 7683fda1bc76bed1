//! Means of floats.

use model::{CompensatedSum, add_compensated};

/// The mean of floats: their sum divided by their number, unless the sum overflows. From there on the mean itself is kept,
/// and moved towards each further value, as Prometheus does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    /// The sum, or the mean once the sum overflowed.
    sum: CompensatedSum,
    count: f64,
    is_incremental: bool,
}

impl Mean {
    /// The mean of one value.
    #[inline]
    pub(crate) fn of(value: f64) -> Self {
        Self { sum: CompensatedSum { sum: value, compensation: 0.0 }, count: 1.0, is_incremental: false }
    }

    /// Adds a value.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.is_incremental {
            let mut sum = self.sum;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.is_incremental = true;
            self.sum.sum /= self.count - 1.0;
            self.sum.compensation /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        let CompensatedSum { sum, compensation } = self.sum;
        (self.sum.sum, self.sum.compensation) =
            add_compensated(value / self.count, weight * sum, weight * compensation);
    }

    /// The mean of so many values with this sum.
    pub(crate) fn of_sum(sum: f64, compensation: f64, count: f64) -> Self {
        Self { sum: CompensatedSum { sum, compensation }, count, is_incremental: false }
    }

    /// Adds all values of another mean. Neither sum may have overflowed: there may be infinities only where there were some
    /// among the values, and those decide the mean whichever way it is computed.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.sum.add(other.sum.sum);
        self.sum.compensation += other.sum.compensation;
        self.count += other.count;
    }

    /// The sum of all values; what rounding lost of it is the [`Self::compensation`].
    pub(crate) fn sum(&self) -> f64 {
        self.sum.sum
    }

    /// What rounding lost of the sum.
    pub(crate) fn compensation(&self) -> f64 {
        self.sum.compensation
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> f64 {
        self.count
    }

    /// The mean of all values.
    #[inline]
    pub(crate) fn value(self) -> f64 {
        if self.is_incremental {
            self.sum.total()
        } else {
            self.sum.sum / self.count + self.sum.compensation / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> f64 {
        let mut mean = Mean::of(values[0]);
        values[1..].iter().for_each(|value| mean.add(*value));
        mean.value()
    }

    #[test]
    fn means_survive_sums_that_overflow() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(mean(&[1e308; 4]), 1e308);
        assert_eq!(mean(&[1.0, f64::INFINITY]), f64::INFINITY);
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
    }
}
