//! Which stretch of the number line most values of a column lie in.

use super::patches::position_width;
use crate::wire::{bit_length, zigzag};

/// The values that need no patch: those in `[base, base + 2^width)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) base: i64,
    /// At most 64, not 63.
    pub(super) width: u32,
    /// About how many bits the packed values and the patches of the others take.
    pub(super) cost: usize,
}

/// The bits of a column's flags, count and width of patches.
const COST_OF_PATCHING: usize = 24;

impl Window {
    /// A window around a usual value: right when both ends have outliers, or most values are the same.
    pub(super) fn around_centre(values: &[i64]) -> Self {
        let centre = centre(values);
        let lengths = lengths(values, |value| zigzag(value.wrapping_sub(centre)));
        let (width, cost) = cheapest(&lengths, values.len());
        let below = if width == 0 { 0 } else { 1 << (width - 1) };
        Self { base: centre.wrapping_sub_unsigned(below), width, cost }
    }

    /// A window that starts at the lowest value: right when outliers are high, or there are none.
    pub(super) fn from_lowest(values: &[i64]) -> Self {
        let base = values.iter().copied().min().unwrap_or(0);
        let lengths = lengths(values, |value| value.wrapping_sub(base) as u64);
        let (width, cost) = cheapest(&lengths, values.len());
        Self { base, width, cost }
    }

    /// This window, or another if that costs no more.
    pub(super) fn or_cheaper(self, other: Self) -> Self {
        if other.cost <= self.cost { other } else { self }
    }
}

/// The median of a few values, so that outliers do not count.
fn centre(values: &[i64]) -> i64 {
    const SAMPLE: usize = 9;
    let mut sample = [0; SAMPLE];
    if values.is_empty() {
        return 0;
    }
    for (i, slot) in sample.iter_mut().enumerate() {
        *slot = values[(2 * i + 1) * values.len() / (2 * SAMPLE)];
    }
    sample.sort_unstable();
    sample[SAMPLE / 2]
}

/// How many values have which bit length, once mapped.
fn lengths(values: &[i64], map: impl Fn(i64) -> u64) -> [u32; 65] {
    let mut lengths = [0; 65];
    for value in values {
        lengths[bit_length(map(*value)) as usize] += 1;
    }
    lengths
}

/// The width at which packing all of `count` values and patching the longer ones takes the fewest bits, and these bits.
fn cheapest(lengths: &[u32; 65], count: usize) -> (u32, usize) {
    let longest = lengths.iter().rposition(|count| *count > 0).unwrap_or(0);
    let position = position_width(count) as usize;
    let mut best = (longest, longest * count);
    let mut patched = 0;
    for width in (0..longest).rev() {
        patched += lengths[width + 1] as usize;
        let patches = COST_OF_PATCHING + patched * (position + longest - width);
        if patches >= best.1 {
            break;
        }
        if width * count + patches < best.1 {
            best = (width, width * count + patches);
        }
    }
    // 63 has no code of its own.
    let width = if best.0 == 63 { 64 } else { best.0 as u32 };
    (width, best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_do_not_widen_the_window() {
        let quiet: Vec<i64> = (0..100).map(|i| 50 + i * 7 % 30).collect();
        let lowest = Window::from_lowest(&quiet);
        assert_eq!((lowest.base, lowest.width, lowest.cost), (50, 5, 500));
        let mut high = quiet.clone();
        high[70] = 1 << 40;
        assert_eq!(Window::from_lowest(&high).width, 5);
        high[20] = -(1 << 40);
        let both = Window::around_centre(&high);
        assert!(both.width <= 6 && both.cost < 800 && Window::from_lowest(&high).cost > 3000, "{both:?}");
    }
}
