//! From text to nodes.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::node::{Content, Node};

/// Why a text is no YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("yaml: {}{message}", if *.line == 0 { String::new() } else { format!("line {}: ", .line) })]
pub struct SyntaxError {
    /// The line, from 1; 0 if the mistake has none.
    pub line: usize,
    /// The column, from 1; 0 if the mistake has none.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// How deep values may be nested. Files in use stay below 20; the limit keeps hostile ones off our stack.
const MAX_DEPTH: usize = 100;

/// Up to this many nodes, aliases counted as what they stand for, a document is taken however little text makes them.
const MAX_FREE_NODES: u64 = 400_000;

/// Above that, this many for each node that is written out: aliases of aliases grow exponentially.
const MAX_NODES_PER_WRITTEN: u64 = 10;

/// Reads the first document of a text; `None` if there is nothing in it.
///
/// # Errors
/// The first mistake in the syntax. What follows the first document is not looked at.
pub fn parse(text: &str) -> Result<Option<Arc<Node>>, SyntaxError> {
    if text.chars().any(|c| !is_allowed(c)) {
        return Err(SyntaxError { line: 0, column: 0, message: "control characters are not allowed".to_owned() });
    }
    let mut composer = Composer::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(syntax_error)?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        composer.take(event, span)?;
    }
    Ok(composer.root)
}

fn syntax_error(error: ScanError) -> SyntaxError {
    // "while parsing a block mapping, did not find expected key": Go says the second half only.
    let message = match error.info().split_once(", ") {
        Some((context, problem)) if context.starts_with("while ") => problem,
        _ => error.info(),
    };
    let mark = error.marker();
    SyntaxError { line: mark.line(), column: mark.col() + 1, message: message.to_owned() }
}

/// Whether a document may hold this character, as YAML defines it.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// Builds nodes bottom-up from a stream of events.
#[derive(Default)]
struct Composer {
    root: Option<Arc<Node>>,
    open: Vec<Open>,
    /// Nodes that aliases may refer to, with how many nodes each stands for.
    anchors: HashMap<usize, (Arc<Node>, u64)>,
    written: u64,
}

/// A sequence or mapping whose end has not come yet. A mapping's keys and values alternate.
struct Open {
    anchor: usize,
    node: Node,
    is_mapping: bool,
    children: Vec<Arc<Node>>,
    weight: u64,
}

impl Composer {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let node = |tag: Option<_>, content| Node {
            line: span.start.line(),
            column: span.start.col() + 1,
            tag: tag.as_deref().map(full_tag),
            content,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain;
                let content = Content::Scalar { text: text.into(), is_plain };
                self.close(node(tag, content), anchor, 1, span)
            }
            Event::Alias(anchor) => {
                let Some((target, weight)) = self.anchors.get(&anchor).cloned() else {
                    return Err(error_at(span, "anchor value contains itself".to_owned()));
                };
                self.add(target, weight, span)
            }
            Event::SequenceStart(anchor, tag) => self.open(anchor, node(tag, Content::Sequence(Vec::new())), span),
            Event::MappingStart(anchor, tag) => self.open(anchor, node(tag, Content::Mapping(Vec::new())), span),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let content = if open.is_mapping {
                    Content::Mapping(pairs(open.children))
                } else {
                    Content::Sequence(open.children)
                };
                self.close(Node { content, ..open.node }, open.anchor, open.weight, span)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, node: Node, span: Span) -> Result<(), SyntaxError> {
        if self.open.len() == MAX_DEPTH {
            return Err(error_at(span, format!("exceeded max depth of {MAX_DEPTH}")));
        }
        let is_mapping = matches!(node.content, Content::Mapping(_));
        self.open.push(Open { anchor, node, is_mapping, children: Vec::new(), weight: 1 });
        Ok(())
    }

    /// Takes a node that is complete.
    fn close(&mut self, node: Node, anchor: usize, weight: u64, span: Span) -> Result<(), SyntaxError> {
        self.written += 1;
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, (Arc::clone(&node), weight));
        }
        self.add(node, weight, span)
    }

    /// Adds a node to the innermost open one.
    fn add(&mut self, node: Arc<Node>, weight: u64, span: Span) -> Result<(), SyntaxError> {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.children.push(node);
        parent.weight = parent.weight.saturating_add(weight);
        let limit = MAX_FREE_NODES.max(self.written.saturating_mul(MAX_NODES_PER_WRITTEN));
        if parent.weight > limit {
            return Err(error_at(span, "document contains excessive aliasing".to_owned()));
        }
        Ok(())
    }
}

fn error_at(span: Span, message: String) -> SyntaxError {
    SyntaxError { line: span.start.line(), column: span.start.col() + 1, message }
}

fn pairs(children: Vec<Arc<Node>>) -> Vec<(Arc<Node>, Arc<Node>)> {
    let mut pairs = Vec::with_capacity(children.len() / 2);
    let mut children = children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    pairs
}

fn full_tag(tag: &Tag) -> Box<str> {
    format!("{}{}", tag.handle, tag.suffix).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn nodes_know_their_places() {
        let root = parse("a: 1\nb:\n  - x\n  - {c: d}\n").unwrap().unwrap();
        let list = root.get("b").unwrap();
        assert_eq!((list.line, list.column), (3, 3));
        let inner = list.item(1).unwrap().get("c").unwrap();
        assert_eq!((inner.line, inner.column, inner.text()), (4, 9, Some("d")));
        assert_eq!(root.get("z"), None);
    }

    #[test]
    fn aliases_are_what_they_refer_to() {
        let root = parse("base: &b {x: 1, y: 2}\nother:\n  <<: *b\n  y: 3\nagain: *b\n").unwrap().unwrap();
        assert_eq!(root.get("again"), root.get("base"));
        let other = root.get("other").unwrap();
        assert_eq!(other.get("x").unwrap().text(), Some("1"));
        assert_eq!(other.get("y").unwrap().text(), Some("3"));
    }

    #[test]
    fn only_the_first_document_is_read() {
        assert_eq!(parse("---\na\n---\n[").unwrap().unwrap().text(), Some("a"));
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse("# nothing\n").unwrap(), None);
    }

    #[test]
    fn mistakes_have_lines() {
        assert_eq!(message("a: b: c"), "yaml: line 1: mapping values are not allowed in this context");
        assert_eq!(message("a\u{1}"), "yaml: control characters are not allowed");
        assert!(message("x: 1\ny: *nobody\n").starts_with("yaml: line 2: "));
        assert!(message(&"- ".repeat(1000)).ends_with("exceeded max depth of 100"));
        assert!(message(&"[".repeat(1000)).ends_with("recursion limit exceeded"));
    }

    #[test]
    fn aliases_of_aliases_do_not_explode() {
        let mut text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let above = format!("*l{}", level - 1);
            text += &format!("l{level}: &l{level} [{}]\n", [above.as_str(); 10].join(", "));
        }
        assert!(message(&text).ends_with("document contains excessive aliasing"));
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(text in "[-a:\\[\\]{}\"'&*!|>#%?, \\n\\t\\\\x0~<]{0,60}") {
            let _ = parse(&text);
        }
    }
}
