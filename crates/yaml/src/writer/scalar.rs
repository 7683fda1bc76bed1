//! Texts: which of them need quotes, and where long ones are folded.

use crate::scalar::{Scalar, resolve_plain};

/// Texts are folded at the first space behind this column.
pub(super) const BEST_WIDTH: usize = 80;

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// As a value on a line of its own.
    Block,
    /// In a list on one line.
    Flow,
    /// As a key.
    Key,
}

/// Writes a text in the plainest style that reads back as the same text. `indent` is that of the lines it may continue on.
pub(super) fn write_scalar(out: &mut String, text: &str, indent: usize, context: Context) {
    let traits = Traits::of(text);
    let has_lines = text.contains('\n');
    let is_plain = matches!(resolve_plain(text), Scalar::Text(_)) && !is_base_60(text);
    let may_fold = context != Context::Key;
    let allows_plain = if context == Context::Flow { traits.allows_flow_plain } else { traits.allows_plain };
    if has_lines && traits.allows_block && context == Context::Block {
        write_literal(out, text, indent);
    } else if !is_plain || has_lines || !traits.allows_single_quotes {
        write_double_quoted(out, text, indent, may_fold);
    } else if allows_plain {
        write_folding(out, text, indent, may_fold, 0);
    } else {
        write_single_quoted(out, text, indent, may_fold);
    }
}

/// The column behind what was written, from 0.
pub(super) fn column(out: &str) -> usize {
    out.rsplit('\n').next().unwrap_or_default().chars().count()
}

pub(super) fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.push_str(&" ".repeat(indent));
}

/// Which styles can hold a text.
struct Traits {
    allows_plain: bool,
    allows_flow_plain: bool,
    allows_single_quotes: bool,
    allows_block: bool,
}

impl Traits {
    fn of(text: &str) -> Self {
        let is_blank = |c: Option<char>| matches!(c, None | Some(' ' | '\t'));
        let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let mut has_indicator = text.starts_with("---") || text.starts_with("...");
        let mut has_flow_indicator = has_indicator;
        let (mut has_special, mut has_break) = (false, false);
        let (mut break_then_space, mut space_then_break) = (false, false);
        let mut previous: Option<char> = None;
        for (at, c) in text.char_indices() {
            let next = text[at + c.len_utf8()..].chars().next();
            let (indicator, flow_indicator) = match (c, previous) {
                (
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`',
                    None,
                ) => (true, true),
                ('?' | ':', None) => (is_blank(next), true),
                ('-', None) => (is_blank(next), is_blank(next)),
                (',' | '?' | '[' | ']' | '{' | '}', _) => (false, true),
                (':', _) => (is_blank(next), true),
                ('#', Some(before)) => (is_blank(Some(before)) || is_break(before), is_blank(Some(before))),
                _ => (false, false),
            };
            has_indicator |= indicator;
            has_flow_indicator |= flow_indicator;
            has_special |= !is_printable(c);
            has_break |= is_break(c);
            break_then_space |= c == ' ' && previous.is_some_and(is_break);
            space_then_break |= is_break(c) && previous == Some(' ');
            previous = Some(c);
        }
        let at_edge = |c: char| c == ' ' || is_break(c);
        let has_edge = text.starts_with(at_edge) || text.ends_with(at_edge);
        let is_unsafe = has_special || space_then_break;
        let is_simple = !text.is_empty() && !has_edge && !break_then_space && !is_unsafe && !has_break;
        Self {
            allows_plain: is_simple && !has_indicator,
            allows_flow_plain: is_simple && !has_flow_indicator,
            allows_single_quotes: !is_unsafe && !break_then_space,
            allows_block: !text.is_empty() && !is_unsafe && !text.ends_with(' '),
        }
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && c != '\u{feff}'
}

/// Whether a text is what YAML 1.1 takes for a number to base 60, such as `1:30`: Go writes these in quotes for others.
fn is_base_60(text: &str) -> bool {
    let Some((first, rest)) = text.strip_prefix(['-', '+']).unwrap_or(text).split_once(':') else { return false };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let (rest, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let is_part = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [b'0'..=b'5', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && is_digits(first)
        && rest.split(':').all(is_part)
        && is_digits(fraction)
}

fn write_single_quoted(out: &mut String, text: &str, indent: usize, may_fold: bool) {
    out.push('\'');
    write_folding(out, &text.replace('\'', "''"), indent, may_fold, 1);
    out.push('\'');
}

/// Writes a text on as many lines as it needs; `edge` characters at either end are no place to fold at.
fn write_folding(out: &mut String, text: &str, indent: usize, may_fold: bool, edge: usize) {
    let mut column = column(out);
    let mut after_space = false;
    for (at, c) in text.char_indices() {
        let is_inside = at >= edge && at + edge < text.len();
        let next_is_space = text[at + c.len_utf8()..].starts_with(' ');
        if c == ' ' && may_fold && !after_space && column > BEST_WIDTH && is_inside && !next_is_space {
            new_line(out, indent);
            column = indent;
        } else {
            out.push(c);
            column += 1;
        }
        after_space = c == ' ';
    }
}

fn write_double_quoted(out: &mut String, text: &str, indent: usize, may_fold: bool) {
    out.push('"');
    let mut column = column(out);
    let mut after_space = false;
    for (at, c) in text.char_indices() {
        let before = out.len();
        let is_inside = at > 0 && at + 1 < text.len();
        if c == ' ' && may_fold && !after_space && column > BEST_WIDTH && is_inside {
            new_line(out, indent);
            column = indent;
            if text[at + 1..].starts_with(' ') {
                out.push('\\');
                column += 1;
            }
        } else {
            push_escaped(out, c);
            column += out[before..].chars().count();
        }
        after_space = c == ' ';
    }
    out.push('"');
}

fn push_escaped(out: &mut String, c: char) {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => return out.push(c),
        c => {
            let code = u32::from(c);
            return out.push_str(&match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    out.push('\\');
    out.push(short);
}

fn write_literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    let body = text.strip_suffix('\n');
    // How the end of the text is told: no line end, one, or several.
    match body {
        None => out.push('-'),
        Some(body) if body.is_empty() || body.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in body.unwrap_or(text).split('\n') {
        if line.is_empty() {
            out.push('\n');
        } else {
            new_line(out, indent);
        }
        out.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{from_text, to_text};

    #[track_caller]
    fn check(text: &str, written: &str) {
        assert_eq!(to_text(&text.to_owned()), format!("{written}\n"));
        assert_eq!(from_text::<String>(written).as_deref(), Ok(text));
    }

    #[test]
    fn texts_are_quoted_as_far_as_needed() {
        check("plain text", "plain text");
        check("(.*)some-[regex]", "(.*)some-[regex]");
        check(";", ";");
        check(",", "','");
        check("", "\"\"");
        check("1", "\"1\"");
        check("yes", "\"yes\"");
        check("1:30", "\"1:30\"");
        check("localhost:9090", "localhost:9090");
        check("a: b", "'a: b'");
        check("it's #1: all", "'it''s #1: all'");
        check(" x", "' x'");
        check("a\tb", "\"a\\tb\"");
        check("x\n", "|\n  x");
        check("x\ny", "|-\n  x\n  y");
        check("x\n\ny\n", "|\n  x\n\n  y");
        check("bell\u{7}\"", "\"bell\\a\\\"\"");
    }

    #[test]
    fn long_texts_are_folded() {
        let words = ["wordwordword"; 9].join(" ");
        let written = to_text(&words);
        assert_eq!(written.lines().count(), 2);
        assert_eq!(from_text::<String>(&written), Ok(words));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "\\PC{0,100}|[-a-c0-9:#,'\"\\[\\]{}&*!|>%@` \\n\\t]{0,40}|[a-d ]{0,300}") {
            let in_list = vec![text.clone()];
            prop_assert_eq!(from_text::<Vec<String>>(&to_text(&in_list)), Ok(in_list));
            let as_key = std::collections::BTreeMap::from([(text.clone(), text)]);
            prop_assert_eq!(from_text(&to_text(&as_key)), Ok(as_key));
        }
    }
}
