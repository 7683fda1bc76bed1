//! What holds for every text and every tree.

use promql::{Descend, Expr, ParseOptions, parse, parse_selector, prettify};
use proptest::prelude::*;
use proptest::sample::select;

/// Words and broken words of the language.
const WORDS: &[&str] = &[
    "foo",
    "a:b",
    "sum",
    "AVG",
    "topk",
    "count_values",
    "limitk",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "fill",
    "fill_left",
    "bool",
    "offset",
    "anchored",
    "smoothed",
    "start",
    "end",
    "step",
    "range",
    "min_of",
    "max_of",
    "and",
    "or",
    "unless",
    "atan2",
    "inf",
    "NaN",
    "rate",
    "info",
    "time",
    "label_replace",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "==",
    "!=",
    "=~",
    "!~",
    "!",
    "<",
    "<=",
    "</",
    ">",
    ">=",
    ">/",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "@",
    "#",
    "0",
    "5",
    "1.5",
    "0x1F",
    "010",
    "1e3",
    "1_0",
    ".",
    "5m",
    "1h30m",
    "5m1h",
    "1e",
    "\"a\"",
    "'b'",
    "`c`",
    "\"\\n\"",
    "\"\\x\"",
    "\"",
    "'",
    "é",
    "$",
    "\u{fffd}",
    "\n",
    "{a=\"b\"}",
    "[5m]",
    "[5m:]",
    "step()",
];

/// Instant vectors. Conditions stand in the order in which they are printed.
fn vector() -> impl Strategy<Value = String> {
    let leaf = select(&[
        "foo",
        "a:b",
        "sum",
        "foo{a=\"b\",b!~\"c.*\"}",
        "{\"a.b\"=\"c\",__name__=\"x\"}",
        "foo offset 5m",
        "foo @ 1.5 offset -step()",
        "foo smoothed @ start()",
        "rate(foo[5m])",
        "rate(foo{a=\"\"}[(step()) * 2] anchored @ end() offset (1m - range()))",
        "avg_over_time(foo[1h:5m] offset -(2 ^ step()))",
        "max_over_time(foo[min_of(1h, -step() + 5):])",
        "vector(1)",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(6, 40, 3, |inner| {
        let clause = select(&["", " by (a, \"b.c\") ", " without () ", " without (by) "]);
        let matching = select(&["", "on (a)", "ignoring (a, b) group_left ()", "on (a) group_right (b) fill (1)"]);
        let filled = select(&["+", "*", "</", "> bool", "==", "atan2"]);
        let set = select(&["and", "or on (a)", "unless ignoring (b)"]);
        prop_oneof![
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("-abs({a})")),
            (scalar(), clause, inner.clone()).prop_map(|(s, clause, a)| format!("topk{clause}({s}, {a})")),
            (inner.clone(), filled, matching, inner.clone()).prop_map(|(a, op, on, b)| format!("({a}) {op} {on} {b}")),
            (inner.clone(), set, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), scalar()).prop_map(|(a, s)| format!("{a} % {s}")),
            inner.prop_map(|a| format!("sort(max_over_time(({a})[1h:1m]))")),
        ]
    })
}

/// Scalars. Infinity is printed with a plus, which before `^` reads as a sign of the power; so it has parentheses.
fn scalar() -> impl Strategy<Value = String> {
    let literals = select(&["1", "-0.5", "1h30m", "-5m", "(Inf)", "NaN", "0x10", "time()", "min_of(1, step())"]);
    let leaf = literals.prop_map(str::to_owned);
    leaf.prop_recursive(4, 12, 2, |inner| {
        let op = select(&["+", "-", "*", "/", "%", "^", "<= bool"]);
        prop_oneof![
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), op, inner).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        ]
    })
}

/// A tree as text, without the places of its expressions.
fn shape(expr: &Expr) -> String {
    let shown = format!("{expr:?}");
    let mut parts = shown.split("Span {");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shape, part| shape + part.split_once('}').map_or(part, |(_, rest)| rest))
}

/// Every expression stands inside the one it belongs to.
fn assert_nested(expr: &Expr, text: &str) {
    expr.walk(&mut |expr, around| {
        let span = expr.span();
        assert!(span.start < span.end && !span.of(text).is_empty(), "{span:?}: {text}");
        if let Some(outer) = around.last().map(|outer| outer.span()) {
            assert!(outer.start <= span.start && span.end <= outer.end, "{span:?} in {outer:?}: {text}");
        }
        Descend::Into
    });
}

proptest! {
    #[test]
    fn any_words_are_an_expression_or_an_error(
        words in prop::collection::vec((select(WORDS), select(&["", " "])), 0..20),
    ) {
        let text: String = words.iter().flat_map(|(word, blank)| [*word, *blank]).collect();
        for options in [ParseOptions::default(), ParseOptions::ALL] {
            match parse(&text, &options) {
                Ok(expr) => {
                    assert_nested(&expr, &text);
                    let _ = prettify(&expr);
                }
                Err(error) => {
                    let span = error.span();
                    prop_assert!(span.start as usize <= text.len() && span.end as usize <= text.len());
                }
            }
        }
        let _ = parse_selector(&text);
    }

    #[test]
    fn any_text_is_an_expression_or_an_error(text in ".{0,60}") {
        let _ = parse(&text, &ParseOptions::ALL);
        let _ = parse_selector(&text);
    }

    #[test]
    fn what_is_printed_is_read_as_the_same_tree(text in prop_oneof![vector(), scalar()]) {
        let expr = parse(&text, &ParseOptions::ALL).unwrap();
        assert_nested(&expr, &text);
        for printed in [expr.to_string(), prettify(&expr)] {
            let again = parse(&printed, &ParseOptions::ALL).unwrap();
            prop_assert_eq!(shape(&again), shape(&expr), "{}", printed);
            prop_assert_eq!(again.to_string(), expr.to_string());
        }
    }

    #[test]
    fn a_part_of_an_expression_is_an_expression_or_an_error(text in vector(), cut in any::<prop::sample::Index>()) {
        let ends: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        let at = ends[cut.index(ends.len())];
        let _ = parse(&text[..at], &ParseOptions::ALL);
        let _ = parse(&text[at..], &ParseOptions::ALL);
    }

    #[test]
    fn durations_become_known(text in vector(), step_ms in 0i64..100_000, range_ms in 0i64..10_000_000) {
        let mut expr = parse(&text, &ParseOptions::ALL).unwrap();
        if expr.resolve_durations(step_ms, range_ms).is_ok() {
            expr.walk(&mut |expr, _| {
                assert!(expr.shift().is_none_or(|shift| shift.offset.fixed().is_some()));
                Descend::Into
            });
            prop_assert!(!expr.to_string().contains('^') || text.contains('^'));
        }
    }
}
