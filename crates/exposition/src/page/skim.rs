//! Finding the numbers of a page by one simple rule, without reading anything else.

use memchr::{memchr, memchr_iter, memchr2, memmem, memrchr2};
use model::Timestamp;

use super::skeleton::Skeleton;
use super::word::Word;
use super::{Numbers, Shape, Timestamps};
use crate::float::parse_float;
use crate::openmetrics::{exemplar_at, milliseconds};
use crate::parser::Format;
use crate::text::parse_timestamp;

/// What starts an exemplar.
const EXEMPLAR: &[u8] = b" # {";

/// Cuts the last words of each line of a page; `None` if some are no numbers, so that only the parser can tell.
pub(super) fn skim<'s, 'p>(
    page: &'p [u8],
    shape: &Shape,
    skeleton: &'s mut Vec<u8>,
    numbers: &mut Numbers,
) -> Option<Skeleton<'s, 'p>> {
    let mut skeleton = Skeleton::new(page, skeleton);
    let mut start = 0;
    // The last line may lack its line break.
    for end in memchr_iter(b'\n', page).chain([page.len()]) {
        let line = Line { page, start, end };
        let is_sample = line.bytes().first().is_some_and(|first| *first != b'#');
        if is_sample {
            match shape.format {
                Format::OpenMetrics => line.skim_openmetrics(shape, &mut skeleton, numbers)?,
                Format::Text | Format::Protobuf => {
                    let (value, timestamp) = line.cut(shape.timestamps, &mut skeleton)?;
                    numbers.push(value, optional(timestamp, parse_timestamp)?);
                }
            }
        }
        start = end + 1;
    }
    Some(skeleton)
}

/// A line of a page, or the part of one before an exemplar.
#[derive(Clone, Copy)]
struct Line<'p> {
    page: &'p [u8],
    start: usize,
    end: usize,
}

impl<'p> Line<'p> {
    fn bytes(self) -> &'p [u8] {
        self.page.get(self.start..self.end).unwrap_or_default()
    }

    fn skim_openmetrics(self, shape: &Shape, skeleton: &mut Skeleton<'_, '_>, numbers: &mut Numbers) -> Option<()> {
        let bytes = self.bytes();
        // Start times stay in the skeleton: while the shape holds, they are those of the first page.
        if shape.options.start_timestamps && tells_start(bytes) {
            return Some(());
        }
        let exemplar = memchr(b'#', bytes).and_then(|_| memmem::find(bytes, EXEMPLAR));
        let words = Self { end: exemplar.map_or(self.end, |at| self.start + at), ..self };
        let (value, timestamp) = words.cut(shape.timestamps, skeleton)?;
        if exemplar.is_some() {
            let read = exemplar_at(self.page, words.end + EXEMPLAR.len(), &mut numbers.exemplar_labels)?;
            numbers.exemplars.push((numbers.values.len(), read));
            skeleton.leave_out(words.end..self.end);
        }
        numbers.push(value, optional(timestamp, seconds)?);
        Some(())
    }

    /// Cuts the value and, if there is one, the timestamp, and gives the one's number and the other's word.
    #[inline(always)] // One of few steps per sample: a call costs 3 % of all.
    fn cut(self, timestamps: Timestamps, skeleton: &mut Skeleton<'_, '_>) -> Option<(f64, Option<&'p [u8]>)> {
        let has_timestamp = match timestamps {
            Timestamps::None => false,
            Timestamps::All => true,
            Timestamps::Some => self.has_timestamp()?,
        };
        if !has_timestamp {
            let (start, value) = self.last_number()?;
            skeleton.cut(start..self.end);
            return Some((value, None));
        }
        let timestamp = self.start + last_word(self.bytes())?;
        let before = Self { end: self.start + without_blanks(&self.page[self.start..timestamp]), ..self };
        let (start, value) = before.last_number()?;
        skeleton.cut(start..before.end);
        skeleton.cut(timestamp..self.end);
        Some((value, Some(&self.page[timestamp..self.end])))
    }

    /// Whether two words follow the series. What stands before a value is a closing brace, or a name alone.
    fn has_timestamp(self) -> Option<bool> {
        let bytes = self.bytes();
        let before = &bytes[..without_blanks(&bytes[..last_word(bytes)?])];
        Some(!before.ends_with(b"}") && memrchr2(b' ', b'\t', before).is_some())
    }

    /// The number that the last word is, and where it starts.
    #[inline(always)] // As above.
    fn last_number(self) -> Option<(usize, f64)> {
        let bytes = self.bytes();
        // Half of all values are a single digit.
        if let [.., b' ', digit @ b'0'..=b'9'] = bytes {
            return Some((self.end - 1, f64::from(digit - b'0')));
        }
        if let Some(word) = Word::last_of(bytes)
            && let Some(value) = word.number()
        {
            return Some((self.end - word.length as usize, value));
        }
        let start = last_word(bytes)?;
        let value = parse_float(&bytes[start..]).ok()?;
        Some((self.start + start, value))
    }
}

/// Reads a word that may be missing; `None` if it is there and cannot be read.
fn optional<T>(word: Option<&[u8]>, read: impl Fn(&[u8]) -> Option<T>) -> Option<Option<T>> {
    match word {
        Some(word) => read(word).map(Some),
        None => Some(None),
    }
}

fn tells_start(line: &[u8]) -> bool {
    let name_end = memchr2(b'{', b' ', line).unwrap_or(line.len());
    line[..name_end].ends_with(b"_created")
}

fn seconds(word: &[u8]) -> Option<Timestamp> {
    parse_float(word).ok().filter(|seconds| seconds.is_finite()).map(milliseconds)
}

/// Where the last word of a line starts; `None` if the line is one word.
fn last_word(line: &[u8]) -> Option<usize> {
    memrchr2(b' ', b'\t', line).map(|at| at + 1)
}

/// How long a line is without the blanks at its end.
fn without_blanks(line: &[u8]) -> usize {
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t'));
    line.len() - blanks.count()
}
