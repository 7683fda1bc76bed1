//! Sets of characters: `[a-z]`, `\d`, `[:alpha:]`, `\p{Greek}`, and single letters of either case.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind};

use super::escape;
use crate::error::{Error, ErrorKind};

const DIGIT: &[(char, char)] = &[('0', '9')];
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

const NAMED: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7f')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1f'), ('\x7f', '\x7f')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];

/// One character, or with `ignore_case` all that differ from it only in case.
pub(super) fn literal(literal: char, ignore_case: bool) -> Hir {
    if ignore_case {
        Hir::class(Class::Unicode(range(literal, literal, true)))
    } else {
        Hir::literal(literal.encode_utf8(&mut [0; 4]).as_bytes())
    }
}

/// Reads the backslash at the start of `text` and what belongs to it, and gives what follows.
pub(super) fn escaped(text: &str, ignore_case: bool) -> Result<(Hir, &str), Error> {
    if let Some((class, rest)) = escaped_class(text, ignore_case)? {
        return Ok((Hir::class(Class::Unicode(class)), rest));
    }
    let (code, rest) = escape::character(text)?;
    // A surrogate is no character of any text: it never matches.
    let hir = char::from_u32(code).map_or_else(Hir::fail, |c| literal(c, ignore_case));
    Ok((hir, rest))
}

/// Reads the bracketed class at the start of `text` and gives what follows.
pub(super) fn brackets(text: &str, ignore_case: bool) -> Result<(Hir, &str), Error> {
    let negated = text.starts_with("[^");
    let mut rest = &text[if negated { 2 } else { 1 }..];
    let mut class = ClassUnicode::empty();
    let mut first = true;
    // A bracket that closes right away is a member.
    while first || !rest.starts_with(']') {
        first = false;
        let (part, after) = match named(rest, ignore_case)? {
            Some(found) => found,
            None => match escaped_class(rest, ignore_case)? {
                Some(found) => found,
                None => member_or_range(rest, text, ignore_case)?,
            },
        };
        class.union(&part);
        rest = after;
    }
    if negated {
        class.negate();
    }
    Ok((Hir::class(Class::Unicode(class)), &rest[1..]))
}

/// Reads `a` or `a-z` inside the brackets that start at `brackets`.
fn member_or_range<'a>(text: &'a str, brackets: &str, ignore_case: bool) -> Result<(ClassUnicode, &'a str), Error> {
    let (low, rest) = member(text, brackets)?;
    let end = rest.strip_prefix('-').filter(|end| !end.is_empty() && !end.starts_with(']'));
    let (high, rest) = match end {
        Some(end) => member(end, brackets)?,
        None => (low, rest),
    };
    if high < low {
        return Err(Error::new(ErrorKind::CharRange, &text[..text.len() - rest.len()]));
    }
    // Surrogates are no characters: a range that starts or ends with one starts after or ends before them all.
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    let class = if low <= high { range(low, high, ignore_case) } else { ClassUnicode::empty() };
    Ok((class, rest))
}

fn member<'a>(text: &'a str, brackets: &str) -> Result<(u32, &'a str), Error> {
    if text.starts_with('\\') {
        return escape::character(text);
    }
    let mut chars = text.chars();
    let first = chars.next().ok_or_else(|| Error::new(ErrorKind::MissingBracket, brackets))?;
    Ok((u32::from(first), chars.as_str()))
}

/// Reads `[:alpha:]` or `[:^alpha:]`.
fn named(text: &str, ignore_case: bool) -> Result<Option<(ClassUnicode, &str)>, Error> {
    let Some((name, rest)) = text.strip_prefix("[:").and_then(|text| text.split_once(":]")) else {
        return Ok(None);
    };
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let (_, ranges) = NAMED
        .iter()
        .find(|(candidate, _)| *candidate == name)
        .ok_or_else(|| Error::new(ErrorKind::CharRange, &text[..text.len() - rest.len()]))?;
    Ok(Some((of_ranges(ranges, ignore_case, negated), rest)))
}

/// Reads `\d`, `\pL` and their like; `None` if the text starts with something else.
fn escaped_class(text: &str, ignore_case: bool) -> Result<Option<(ClassUnicode, &str)>, Error> {
    let Some(letter) = text.strip_prefix('\\').and_then(|text| text.bytes().next()) else {
        return Ok(None);
    };
    let ranges = match letter.to_ascii_lowercase() {
        b'd' => DIGIT,
        b's' => SPACE,
        b'w' => WORD,
        b'p' => return unicode(text, ignore_case).map(Some),
        _ => return Ok(None),
    };
    let class = of_ranges(ranges, ignore_case, letter.is_ascii_uppercase());
    Ok(Some((class, &text[2..])))
}

/// Reads `\pL`, `\PL`, `\p{Greek}` or `\p{^Greek}`.
fn unicode(text: &str, ignore_case: bool) -> Result<(ClassUnicode, &str), Error> {
    let (name, rest) = match text[2..].strip_prefix('{') {
        Some(braced) => braced.split_once('}').ok_or_else(|| Error::new(ErrorKind::CharRange, text))?,
        None => {
            let mut chars = text[2..].chars();
            chars.next();
            let rest = chars.as_str();
            (&text[2..text.len() - rest.len()], rest)
        }
    };
    let (plain, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let mut class =
        unicode_table(plain).ok_or_else(|| Error::new(ErrorKind::CharRange, &text[..text.len() - rest.len()]))?;
    if ignore_case {
        class.case_fold_simple();
    }
    if negated != text.starts_with(r"\P") {
        class.negate();
    }
    Ok((class, rest))
}

/// The characters of a general category or a script.
fn unicode_table(name: &str) -> Option<ClassUnicode> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte)) {
        return None;
    }
    if matches!(name, "Cs" | "Surrogate") {
        return Some(ClassUnicode::empty());
    }
    // Only these two properties: a bare name would find others too, which Go does not know.
    ["gc", "sc"].into_iter().find_map(|property| {
        let hir = regex_syntax::parse(&format!(r"\p{{{property}={name}}}")).ok()?;
        match hir.into_kind() {
            HirKind::Class(Class::Unicode(class)) => Some(class),
            _ => None,
        }
    })
}

fn of_ranges(ranges: &[(char, char)], ignore_case: bool, negated: bool) -> ClassUnicode {
    let mut class = ClassUnicode::new(ranges.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)));
    if ignore_case {
        class.case_fold_simple();
    }
    if negated {
        class.negate();
    }
    class
}

fn range(low: char, high: char, ignore_case: bool) -> ClassUnicode {
    of_ranges(&[(low, high)], ignore_case, false)
}
