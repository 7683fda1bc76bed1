//! Expressions that are only lists of texts, or texts with gaps, and need no engine.
//!
//! Most matchers look like `a|b|c`, `prefix.*`, `.*part.*` or `.+`. All of these are finite unions of *globs*: fixed texts
//! with gaps between them, each gap being any characters, at least so many. Unions of globs are closed under alternation,
//! concatenation and small repetitions, so that `node_(cpu|disk)_.*` is found to be two globs; what is no such union, or too
//! large a one, is left to the engine.

mod glob;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

use glob::{Glob, Pattern};

/// The most globs that an expression is taken apart into, unless it lists more texts itself.
const MAX_EXPANSION: usize = 256;
/// The most bytes and gaps in all globs together.
const MAX_SIZE: usize = 1 << 20;
/// The most globs with gaps that are tried one after the other: beyond, one pass of the engine is faster.
const MAX_PATTERNS: usize = 16;

/// A union of texts and globs.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Texts that match, ascending, each once.
    texts: Vec<String>,
    patterns: Vec<Pattern>,
}

/// Whether letters match by case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Each letter only itself.
    Exact,
    /// All letters any case. The shape has small ASCII letters and is for ASCII texts that were made small.
    Ignored,
}

impl Shape {
    /// The shape of an expression that is matched against whole texts; `None` if it has none.
    pub(crate) fn of(hir: &Hir, case: Case) -> Option<Self> {
        let edges = Edges { start: true, end: true };
        let globs = Expansion { case }.union(hir, edges)?;
        let (texts, globs): (Vec<_>, Vec<_>) = globs.into_iter().partition(Glob::is_text);
        if globs.len() > MAX_PATTERNS {
            return None;
        }
        let mut texts: Vec<_> = texts.into_iter().map(Glob::into_text).collect();
        texts.sort_unstable();
        texts.dedup();
        Some(Self { texts, patterns: globs.into_iter().map(Pattern::new).collect() })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        let listed = match &self.texts[..] {
            [] => false,
            [only] => only == text,
            // The empty text is the first. It is asked for often, for absent labels, and comparing it is slow: see `trim`.
            [first, ..] if text.is_empty() => first.is_empty(),
            texts => texts.binary_search_by(|candidate| candidate.as_str().cmp(text)).is_ok(),
        };
        listed || self.patterns.iter().any(|pattern| pattern.is_match(text))
    }

    /// The texts that match, ascending, if they are all that match.
    pub(crate) fn texts(&self) -> Option<&[String]> {
        self.patterns.is_empty().then_some(&self.texts)
    }

    /// What all texts that match start with.
    pub(crate) fn prefix(&self) -> &str {
        let mut starts = self.texts.iter().map(String::as_str).chain(self.patterns.iter().map(Pattern::prefix));
        let first = starts.next().unwrap_or_default();
        starts.fold(first, common_prefix)
    }

    /// Whether all texts of at least this many characters match.
    pub(crate) fn matches_all_from(&self, characters: usize) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches_all_from(characters))
    }
}

/// What is between `start` and `end` in `text`; `None` if it does not start and end with them, without overlap.
///
/// An empty string points nowhere, and where the C library compares with masked loads, as on AVX-512, comparing nothing with
/// nowhere costs a hundred nanoseconds: so it is not compared.
pub(crate) fn trim<'a>(mut text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    if !start.is_empty() {
        text = text.strip_prefix(start)?;
    }
    if !end.is_empty() {
        text = text.strip_suffix(end)?;
    }
    Some(text)
}

fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let shared = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    &a[..shared.map(|(c, _)| c.len_utf8()).sum()]
}

/// Whether a part of an expression starts where the text starts, and ends where it ends.
#[derive(Clone, Copy)]
struct Edges {
    start: bool,
    end: bool,
}

struct Expansion {
    case: Case,
}

impl Expansion {
    fn union(&self, hir: &Hir, edges: Edges) -> Option<Vec<Glob>> {
        match hir.kind() {
            HirKind::Empty => Some(vec![Glob::text("")]),
            HirKind::Literal(literal) => self.literal(std::str::from_utf8(&literal.0).ok()?),
            HirKind::Class(class) if class.is_empty() => Some(Vec::new()),
            HirKind::Class(Class::Unicode(class)) => self.class(class),
            HirKind::Look(Look::Start) if edges.start => Some(vec![Glob::text("")]),
            HirKind::Look(Look::End) if edges.end => Some(vec![Glob::text("")]),
            HirKind::Look(_) | HirKind::Class(Class::Bytes(_)) => None,
            HirKind::Capture(capture) => self.union(&capture.sub, edges),
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Concat(parts) => self.concat(parts, edges),
            HirKind::Alternation(parts) => {
                let limit = MAX_EXPANSION.max(parts.len());
                let mut union = Vec::new();
                for part in parts {
                    union.extend(self.union(part, edges)?);
                    if union.len() > limit {
                        return None;
                    }
                }
                Some(union)
            }
        }
    }

    fn literal(&self, literal: &str) -> Option<Vec<Glob>> {
        // A letter that must have one case is no part of a union that ignores case.
        let fits = self.case == Case::Exact || literal.bytes().all(|b| b.is_ascii() && !b.is_ascii_alphabetic());
        fits.then(|| vec![Glob::text(literal)])
    }

    fn class(&self, class: &ClassUnicode) -> Option<Vec<Glob>> {
        let size: usize = class.iter().map(ClassUnicodeRange::len).sum();
        if size > MAX_EXPANSION {
            return None;
        }
        let members = class.iter().flat_map(|range| range.start()..=range.end());
        if self.case == Case::Exact {
            return Some(members.map(|c| Glob::text(c.encode_utf8(&mut [0; 4]))).collect());
        }
        let small: Vec<_> = members.filter(|c| c.is_ascii() && !c.is_ascii_uppercase()).collect();
        let mut whole = ClassUnicode::new(small.iter().map(|c| ClassUnicodeRange::new(*c, *c)));
        whole.case_fold_simple();
        // Equal: the class has each of its letters in every case.
        (whole == *class).then(|| small.iter().map(|c| Glob::text(c.encode_utf8(&mut [0; 4]))).collect())
    }

    fn repetition(&self, repetition: &Repetition) -> Option<Vec<Glob>> {
        let Repetition { min, max, sub, .. } = repetition;
        if let (HirKind::Class(Class::Unicode(class)), None) = (sub.kind(), max)
            && is_any_character(class)
        {
            return Some(vec![Glob::gap(usize::try_from(*min).ok()?)]);
        }
        let inner = Edges { start: false, end: false };
        let once = self.union(sub, inner)?;
        let mut power = vec![Glob::text("")];
        let mut union = Vec::new();
        for count in 0..=(*max)? {
            if count > 0 {
                power = product(power, &once)?;
            }
            if count >= *min {
                union.extend_from_slice(&power);
            }
            if union.len() > MAX_EXPANSION {
                return None;
            }
        }
        Some(union)
    }

    fn concat(&self, parts: &[Hir], edges: Edges) -> Option<Vec<Glob>> {
        let mut union = vec![Glob::text("")];
        for (at, part) in parts.iter().enumerate() {
            // A part is at the edge also if there are only other assertions of the edge beyond it.
            let inner = Edges {
                start: edges.start && parts[..at].iter().all(|part| is_look(part, Look::Start)),
                end: edges.end && parts[at + 1..].iter().all(|part| is_look(part, Look::End)),
            };
            union = product(union, &self.union(part, inner)?)?;
        }
        Some(union)
    }
}

fn is_look(hir: &Hir, look: Look) -> bool {
    matches!(hir.kind(), HirKind::Look(found) if *found == look)
}

fn is_any_character(class: &ClassUnicode) -> bool {
    matches!(class.ranges(), [only] if only.start() == '\0' && only.end() == char::MAX)
}

/// Every glob of `left` followed by every one of `right`; `None` if those are too many or too long.
fn product(mut left: Vec<Glob>, right: &[Glob]) -> Option<Vec<Glob>> {
    let count = left.len().saturating_mul(right.len());
    let [left_size, right_size] = [&left, right].map(|globs| globs.iter().map(Glob::size).sum::<usize>());
    let size = left_size.saturating_mul(right.len()) + right_size.saturating_mul(left.len());
    if count > MAX_EXPANSION.max(left.len()).max(right.len()) || size > MAX_SIZE {
        return None;
    }
    if let [only] = right {
        left.iter_mut().for_each(|glob| glob.append(only));
        return Some(left);
    }
    let mut pairs = Vec::with_capacity(count);
    for first in &left {
        for second in right {
            let mut pair = first.clone();
            pair.append(second);
            pairs.push(pair);
        }
    }
    Some(pairs)
}
