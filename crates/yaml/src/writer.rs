//! Writes values as Go's `yaml.v2` does, byte for byte, so that what users see is what they know.

mod scalar;

use crate::Value;
use crate::output::Output;
use scalar::{Context, write_scalar};

/// Writes a value, ending with a line end. Secrets are hidden.
pub fn to_text(value: &dyn Value) -> String {
    let mut text = String::new();
    write(&mut text, &value.write(), 0);
    text.push('\n');
    text
}

/// Writes a value whose lines begin at `indent`, except the first, which stands where the text ends.
fn write(out: &mut String, value: &Output, indent: usize) {
    match value {
        Output::Plain(text) => out.push_str(text),
        Output::Text(text) => write_scalar(out, text, indent + INDENT, Context::Block),
        Output::List(items) if items.is_empty() => out.push_str("[]"),
        Output::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Output::FlowList(items) => write_flow_list(out, items, indent + INDENT),
        Output::List(items) => {
            for (at, item) in items.iter().enumerate() {
                start_line(out, indent, at);
                out.push_str("- ");
                let is_nested = matches!(item, Output::List(_) | Output::Map(_));
                write(out, item, if is_nested { indent + INDENT } else { indent });
            }
        }
        Output::Map(entries) => {
            for (at, (key, value)) in entries.iter().enumerate() {
                start_line(out, indent, at);
                write_key(out, key, indent);
                write_value(out, value, indent);
            }
        }
    }
}

/// How far the inside of a map stands from its key.
const INDENT: usize = 2;
/// Keys that are longer, or have several lines, are marked with a question mark.
const LONGEST_SIMPLE_KEY: usize = 128;

fn write_key(out: &mut String, key: &str, indent: usize) {
    let is_simple = key.len() <= LONGEST_SIMPLE_KEY && !key.contains('\n');
    if is_simple {
        write_scalar(out, key, indent + INDENT, Context::Key);
    } else {
        out.push_str("? ");
        write_scalar(out, key, indent + INDENT, Context::Block);
        start_line(out, indent, 1);
    }
    out.push(':');
}

/// Writes the value of a key. Lists there are not indented.
fn write_value(out: &mut String, value: &Output, indent: usize) {
    match value {
        Output::List(items) if !items.is_empty() => {
            out.push('\n');
            write(out, value, indent);
        }
        Output::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            write(out, value, indent + INDENT);
        }
        _ => {
            out.push(' ');
            write(out, value, indent);
        }
    }
}

fn write_flow_list(out: &mut String, items: &[Output], indent: usize) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        if scalar::column(out) > scalar::BEST_WIDTH {
            scalar::new_line(out, indent);
        } else if at > 0 {
            out.push(' ');
        }
        match item {
            Output::Text(text) => write_scalar(out, text, indent + INDENT, Context::Flow),
            other => write(out, other, indent),
        }
    }
    out.push(']');
}

/// Goes to the line of an entry. The first one may stand where the text ends: behind a dash.
fn start_line(out: &mut String, indent: usize, at: usize) {
    if at > 0 {
        out.push('\n');
    }
    if out.is_empty() || out.ends_with('\n') {
        out.push_str(&" ".repeat(indent));
    }
}
