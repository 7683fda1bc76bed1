//! Go's syntax, read into the intermediate form of the `regex` crates.
//!
//! The rules are those of <https://pkg.go.dev/regexp/syntax> as Go 1.26 applies them. What differs from Rust's own syntax is
//! reason enough not to translate text to text: classes such as `\d` are ASCII, a brace that starts no repetition is a
//! literal, there are no operations on sets in brackets, and each mistake has its own message.

mod atom;
mod class;
mod escape;

use regex_syntax::hir::{Dot, Hir, Look};

use crate::error::{Error, ErrorKind};
use atom::{Atom, Bounds};

/// What the letters in `(?imsU)` switch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    /// `i`: letters match whatever their case.
    pub(crate) ignore_case: bool,
    /// `m`: `^` and `$` match at each line.
    pub(crate) multi_line: bool,
    /// `s`: a dot matches a new line too.
    pub(crate) dot_all: bool,
    /// `U`: repetitions are lazy, and those with a question mark are greedy.
    pub(crate) swap_greed: bool,
}

/// Whether groups remember what they matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    Capture,
    Forget,
}

/// An expression that was read.
pub(crate) struct Parsed {
    pub(crate) hir: Hir,
    /// The names of the groups that capture, in order of their opening parentheses, after one for the whole.
    pub(crate) group_names: Vec<Option<Box<str>>>,
}

/// Reads `pattern`.
pub(crate) fn parse(pattern: &str, flags: Flags, groups: Groups) -> Result<Parsed, Error> {
    let mut parser = Parser {
        pattern,
        rest: pattern,
        flags,
        groups,
        open: Vec::new(),
        level: Level::default(),
        group_names: vec![None],
    };
    parser.run()?;
    Ok(Parsed { hir: parser.level.finish().hir, group_names: parser.group_names })
}

struct Parser<'a> {
    pattern: &'a str,
    rest: &'a str,
    flags: Flags,
    groups: Groups,
    /// Groups that are open, outermost first.
    open: Vec<Group>,
    /// What was read of the innermost group, or of the whole.
    level: Level,
    group_names: Vec<Option<Box<str>>>,
}

/// An open group: what to go back to when it closes.
struct Group {
    outer: Level,
    flags: Flags,
    kind: GroupKind,
}

#[derive(Clone, Copy)]
enum GroupKind {
    /// `(?:…)`, which leaves no trace.
    Plain,
    /// A group with a number.
    Capture(u32),
    /// One that would have a number, if groups captured.
    Forgotten,
}

/// What stands between two parentheses.
#[derive(Default)]
struct Level {
    alternatives: Vec<Atom>,
    concat: Vec<Atom>,
}

impl Level {
    fn next_alternative(&mut self) {
        self.alternatives.push(Atom::concat(std::mem::take(&mut self.concat)));
    }

    fn finish(&mut self) -> Atom {
        self.next_alternative();
        Atom::alternation(std::mem::take(&mut self.alternatives))
    }
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), Error> {
        // The repetition that was read last, if nothing stands between it and here: it cannot be repeated.
        let mut last_repetition = None;
        while let Some(first) = self.rest.chars().next() {
            let here = self.rest;
            let mut repetition = None;
            match first {
                '(' if here.starts_with("(?") => self.read_group_flags()?,
                '(' => {
                    self.open_capture(None);
                    self.skip(1);
                }
                '|' => {
                    self.level.next_alternative();
                    self.skip(1);
                }
                ')' => {
                    self.close()?;
                    self.skip(1);
                }
                '^' => self.push_look(if self.flags.multi_line { Look::StartLF } else { Look::Start }, 1),
                '$' => self.push_look(if self.flags.multi_line { Look::EndLF } else { Look::End }, 1),
                '.' => {
                    let dot = if self.flags.dot_all { Dot::AnyChar } else { Dot::AnyCharExceptLF };
                    self.push(Hir::dot(dot));
                    self.skip(1);
                }
                '[' => {
                    let (class, rest) = class::brackets(self.rest, self.flags.ignore_case)?;
                    self.push(class);
                    self.rest = rest;
                }
                '*' | '+' | '?' | '{' => match Bounds::read(here)? {
                    Some((bounds, rest)) => {
                        self.repeat(bounds, rest, last_repetition)?;
                        repetition = Some(here);
                    }
                    None => {
                        self.push_literal('{');
                        self.skip(1);
                    }
                },
                '\\' => self.read_backslash()?,
                literal => {
                    self.push_literal(literal);
                    self.skip(literal.len_utf8());
                }
            }
            last_repetition = repetition;
        }
        if self.open.is_empty() { Ok(()) } else { Err(Error::new(ErrorKind::MissingParenthesis, self.pattern)) }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn push(&mut self, hir: Hir) {
        self.level.concat.push(Atom::leaf(hir));
    }

    fn push_look(&mut self, look: Look, bytes: usize) {
        self.push(Hir::look(look));
        self.skip(bytes);
    }

    fn push_literal(&mut self, literal: char) {
        self.push(class::literal(literal, self.flags.ignore_case));
    }

    /// Repeats what was read last. `last_repetition` is the text from the operator just before this one, if there is one.
    fn repeat(&mut self, bounds: Bounds, mut rest: &'a str, last_repetition: Option<&str>) -> Result<(), Error> {
        let mut greedy = !self.flags.swap_greed;
        if let Some(lazy) = rest.strip_prefix('?') {
            rest = lazy;
            greedy = !greedy;
        }
        let until_rest = |from: &'a str| &from[..from.len() - rest.len()];
        if let Some(last) = last_repetition {
            let operators = &last[..last.len() - rest.len()];
            return Err(Error::new(ErrorKind::NestedRepetition, operators));
        }
        let operator = until_rest(self.rest);
        let Some(atom) = self.level.concat.pop() else {
            return Err(Error::new(ErrorKind::MissingArgument, operator));
        };
        let atom = atom.repeat(bounds, greedy).ok_or_else(|| Error::new(ErrorKind::RepeatCount, operator))?;
        self.push_nested(atom)?;
        self.rest = rest;
        Ok(())
    }

    fn push_nested(&mut self, atom: Atom) -> Result<(), Error> {
        if atom.is_too_deep() {
            return Err(Error::new(ErrorKind::NestingDepth, self.pattern));
        }
        self.level.concat.push(atom);
        Ok(())
    }

    fn open_capture(&mut self, name: Option<&str>) {
        let kind = match self.groups {
            Groups::Forget => GroupKind::Forgotten,
            Groups::Capture => {
                let index = u32::try_from(self.group_names.len()).expect("a pattern has less than 2^32 parentheses");
                self.group_names.push(name.map(Into::into));
                GroupKind::Capture(index)
            }
        };
        self.open_group(kind, self.flags);
    }

    /// Opens a group; `flags` hold within it.
    fn open_group(&mut self, kind: GroupKind, flags: Flags) {
        self.open.push(Group { outer: std::mem::take(&mut self.level), flags: self.flags, kind });
        self.flags = flags;
    }

    fn close(&mut self) -> Result<(), Error> {
        let inner = self.level.finish();
        let group = self.open.pop().ok_or_else(|| Error::new(ErrorKind::UnexpectedParenthesis, self.pattern))?;
        self.level = group.outer;
        self.flags = group.flags;
        self.push_nested(match group.kind {
            GroupKind::Plain => inner,
            GroupKind::Capture(index) => inner.capture(index),
            GroupKind::Forgotten => inner.deepen(),
        })
    }

    /// Reads what starts with `(?`: a named group, a group that does not capture, or flags for the rest of this one.
    fn read_group_flags(&mut self) -> Result<(), Error> {
        let here = self.rest;
        let name_start = [("(?P<", 4), ("(?<", 3)]
            .into_iter()
            .find(|(start, length)| here.starts_with(start) && here.len() > *length);
        if let Some((_, start)) = name_start {
            let end = here.find('>').ok_or_else(|| Error::new(ErrorKind::NamedCapture, here))?;
            let name = &here[start..end];
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(Error::new(ErrorKind::NamedCapture, &here[..=end]));
            }
            self.open_capture(Some(name));
            self.skip(end + 1);
            return Ok(());
        }
        let mut flags = self.flags;
        let mut on = true;
        let mut any_since_sign = false;
        for (at, letter) in here.char_indices().skip(2) {
            match letter {
                'i' => flags.ignore_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_all = on,
                'U' => flags.swap_greed = on,
                '-' if on => {
                    on = false;
                    any_since_sign = false;
                    continue;
                }
                ':' if on || any_since_sign => {
                    self.open_group(GroupKind::Plain, flags);
                    self.skip(at + 1);
                    return Ok(());
                }
                ')' if on || any_since_sign => {
                    self.flags = flags;
                    self.skip(at + 1);
                    return Ok(());
                }
                other => return Err(Error::new(ErrorKind::PerlSyntax, &here[..at + other.len_utf8()])),
            }
            any_since_sign = true;
        }
        Err(Error::new(ErrorKind::PerlSyntax, here))
    }

    fn read_backslash(&mut self) -> Result<(), Error> {
        let here = self.rest;
        match here.as_bytes().get(1) {
            Some(b'A') => self.push_look(Look::Start, 2),
            Some(b'z') => self.push_look(Look::End, 2),
            Some(b'b') => self.push_look(Look::WordAscii, 2),
            Some(b'B') => self.push_look(Look::WordAsciiNegate, 2),
            Some(b'C') => return Err(Error::new(ErrorKind::Escape, &here[..2])),
            Some(b'Q') => {
                let (quoted, rest) = here[2..].split_once(r"\E").unwrap_or((&here[2..], ""));
                for literal in quoted.chars() {
                    self.push_literal(literal);
                }
                self.rest = rest;
            }
            _ => {
                let (hir, rest) = class::escaped(here, self.flags.ignore_case)?;
                self.push(hir);
                self.rest = rest;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(pattern: &str, message: &str) {
        let error = parse(pattern, Flags::default(), Groups::Capture).err().expect(pattern).to_string();
        assert_eq!(error, format!("error parsing regexp: {message}"), "{pattern}");
    }

    #[test]
    fn mistakes_have_the_messages_of_go() {
        refused("[a", "missing closing ]: `[a`");
        refused("a[b-", "missing closing ]: `[b-`");
        refused("[z-a]", "invalid character class range: `z-a`");
        refused("[[:foo:]]", "invalid character class range: `[:foo:]`");
        refused(r"\pX", r"invalid character class range: `\pX`");
        refused(r"\p{Alphabetic}", r"invalid character class range: `\p{Alphabetic}`");
        refused(r"\p{L", r"invalid character class range: `\p{L`");
        refused("a(b", "missing closing ): `a(b`");
        refused("a)b", "unexpected ): `a)b`");
        refused("*a", "missing argument to repetition operator: `*`");
        refused("a|+?b", "missing argument to repetition operator: `+?`");
        refused("(*)", "missing argument to repetition operator: `*`");
        refused("a**", "invalid nested repetition operator: `**`");
        refused("a+?{2}b", "invalid nested repetition operator: `+?{2}`");
        refused("a{1001}", "invalid repeat count: `{1001}`");
        refused("a{3,2}", "invalid repeat count: `{3,2}`");
        refused("(a{40}){26}?", "invalid repeat count: `{26}?`");
        refused("a{99999999999}", "invalid repeat count: `{99999999999}`");
        refused(r"a\", "trailing backslash at end of expression: ``");
        refused(r"\y", r"invalid escape sequence: `\y`");
        refused(r"\8", r"invalid escape sequence: `\8`");
        refused(r"\1", r"invalid escape sequence: `\1`");
        refused(r"\C", r"invalid escape sequence: `\C`");
        refused(r"\x{110000}", r"invalid escape sequence: `\x{110000`");
        refused(r"\x{}", r"invalid escape sequence: `\x{}`");
        refused("(?P<n", "invalid named capture: `(?P<n`");
        refused("(?<n n>a)", "invalid named capture: `(?<n n>`");
        refused("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
        refused("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`");
        refused("(?", "invalid or unsupported Perl syntax: `(?`");
        let deep = "(".repeat(1000) + &")".repeat(1000);
        refused(&deep, &format!("expression nests too deeply: `{deep}`"));
    }

    #[test]
    fn what_go_reads_is_read() {
        for pattern in [
            "",
            "a{",
            "a{,2}",
            "a{01}",
            "{",
            "a{2}{",
            "[]a]",
            "[^]a]",
            "[a-]",
            "[[a]",
            "[[:alpha:]]",
            "[[:^word:]-]",
            r"[\d\pL]",
            r"\<a\>",
            r"\_",
            r"\Qa*\E+",
            r"\Qa",
            "(?P<a>x)(?<b>y)(?<b>z)",
            "(?i)a(?-i:b)",
            "(?s-mU:.)",
            "a(?i)*",
            "^*",
            r"\x{D800}",
            r"\07\x41\x{1F600}",
            "||",
            "()*",
            r"\p{Greek}\PN\p{^Lu}",
            "a{1000}",
            "(a{31}){32}",
        ] {
            assert!(parse(pattern, Flags::default(), Groups::Capture).is_ok(), "{pattern}");
        }
        assert!(parse(&("(".repeat(999) + &")".repeat(999)), Flags::default(), Groups::Forget).is_ok());
    }
}
