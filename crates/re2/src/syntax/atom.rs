//! What a repetition applies to, and repetitions.

use regex_syntax::hir::{Capture, Hir, Repetition};

use crate::error::{Error, ErrorKind};

/// The most repetitions an expression may ask for, nested ones multiplied.
const MAX_REPETITIONS: u32 = 1000;
/// The deepest nesting of operators.
const MAX_DEPTH: u32 = 1000;

/// A part of an expression, with what is needed to keep within Go's limits.
pub(super) struct Atom {
    pub(super) hir: Hir,
    /// The most copies that its counted repetitions make of one thing.
    copies: u32,
    /// How deep its operators nest.
    depth: u32,
}

impl Atom {
    pub(super) fn leaf(hir: Hir) -> Self {
        Self { hir, copies: 1, depth: 1 }
    }

    pub(super) fn concat(atoms: Vec<Self>) -> Self {
        Self::join(atoms, Hir::concat)
    }

    pub(super) fn alternation(atoms: Vec<Self>) -> Self {
        Self::join(atoms, Hir::alternation)
    }

    /// Joins atoms; one alone stays what it is, and none are the empty expression.
    fn join(mut atoms: Vec<Self>, operator: fn(Vec<Hir>) -> Hir) -> Self {
        if atoms.len() == 1
            && let Some(only) = atoms.pop()
        {
            return only;
        }
        let copies = atoms.iter().map(|atom| atom.copies).max().unwrap_or(1);
        let depth = atoms.iter().map(|atom| atom.depth).max().unwrap_or(0) + 1;
        let hir = operator(atoms.into_iter().map(|atom| atom.hir).collect());
        Self { hir, copies, depth }
    }

    pub(super) fn capture(self, index: u32) -> Self {
        Self {
            hir: Hir::capture(Capture { index, name: None, sub: Box::new(self.hir) }),
            depth: self.depth + 1,
            ..self
        }
    }

    /// The atom with one more level around it, which counts and does nothing.
    pub(super) fn deepen(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    /// The atom repeated; `None` if that asks for too many copies.
    pub(super) fn repeat(self, bounds: Bounds, greedy: bool) -> Option<Self> {
        let count = bounds.max.unwrap_or(bounds.min);
        let copies = match count {
            0 if bounds.max.is_some() => 0,
            _ => self.copies.saturating_mul(count.max(1)),
        };
        if count >= 2 && copies > MAX_REPETITIONS {
            return None;
        }
        Some(Self {
            hir: Hir::repetition(Repetition { min: bounds.min, max: bounds.max, greedy, sub: Box::new(self.hir) }),
            copies,
            depth: self.depth + 1,
        })
    }

    pub(super) fn is_too_deep(&self) -> bool {
        self.depth > MAX_DEPTH
    }
}

/// How often something is repeated; without a maximum, as often as it can be.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    min: u32,
    max: Option<u32>,
}

impl Bounds {
    /// Reads `*`, `+`, `?`, `{2}`, `{2,}` or `{2,3}` and gives what follows; `None` if the brace is only a brace.
    pub(super) fn read(text: &str) -> Result<Option<(Self, &str)>, Error> {
        let simple = |min, max| Ok(Some((Self { min, max }, &text[1..])));
        match text.as_bytes().first() {
            Some(b'*') => simple(0, None),
            Some(b'+') => simple(1, None),
            Some(b'?') => simple(0, Some(1)),
            _ => {
                let Some((min, max, rest)) = counts(text) else {
                    return Ok(None);
                };
                let fine = min <= MAX_REPETITIONS && max.is_none_or(|max| max <= MAX_REPETITIONS && min <= max);
                if fine {
                    Ok(Some((Self { min, max }, rest)))
                } else {
                    let counts = &text[..text.len() - rest.len()];
                    Err(Error::new(ErrorKind::RepeatCount, counts))
                }
            }
        }
    }
}

fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, Some(min), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((min, None, rest));
    }
    let (max, rest) = number(rest)?;
    Some((min, Some(max), rest.strip_prefix('}')?))
}

/// A number without leading zeros; one that is too large to count is the largest.
fn number(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    let leading_zero = length > 1 && digits.starts_with('0');
    (length > 0 && !leading_zero).then(|| (digits.parse().unwrap_or(u32::MAX), rest))
}
