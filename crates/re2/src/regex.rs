//! Compiled expressions.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, meta};
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::error::{Error, ErrorKind};
use crate::shape::{Case, Shape, trim};
use crate::syntax::{Flags, Groups, Parsed, parse};
use crate::template::Template;

/// The most memory that one compiled expression may take. Go's own limit is four times as high.
const MAX_COMPILED_BYTES: usize = 32 << 20;
/// The longest text that is made small on the stack, to be compared ignoring case.
const MAX_SMALL_BYTES: usize = 128;

/// A compiled expression. Clones share it.
///
/// Matching takes time linear in the text, whatever the expression.
#[derive(Clone)]
pub struct Regex(Arc<Compiled>);

struct Compiled {
    pattern: Box<str>,
    group_names: Vec<Option<Box<str>>>,
    plan: Plan,
}

/// How matches are found.
enum Plan {
    /// By comparing texts. The engine is there if there are groups inside to be found.
    Shape { shape: Shape, engine: Option<meta::Regex> },
    /// By comparing texts that were made small, if they are ASCII and short.
    IgnoringCase { shape: Shape, engine: meta::Regex },
    /// By the engine, once the text is seen to start and end as it must.
    Engine { start: String, end: String, engine: meta::Regex },
}

impl Regex {
    /// Compiles an expression that is searched for: Go's `regexp.Compile(pattern)`.
    ///
    /// # Errors
    /// If Go would refuse the expression, or it would take more than 32 MiB of memory.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        Self::compile(pattern, parse(pattern, Flags::default(), Groups::Capture)?)
    }

    /// Compiles an expression that matches whole texts and whose dot matches a new line too, as in matchers.
    ///
    /// Its groups capture nothing: matchers do not ask, and so `(a|b)-.*` needs no engine.
    ///
    /// # Errors
    /// As [`Regex::new`].
    pub fn anchored(pattern: &str) -> Result<Self, Error> {
        let flags = Flags { dot_all: true, ..Flags::default() };
        let mut parsed = parse(pattern, flags, Groups::Forget)?;
        parsed.hir = Hir::concat(vec![Hir::look(Look::Start), parsed.hir, Hir::look(Look::End)]);
        Self::compile(pattern, parsed)
    }

    /// Compiles `^(?s:pattern)$`, as relabelling and `label_replace` do.
    ///
    /// It matches what [`Regex::anchored`] matches; but groups capture, errors speak of the longer expression, and a pattern
    /// may close the group and open another.
    ///
    /// # Errors
    /// As [`Regex::new`].
    pub fn wrapped(pattern: &str) -> Result<Self, Error> {
        let whole = format!("^(?s:{pattern})$");
        Self::compile(pattern, parse(&whole, Flags::default(), Groups::Capture)?)
    }

    fn compile(pattern: &str, parsed: Parsed) -> Result<Self, Error> {
        let Parsed { hir, group_names } = parsed;
        let whole_text = whole_text(&hir);
        let engine = || build(&hir).ok_or_else(|| Error::new(ErrorKind::TooLarge, pattern));
        let plan = if let Some(shape) = whole_text.and_then(|inner| Shape::of(inner, Case::Exact)) {
            let engine = if groups_are_inside(&hir, group_names.len() - 1) { Some(engine()?) } else { None };
            Plan::Shape { shape, engine }
        } else if let Some(shape) = whole_text.and_then(|inner| Shape::of(inner, Case::Ignored)) {
            Plan::IgnoringCase { shape, engine: engine()? }
        } else {
            Plan::Engine {
                start: whole_text.map(common_start).unwrap_or_default(),
                end: whole_text.map(common_end).unwrap_or_default(),
                engine: engine()?,
            }
        };
        Ok(Self(Arc::new(Compiled { pattern: pattern.into(), group_names, plan })))
    }

    /// The expression as it was given.
    pub fn as_str(&self) -> &str {
        &self.0.pattern
    }

    /// Whether the expression matches somewhere in `text`, or, if it is for whole texts, all of it.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.0.plan {
            Plan::Shape { shape, .. } => shape.is_match(text),
            Plan::IgnoringCase { shape, engine } => {
                is_match_ignoring_case(shape, text).unwrap_or_else(|| engine.is_match(text))
            }
            Plan::Engine { start, end, engine } => fits(text, start, end) && engine.is_match(text),
        }
    }

    /// Where the first match and its groups are.
    pub fn captures(&self, text: &str) -> Option<Captures> {
        match &self.0.plan {
            Plan::Shape { shape, engine } => {
                if !shape.is_match(text) {
                    None
                } else if let Some(engine) = engine {
                    self.search(engine, Input::new(text))
                } else {
                    let whole = [NonMaxUsize::new(0), NonMaxUsize::new(text.len())];
                    Some(Captures { slots: whole.repeat(self.0.group_names.len()) })
                }
            }
            Plan::IgnoringCase { engine, .. } => {
                self.is_match(text).then(|| self.search(engine, Input::new(text))).flatten()
            }
            Plan::Engine { start, end, engine } => {
                fits(text, start, end).then(|| self.search(engine, Input::new(text))).flatten()
            }
        }
    }

    fn search(&self, engine: &meta::Regex, input: Input<'_>) -> Option<Captures> {
        let mut slots = vec![None; 2 * self.0.group_names.len()];
        engine.search_slots(&input, &mut slots)?;
        Some(Captures { slots })
    }

    /// The first match that starts at byte `from` or later.
    fn captures_from(&self, text: &str, from: usize) -> Option<Captures> {
        match &self.0.plan {
            _ if from == 0 => self.captures(text),
            // An expression with a shape matches whole texts: once or not at all.
            Plan::Shape { .. } | Plan::IgnoringCase { .. } => None,
            Plan::Engine { engine, .. } => self.search(engine, Input::new(text).range(from..)),
        }
    }

    /// The text with every match replaced: Go's `ReplaceAllString`.
    ///
    /// Matches do not overlap, and an empty one right after another match does not count.
    pub fn replace_all(&self, text: &str, template: &Template) -> String {
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        let mut from = 0;
        while from <= text.len()
            && let Some(captures) = self.captures_from(text, from)
        {
            let found = captures.span();
            out.push_str(&text[copied..found.start]);
            if found.end > copied || found.start == 0 {
                template.expand(text, &captures, &mut out);
            }
            copied = found.end;
            let next_character = from + text[from..].chars().next().map_or(1, char::len_utf8);
            from = found.end.max(next_character);
        }
        out.push_str(&text[copied..]);
        out
    }

    /// The texts that match, ascending, each once, if the expression is only a list of texts: `a|b|c`, `x[12]`.
    pub fn set_matches(&self) -> Option<&[String]> {
        match &self.0.plan {
            Plan::Shape { shape, .. } => shape.texts(),
            _ => None,
        }
    }

    /// What every text that matches starts with; empty if nothing is known.
    pub fn prefix(&self) -> &str {
        match &self.0.plan {
            Plan::Shape { shape, .. } => shape.prefix(),
            Plan::IgnoringCase { .. } => "",
            Plan::Engine { start, .. } => start,
        }
    }

    /// Whether the expression is seen to match every text, as `.*` does.
    pub fn matches_everything(&self) -> bool {
        self.matches_all_from(0)
    }

    /// Whether the expression is seen to match every text but perhaps the empty one, as `.+` and `.*` do.
    pub fn matches_all_nonempty(&self) -> bool {
        self.matches_all_from(1)
    }

    fn matches_all_from(&self, characters: usize) -> bool {
        matches!(&self.0.plan, Plan::Shape { shape, .. } if shape.matches_all_from(characters))
    }

    /// The names of the groups that capture, in order of their opening parentheses, after one for the whole match.
    pub fn group_names(&self) -> &[Option<Box<str>>] {
        &self.0.group_names
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Regex({:?})", self.as_str())
    }
}

/// Where a match and its groups are.
#[derive(Clone, Debug)]
pub struct Captures {
    /// For each group, its start and end.
    slots: Vec<Option<NonMaxUsize>>,
}

impl Captures {
    /// The bytes of a group, if it took part in the match; group 0 is the whole match.
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        let at = group.checked_mul(2)?;
        match self.slots.get(at..at.checked_add(2)?)? {
            [Some(start), Some(end)] => Some(start.get()..end.get()),
            _ => None,
        }
    }

    /// The bytes of the whole match.
    pub fn span(&self) -> Range<usize> {
        self.get(0).expect("the whole match always takes part")
    }
}

/// The expression, if it starts with the assertion of the text's start and ends with that of its end: it matches whole texts.
fn whole_text(hir: &Hir) -> Option<&Hir> {
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let edge = |part: Option<&Hir>, look| matches!(part.map(Hir::kind), Some(HirKind::Look(found)) if *found == look);
    (edge(parts.first(), Look::Start) && edge(parts.last(), Look::End)).then_some(hir)
}

/// Whether some of the groups have other bounds than the whole match.
fn groups_are_inside(hir: &Hir, groups: usize) -> bool {
    let mut hir = hir;
    let mut around = 0;
    loop {
        match hir.kind() {
            HirKind::Capture(capture) => {
                hir = &capture.sub;
                around += 1;
            }
            HirKind::Concat(parts) => {
                let mut consuming = parts.iter().filter(|part| !matches!(part.kind(), HirKind::Look(_)));
                match (consuming.next(), consuming.next()) {
                    (Some(only), None) => hir = only,
                    _ => return around < groups,
                }
            }
            _ => return around < groups,
        }
    }
}

/// The longest text that all matches are known to start with.
fn common_start(hir: &Hir) -> String {
    let literals = Extractor::new().kind(ExtractKind::Prefix).extract(hir);
    let start = literals.longest_common_prefix().unwrap_or_default();
    // Bytes that some literals share may stop inside a character.
    let valid = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.to_owned()
}

/// The longest text that all matches are known to end with.
fn common_end(hir: &Hir) -> String {
    let literals = Extractor::new().kind(ExtractKind::Suffix).extract(hir);
    let mut end = literals.longest_common_suffix().unwrap_or_default();
    while std::str::from_utf8(end).is_err() {
        end = &end[1..];
    }
    String::from_utf8_lossy(end).into_owned()
}

/// Whether a text starts and ends with these; they may overlap.
fn fits(text: &str, start: &str, end: &str) -> bool {
    trim(text, start, "").is_some() && trim(text, "", end).is_some()
}

/// Compares texts without regard to case; `None` if the text is not ASCII, or long.
fn is_match_ignoring_case(shape: &Shape, text: &str) -> Option<bool> {
    let mut small = [0; MAX_SMALL_BYTES];
    let small = small.get_mut(..text.len()).filter(|_| text.is_ascii())?;
    small.copy_from_slice(text.as_bytes());
    small.make_ascii_lowercase();
    std::str::from_utf8(small).ok().map(|small| shape.is_match(small))
}

/// Makes the engine; `None` if it would be too large.
fn build(hir: &Hir) -> Option<meta::Regex> {
    // Expressions come with every query, and texts are short: what searches long texts faster takes six times as long to make.
    let config = meta::Config::new().nfa_size_limit(Some(MAX_COMPILED_BYTES)).dfa(false).auto_prefilter(false);
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

#[cfg(test)]
mod tests;
