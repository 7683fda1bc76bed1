//! Which series are in a row, as bytes.
//!
//! ```text
//! runs    varint   number of runs; 0: the bitmap follows, a bit a series, as many bytes as needed
//! lengths varint   of each run; present ones and absent ones take turns, present first, which may be none
//! ```

use crate::DecodeError;
use crate::wire::{Reader, put_varint};

/// How many words hold a bit of each of `count` series.
pub(super) fn words(count: usize) -> usize {
    count.div_ceil(64)
}

/// Whether the bit of series `at` is set.
pub(super) fn is_set(bitmap: &[u64], at: usize) -> bool {
    bitmap[at / 64] >> (at % 64) & 1 == 1
}

/// Appends the first `count` bits, as runs or as they are, whichever is shorter.
pub(super) fn encode(bitmap: &[u64], count: usize, out: &mut Vec<u8>) {
    let mut lengths = Vec::new();
    let (mut run, mut runs, mut state) = (0, 0, true);
    for at in 0..count {
        if is_set(bitmap, at) != state {
            put_varint(run, &mut lengths);
            (run, runs, state) = (0, runs + 1, !state);
        }
        run += 1;
    }
    put_varint(run, &mut lengths);
    let bytes = count.div_ceil(8);
    if lengths.len() <= bytes {
        put_varint(runs + 1, out);
        out.extend_from_slice(&lengths);
    } else {
        out.push(0);
        let end = out.len() + bytes;
        out.extend(bitmap.iter().flat_map(|word| word.to_le_bytes()));
        out.truncate(end);
        if !count.is_multiple_of(8) {
            out[end - 1] &= (1 << (count % 8)) - 1;
        }
    }
}

/// Reads `count` bits; those above are 0.
pub(super) fn decode(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    let runs = reader.count("a number of runs", count + 1)?;
    if runs == 0 {
        return decode_bitmap(reader, count);
    }
    let mut bitmap = vec![0; words(count)];
    let mut at = 0;
    for run in 0..runs {
        let length = reader.count("a run of series", count - at)?;
        if run % 2 == 0 {
            set(&mut bitmap, at, length);
        }
        at += length;
    }
    if at != count {
        return Err(DecodeError::Mismatch { what: "a bitmap's number of series", found: at, expected: count });
    }
    Ok(bitmap)
}

fn decode_bitmap(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    let mut bitmap: Vec<_> = words_of(reader.take(count.div_ceil(8))?).collect();
    if let Some(last) = bitmap.last_mut().filter(|_| !count.is_multiple_of(64)) {
        *last &= (1 << (count % 64)) - 1;
    }
    Ok(bitmap)
}

/// The words of a bitmap that lies in bytes; the last one is filled with zeros.
pub(super) fn words_of(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}

/// The places of all set bits, ascending.
pub(super) fn ones(words: impl Iterator<Item = u64>) -> impl Iterator<Item = usize> {
    words.enumerate().flat_map(|(at, mut word)| {
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros();
            word &= word.wrapping_sub(1);
            (bit < u64::BITS).then_some(at * 64 + bit as usize)
        })
    })
}

/// Sets `count` bits from `start`.
fn set(bitmap: &mut [u64], start: usize, count: usize) {
    for at in start..start + count {
        bitmap[at / 64] |= 1 << (at % 64);
    }
}
