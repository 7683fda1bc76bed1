//! Sums of floats that lose little to rounding.

/// Adds `value` to a sum of which rounding has lost `compensation` so far, and returns both anew: Neumaier's variant of
/// Kahan's summation, as Prometheus has it. The total is the sum of the two.
///
/// An infinite sum has lost nothing.
#[inline]
#[must_use]
pub fn add_compensated(value: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + value;
    // Selecting instead of branching lets whole columns be added in vector registers.
    let (large, small) = if sum.abs() >= value.abs() { (sum, value) } else { (value, sum) };
    let lost = compensation + ((large - total) + small);
    (total, if total.is_infinite() { 0.0 } else { lost })
}

/// A sum of floats and what rounding has lost of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    /// What was added up, rounded at each step.
    pub sum: f64,
    /// What rounding lost of it.
    pub compensation: f64,
}

impl CompensatedSum {
    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        (self.sum, self.compensation) = add_compensated(value, self.sum, self.compensation);
    }

    /// The sum with what was lost.
    pub fn total(self) -> f64 {
        self.sum + self.compensation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_beside_large_ones_are_not_lost() {
        let mut sum = CompensatedSum::default();
        for value in [1.0, 1e100, 1.0, -1e100] {
            sum.add(value);
        }
        assert_eq!(sum.total(), 2.0);
    }

    #[test]
    fn infinities_stay_what_they_are() {
        let mut sum = CompensatedSum::default();
        for value in [1.0, f64::INFINITY, 1.0] {
            sum.add(value);
        }
        assert_eq!(sum.total(), f64::INFINITY);
        sum.add(f64::NEG_INFINITY);
        assert!(sum.total().is_nan());
    }
}
