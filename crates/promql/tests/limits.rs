//! Expressions of any size and shape end in a tree or in an error, never in an overflow of the stack.

use promql::{Descend, MAX_LENGTH, MAX_NESTING, MAX_OPERATORS, ParseOptions, parse, prettify};

/// Less than any thread has that queries run on: those of tokio get 2 MiB.
const STACK_BYTES: usize = 512 << 10;

/// `inner` with `before` and `after` around it, so many times.
fn nest(before: &str, inner: &str, after: &str, count: usize) -> String {
    before.repeat(count) + inner + &after.repeat(count)
}

/// Expressions of the shapes that make deep trees: about `nesting` levels, about `operators` operators, or both.
fn deep(nesting: usize, operators: usize) -> Vec<String> {
    let chain = nest("", "a", "+a", operators);
    let half = nesting / 2;
    vec![
        nest("(", &chain, ")", nesting),
        nest("-", "a", "", nesting) + &nest("", "", "*a", operators),
        nest("a^", "a", "", nesting),
        nest("a or (", "a", ")", half),
        nest("abs(", &chain, ")", nesting),
        nest("sum by (x) (", "a", ") + 1", half),
        nest("max_over_time(", "a", "[1m:])", nesting),
        nest("label_replace(", &chain, ",'a','b','c','d')", nesting),
        format!("a[{}]", nest("(", "step()", ")", nesting)),
        format!("a[{}]", nest("-", "1m", "", half) + &nest("", "", "*-step()", operators)),
        format!("a offset {}", nest("min_of(1m,", "step()", ")", nesting)),
        nest("", "a", "[5m:]", operators),
        nest("(", "", "", nesting),
    ]
}

fn on_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    thread.expect("start a thread").join().expect("the work is done");
}

#[test]
fn the_deepest_trees_fit_on_a_small_stack() {
    on_small_stack(|| {
        let mut deepest = 0;
        for text in deep(MAX_NESTING as usize - 3, MAX_OPERATORS as usize) {
            let Ok(mut expr) = parse(&text, &ParseOptions::ALL) else {
                continue;
            };
            let mut size = 0;
            expr.walk(&mut |_, around| {
                size += 1;
                deepest = deepest.max(around.len());
                Descend::Into
            });
            let again = expr.clone();
            assert_eq!(again, expr);
            assert_eq!(again.value_type(), expr.value_type());
            assert!(!again.is_step_invariant());
            assert!(expr.to_string().len() >= size);
            assert!(prettify(&expr).len() >= size);
            let _ = expr.resolve_durations(1000, 1000);
        }
        assert!(deepest > MAX_OPERATORS as usize + MAX_NESTING as usize - 10, "{deepest}");
    });
}

#[test]
fn deeper_trees_are_refused() {
    on_small_stack(|| {
        let far_too_deep = MAX_LENGTH / 30;
        let texts = deep(far_too_deep, 0).into_iter().chain(deep(0, far_too_deep));
        for text in texts.filter(|text| text.len() > far_too_deep) {
            assert!(parse(&text, &ParseOptions::ALL).is_err());
        }
        for (text, message) in [
            (
                nest("(", "a", ")", MAX_NESTING as usize),
                "1:201: parse error: expression is nested too deeply: at most 200 levels are allowed",
            ),
            (
                nest("", "a", "+a", MAX_OPERATORS as usize + 1),
                "1:2002: parse error: expression has too many operators: at most 1000 are allowed",
            ),
        ] {
            assert_eq!(parse(&text, &ParseOptions::ALL).unwrap_err().to_string(), message);
        }
    });
}

#[test]
fn longer_texts_are_refused() {
    let text = " ".repeat(MAX_LENGTH + 1);
    let message = "1:1: parse error: expression has 1048577 bytes, at most 1048576 are allowed";
    assert_eq!(parse(&text, &ParseOptions::ALL).unwrap_err().to_string(), message);
    assert_eq!(promql::parse_selector(&text).unwrap_err().to_string(), message);
}
