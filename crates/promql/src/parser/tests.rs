use crate::{ParseOptions, parse};

#[track_caller]
fn check(text: &str, printed: &str) {
    match parse(text, &ParseOptions::ALL) {
        Ok(expr) => assert_eq!(expr.to_string(), printed, "{text}"),
        Err(error) => panic!("{text}: {error}"),
    }
}

#[track_caller]
fn check_error(text: &str, message: &str) {
    match parse(text, &ParseOptions::ALL) {
        Ok(expr) => panic!("{text} is read as {expr}"),
        Err(error) => assert_eq!(error.to_string(), message, "{text}"),
    }
}

/// The structure of an expression, with parentheses around every operation.
fn grouped(text: &str) -> String {
    fn show(expr: &crate::Expr) -> String {
        match expr {
            crate::Expr::Binary(binary) => format!("({} {} {})", show(&binary.left), binary.op, show(&binary.right)),
            crate::Expr::Unary(unary) => format!("({}{})", unary.sign, show(&unary.expr)),
            other => other.to_string(),
        }
    }
    show(&parse(text, &ParseOptions::ALL).unwrap())
}

#[test]
fn operators_bind_as_in_mathematics() {
    for (text, expected) in [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a ^ b ^ c", "(a ^ (b ^ c))"),
        ("-a ^ b", "(-(a ^ b))"),
        ("-a * b", "((-a) * b)"),
        ("a ^ -b * c", "((a ^ (-b)) * c)"),
        ("a or b and c unless d", "(a or ((b and c) unless d))"),
        ("a > b + c == d", "((a > (b + c)) == d)"),
        ("a </ 1 >/ 2", "((a </ 1) >/ 2)"),
        ("a atan2 b % c", "((a atan2 b) % c)"),
        ("-1 - -2", "(-1 - -2)"),
        ("-1 ^ 2", "(-(1 ^ 2))"),
        ("- a offset 5m ^ 2", "(-(a offset 5m ^ 2))"),
    ] {
        assert_eq!(grouped(text), expected, "{text}");
    }
}

#[test]
fn offsets_end_after_their_first_term_but_not_after_a_parenthesis() {
    for (text, expected) in [
        ("a offset 1m * 2", "(a offset 1m * 2)"),
        ("a offset -2 ^ 2", "(a offset -2s ^ 2)"),
        ("a offset step() + b", "(a offset step() + b)"),
        ("a offset min_of(1, 2) * b", "(a offset min_of(1, 2) * b)"),
        ("a offset -(2) ^ 2", "(a offset -(2) ^ 2)"),
    ] {
        assert_eq!(grouped(text), expected, "{text}");
    }
    check("a offset (1m) * 2", "a offset (1m) * 2");
    check_error(
        "a offset (1m) * b",
        "1:17: parse error: unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
    );
    check("a offset 0 offset 5m", "a offset 5m");
    check("a offset --5 * 2", "a offset 5 * 2");
}

#[test]
fn keywords_are_names_where_nothing_else_fits() {
    for text in ["sum", "by", "offset offset 5m", "and and and", "start", "fill + fill", "sum + avg", "a + fill_left"] {
        check(text, text);
    }
    check("SUM by(BY)(SUM)", "sum by (BY) (SUM)");
    check("sum(by) by (sum, on, bool, atan2)", "sum by (sum, on, bool, atan2) (by)");
    check("{on=\"x\", bool!=\"y\", inf=\"\"}", "{bool!=\"y\",inf=\"\",on=\"x\"}");
    check_error("on", "1:1: parse error: unexpected <on>");
    check_error("sum by (without) (a)", "1:9: parse error: unexpected <without> in grouping opts, expected label");
    check_error("START()", "1:1: parse error: unknown function with name \"START\"");
    check_error("fill(a)", "1:5: parse error: unexpected \"(\"");
}

#[test]
fn the_first_fault_is_the_one_that_prometheus_finds_first() {
    for (text, message) in [
        // A faulty word is found before a fault of meaning that is complete only with the next word.
        ("a[0m $", "1:6: parse error: unexpected character: '$'"),
        ("a[0.0001]", "1:3: parse error: duration must be greater than 0"),
        ("a[0m 5m]", "1:3: parse error: duration must be greater than 0"),
        ("sum() $", "1:7: parse error: unexpected character: '$'"),
        ("nothing(a,", "1:11: parse error: unclosed left parenthesis"),
        ("nothing(a) $", "1:1: parse error: unknown function with name \"nothing\""),
        ("1_) $", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing \"1_\": invalid syntax"),
        ("nothing(1 == 1)", "1:1: parse error: unknown function with name \"nothing\""),
        ("sum(1 == 1)", "1:7: parse error: comparisons between scalars must use BOOL modifier"),
        ("rate(a, *)", "1:7: parse error: trailing commas not allowed in function call args"),
        ("a and \"x\" + 1", "1:7: parse error: binary expression must contain only scalar and instant vector types"),
    ] {
        check_error(text, message);
    }
}

#[test]
fn the_innermost_construct_says_what_it_expected() {
    for (text, message) in [
        ("sum(rate(*))", "1:10: parse error: unexpected <op:*> in aggregation"),
        ("sum by (a) b", "1:12: parse error: unexpected identifier \"b\" in aggregation"),
        ("sum b", "1:5: parse error: unexpected identifier \"b\""),
        ("sum(a) by 5", "1:11: parse error: unexpected number \"5\" in grouping opts, expected \"(\""),
        ("a + on(x) group_left *", "1:22: parse error: unexpected <op:*> in grouping opts, expected \"(\""),
        ("a @ start", "1:10: parse error: unexpected end of input in @, expected timestamp"),
        ("a @ sum(b)", "1:5: parse error: unexpected <aggr:sum> in @, expected timestamp"),
        (
            "a[5m:*]",
            "1:6: parse error: unexpected <op:*> in subquery selector, expected number, duration, step(), range(), or \"]\"",
        ),
        ("a[5m:1m 2m]", "1:9: parse error: unexpected duration \"2m\" in subquery selector, expected \"]\""),
        (
            "a[(5m]",
            "1:6: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
        ),
        (
            "{a=\"b\" c=\"d\"}",
            "1:8: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\"",
        ),
        ("a 12345678901", "1:3: parse error: unexpected number \"1234567890\"..."),
        ("a \"é\"", "1:3: parse error: unexpected string \"\\\"é\\\"\""),
        ("a b:c", "1:3: parse error: unexpected metric identifier \"b:c\""),
        ("a\n  BY", "2:3: parse error: unexpected <BY>"),
    ] {
        check_error(text, message);
    }
}

#[test]
fn characters_mean_different_things_in_different_places() {
    for (text, message) in [
        ("a)", "1:3: parse error: unexpected right parenthesis ')'"),
        ("a]", "1:2: parse error: unexpected right bracket ']'"),
        ("a[5m", "1:5: parse error: unclosed left bracket"),
        ("a[", "1:3: parse error: unexpected end of input in duration expression"),
        ("a[5m[", "1:5: parse error: unexpected left bracket '['"),
        ("a[5m:1m:1m]", "1:8: parse error: unexpected colon ':'"),
        ("a[x]", "1:3: parse error: unexpected character in duration expression: 'x'"),
        ("a[5m x]", "1:6: parse error: unexpected character: 'x', expected ':'"),
        ("a[step():1m]", "1:10: parse error: unexpected colon before duration in duration expression"),
        ("{{", "1:2: parse error: unexpected left brace '{'"),
        ("{a!b}", "1:3: parse error: unexpected character after '!' inside braces: 'b'"),
        ("a !", "1:3: parse error: unexpected character after '!': '\u{fffd}'"),
        ("a ! 'b'", "1:3: parse error: unexpected character after '!': ' '"),
        ("\u{a0}", "1:1: parse error: unexpected character: '\\u00a0'"),
        ("\"a\nb\"", "1:1: parse error: unterminated quoted string"),
        ("`a", "1:1: parse error: unterminated raw string"),
        ("\"\\q\"", "1:1: parse error: unknown escape sequence U+0071 'q'"),
        ("\"\\x\n\"", "1:1: parse error: illegal character U+000A in escape sequence"),
        ("\"\\ud800\"", "1:1: parse error: escape sequence is an invalid Unicode code point"),
        ("1.2.3", "1:1: parse error: bad number or duration syntax: \"1.2.\""),
        ("0x1.5", "1:1: parse error: bad number or duration syntax: \"0x1.\""),
        ("5m1h", "1:1: parse error: not a valid duration string: \"5m1h\""),
        ("1.5m", "1:1: parse error: unknown unit \".\" in duration \"1.5m\""),
    ] {
        check_error(text, message);
    }
    // A bracket before it makes the colon after a function of durations fine.
    check("rate(a[5m]) + max_over_time(b[step():1m])", "rate(a[5m]) + max_over_time(b[step():1m])");
    check("a # [\n + # {\r b", "a + b");
}

#[test]
fn modifiers_fit_what_they_follow() {
    for (text, message) in [
        (
            "1 offset 5m",
            "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
        ),
        ("a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times"),
        (
            "a @ 1e30",
            "1:1: parse error: timestamp out of bounds for @ modifier: 1000000000000000019884624838656.000000",
        ),
        ("a @ NaN", "1:1: parse error: timestamp out of bounds for @ modifier: NaN"),
        ("a anchored smoothed", "1:1: parse error: anchored and smoothed modifiers cannot be used together"),
        ("a[5m:] smoothed", "1:1: parse error: smoothed modifier is not supported for subqueries"),
        ("(a) anchored", "1:1: parse error: anchored modifier not implemented"),
        ("a offset 1m [5m]", "1:13: parse error: no offset modifiers allowed before range"),
        ("a offset -9.5e10", "1:10: parse error: duration out of range"),
        ("a fill_left(1) b", "1:3: parse error: unexpected <fill_left>"),
    ] {
        check_error(text, message);
    }
    check("a @ -.5 offset 5m [1h:]", "a @ -0.500 offset 5m[1h:]");
    check("a[5m] offset 1m @ 1m anchored", "a[5m] anchored @ 60.000 offset 1m");
}

#[test]
fn experiments_need_their_options() {
    for (text, message) in [
        (
            "limitk(1, a)",
            "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
        ("1 + step()", "1:5: parse error: function \"step\" is not enabled"),
        ("a smoothed", "1:1: parse error: smoothed modifier is experimental and not enabled"),
        ("a + fill(1) b", "1:1: parse error: binop fill modifiers are experimental and not enabled"),
    ] {
        assert_eq!(parse(text, &ParseOptions::default()).unwrap_err().to_string(), message);
        assert!(parse(text, &ParseOptions::ALL).is_ok(), "{text}");
    }
    assert!(parse("a[step()] offset range()", &ParseOptions::default()).is_ok());
}

#[test]
fn places_reach_from_the_first_to_the_last_word() {
    for (text, span) in [
        (" sum ( a ) by ( b ) ", "sum ( a ) by ( b )"),
        ("(a offset 5m )", "(a offset 5m )"),
        (" abs ( a ) # and more", "abs ( a )"),
        ("a [ 5m : ] @ 5 ", "a [ 5m : ] @ 5"),
        ("a{b='c'} @ start ( ) ", "a{b='c'} @ start ( )"),
        ("a offset (1m + 2m ) ", "a offset (1m + 2m )"),
        ("-  1", "-  1"),
    ] {
        let expr = parse(text, &ParseOptions::ALL).unwrap();
        assert_eq!(expr.span().of(text), span);
    }
}
