//! The higher bits of the few residuals that are wider than the others.
//!
//! ```text
//! count      varint
//! width      u8      bits 0–6 width of a patch, at most 64; bit 7: patches have a sign
//! positions  packed  which residuals, each as wide as the last one's position
//! patches    packed  what is above the width of the residuals, less 1 (it is never 0); with a sign: zigzag of it, less 1
//! ```

use std::ops::Range;

use crate::wire::{Reader, bit_length, flag, put_varint, unzigzag, zigzag};
use crate::{DecodeError, bits};

const SIGNED: u8 = 0x80;

/// Which residuals need more than `width` bits, and what is above these.
pub(super) fn above(residuals: &[i64], width: u32) -> Vec<(usize, i64)> {
    if width == u64::BITS {
        return Vec::new();
    }
    let high = residuals.iter().map(|residual| residual >> width).enumerate();
    high.filter(|(_, high)| *high != 0).collect()
}

/// Appends the patches of a column that has `residuals` residuals.
pub(super) fn put(patches: &[(usize, i64)], residuals: usize, out: &mut Vec<u8>) {
    let signed = patches.iter().any(|(_, high)| *high < 0);
    let coded = |(_, high): &(usize, i64)| if signed { zigzag(*high) - 1 } else { *high as u64 - 1 };
    let width = patches.iter().map(coded).map(bit_length).max().unwrap_or(0);
    put_varint(patches.len() as u64, out);
    out.push(width as u8 | flag(signed, SIGNED));
    let positions = patches.iter().map(|(position, _)| *position as u64);
    bits::pack(positions, position_width(residuals), out);
    bits::pack(patches.iter().map(coded), width, out);
}

/// The bits of a position among `residuals`.
pub(super) fn position_width(residuals: usize) -> u32 {
    bit_length(residuals.saturating_sub(1) as u64)
}

/// The patches of a column, found but not unpacked.
#[derive(Default)]
pub(super) struct Patches<'a> {
    count: usize,
    signed: bool,
    width: u32,
    position_width: u32,
    positions: &'a [u8],
    packed: &'a [u8],
}

impl<'a> Patches<'a> {
    /// Finds the patches of a column that has `residuals` residuals.
    pub(super) fn parse(reader: &mut Reader<'a>, residuals: usize) -> Result<Self, DecodeError> {
        let count = reader.count("a column's number of patches", residuals)?;
        let tag = reader.byte()?;
        let width = u32::from(tag & !SIGNED);
        if width > u64::BITS {
            return Err(DecodeError::TooLarge {
                what: "a patch's width",
                value: width.into(),
                limit: u64::BITS.into(),
            });
        }
        let position_width = position_width(residuals);
        let positions = reader.take(bits::packed_len(count, position_width))?;
        let packed = reader.take(bits::packed_len(count, width))?;
        Ok(Self { count, signed: tag & SIGNED != 0, width, position_width, positions, packed })
    }

    /// Puts the patches above the lower `width` bits of the residuals.
    pub(super) fn apply(&self, residuals: &mut [i64], width: u32) -> Result<(), DecodeError> {
        let mut out_of_range = None;
        let limit = residuals.len().saturating_sub(1) as u64;
        self.for_each(|position, high| match residuals.get_mut(position) {
            Some(residual) => *residual |= high.unbounded_shl(width),
            None => out_of_range = Some(position as u64),
        });
        out_of_range.map_or(Ok(()), |value| Err(DecodeError::TooLarge { what: "a patch's position", value, limit }))
    }

    /// What is above the residual at a position; 0 if that has no patch.
    pub(super) fn find(&self, wanted: usize) -> i64 {
        let mut found = 0;
        self.for_each(|position, high| {
            if position == wanted {
                found |= high;
            }
        });
        found
    }

    /// Calls `patch` with every position and what is above the residual there.
    fn for_each(&self, mut patch: impl FnMut(usize, i64)) {
        // Eight at a time end at whole bytes.
        const BLOCK: usize = 32;
        let block = |bytes: &'a [u8], width: u32, range: Range<usize>| {
            let bytes = &bytes[range.start / 8 * width as usize..bits::packed_len(range.end, width)];
            let mut values = [0; BLOCK];
            bits::unpack(bytes, width, &mut values[..range.len()]);
            values
        };
        for start in (0..self.count).step_by(BLOCK) {
            let range = start..self.count.min(start + BLOCK);
            let positions = block(self.positions, self.position_width, range.clone());
            let coded = block(self.packed, self.width, range.clone());
            for (position, coded) in positions.iter().zip(coded).take(range.len()) {
                let coded = (coded as u64).wrapping_add(1);
                let high = if self.signed { unzigzag(coded) } else { coded as i64 };
                patch(*position as usize, high);
            }
        }
    }
}
