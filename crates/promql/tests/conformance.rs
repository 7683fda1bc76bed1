//! Prometheus' own cases, and the queries of real rules and dashboards.

use std::fs;

use promql::series_notation::{parse_series, parse_start_times};
use promql::{ParseOptions, parse, parse_selector, prettify, prettify_within};
use serde_json::Value;
use testkit::{read_shared, shared_files};

/// What the cases of syntax allow: all but `fill`.
const WITHOUT_FILL: ParseOptions = ParseOptions { binop_fill_modifiers: false, ..ParseOptions::ALL };

fn cases(file: &str) -> Vec<Value> {
    let text = read_shared(&format!("conformance/promql_syntax/{file}")).unwrap_or_else(|| "[]".to_owned());
    serde_json::from_str(&text).expect("cases are JSON")
}

/// Fails with all faults, and else says how many cases there were.
#[track_caller]
#[expect(clippy::print_stdout, reason = "how many cases there were is a result")]
fn report(what: &str, cases: usize, faults: &[String]) {
    assert!(faults.is_empty(), "{} of {cases} {what} fail:\n{}", faults.len(), faults.join("\n"));
    println!("{cases} {what}");
}

#[test]
fn valid_queries_are_read() {
    let cases = cases("parse_ok.json");
    let check = |case: &Value| {
        let query = case["query"].as_str().unwrap();
        parse(query, &WITHOUT_FILL).err().map(|error| format!("{query}: {error}"))
    };
    let faults: Vec<_> = cases.iter().filter_map(check).collect();
    report("valid queries", cases.len(), &faults);
}

#[test]
fn invalid_queries_are_refused_in_the_same_words_at_the_same_place() {
    let cases = cases("parse_errors.json");
    let check = |case: &Value| {
        let query = case["query"].as_str().unwrap();
        let wanted = &case["errors"][0];
        let message = wanted["message"].as_str().unwrap();
        let error = match parse(query, &WITHOUT_FILL) {
            Ok(expr) => return Some(format!("{query}: read as {expr}, expected {message}")),
            Err(error) => error,
        };
        let is_placed = wanted["start"].is_null()
            || [&wanted["start"], &wanted["end"]].map(Value::as_u64)
                == [error.span().start, error.span().end].map(|at| Some(u64::from(at)));
        let is_same = error.message() == message && is_placed;
        (!is_same).then(|| format!("{query}: {error} {:?}, expected {wanted}", error.span()))
    };
    let faults: Vec<_> = cases.iter().filter_map(check).collect();
    report("invalid queries", cases.len(), &faults);
}

#[test]
fn trees_are_printed_the_same() {
    let cases = cases("string.json");
    let check = |case: &Value| {
        let query = case["in"].as_str().unwrap();
        let wanted = case["out"].as_str().unwrap_or(query);
        let printed = match parse(query, &ParseOptions::ALL) {
            Ok(expr) => expr.to_string(),
            Err(error) => error.to_string(),
        };
        (printed != wanted).then(|| format!("{query}: {printed}, expected {wanted}"))
    };
    let faults: Vec<_> = cases.iter().filter_map(check).collect();
    report("printed queries", cases.len(), &faults);
}

#[test]
fn trees_are_printed_over_the_same_lines() {
    let cases = cases("pretty.json");
    let check = |case: &Value| {
        let query = case["in"].as_str().unwrap();
        let wanted = case["out"].as_str().unwrap_or(query);
        let line_width = case["line_width"].as_u64().unwrap() as usize;
        let printed = match parse(query, &ParseOptions::ALL) {
            Ok(expr) => prettify_within(&expr, line_width),
            Err(error) => error.to_string(),
        };
        (printed != wanted).then(|| format!("{query}:\n{printed}\nexpected\n{wanted}"))
    };
    let faults: Vec<_> = cases.iter().filter_map(check).collect();
    report("queries printed over several lines", cases.len(), &faults);
}

#[test]
fn queries_of_rules_and_dashboards_are_read_and_survive_printing() {
    let text = read_shared("corpus/queries_resolved.txt").unwrap_or_default();
    let mut faults = Vec::new();
    for query in text.lines() {
        let expr = match parse(query, &ParseOptions::default()) {
            Ok(expr) => expr,
            Err(error) => {
                faults.push(format!("{query}: {error}"));
                continue;
            }
        };
        let printed = expr.to_string();
        for text in [&printed, &prettify(&expr)] {
            let again = parse(text, &ParseOptions::default()).map(|expr| expr.to_string());
            if again.as_ref() != Ok(&printed) {
                faults.push(format!("{query}: printed as {text}, which is read as {again:?}"));
            }
        }
    }
    report("queries of rules and dashboards", text.lines().count(), &faults);
}

#[test]
fn what_other_systems_understand_is_refused() {
    let text = read_shared("corpus/queries_unparsed.tsv").unwrap_or_default();
    let queries: Vec<_> = text.lines().skip(1).filter_map(|line| line.split('\t').nth(1)).collect();
    let is_read = |query: &&&str| parse(query, &ParseOptions::ALL).is_ok();
    let faults: Vec<_> = queries.iter().filter(is_read).map(|query| (*query).to_owned()).collect();
    report("queries of other systems", queries.len(), &faults);
}

#[test]
fn test_scripts_are_read() {
    let (mut queries, mut series, mut faults) = (0, 0, Vec::new());
    for file in shared_files("conformance/promqltest", ".test") {
        let script = fs::read_to_string(&file).unwrap();
        let mut is_in_block = false;
        for line in script.lines().map(str::trim) {
            let fault = if line.is_empty() || line.starts_with('#') || line == "clear" {
                is_in_block = false;
                continue;
            } else if let Some(query) = query(line) {
                is_in_block = true;
                queries += 1;
                parse(query, &ParseOptions::ALL).err()
            } else if line.starts_with("load") {
                is_in_block = true;
                continue;
            } else if is_in_block && is_series(line) {
                series += 1;
                parse_start_times(line)
                    .and_then(|times| match times {
                        None => parse_series(line).map(drop),
                        Some(_) => Ok(()),
                    })
                    .err()
            } else {
                continue;
            };
            faults.extend(fault.map(|error| format!("{line}: {error}")));
        }
    }
    report("queries of test scripts", queries, &faults);
    report("series of test scripts", series, &faults);
}

/// The query of an `eval` line.
fn query(line: &str) -> Option<&str> {
    if !line.starts_with("eval") {
        return None;
    }
    let mut words = line.split_whitespace();
    let skipped = match words.nth(1)? {
        "range" => 8,
        _ if words.next()? == "at" => 4,
        _ => 2,
    };
    let mut rest = line;
    for _ in 0..skipped {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    Some(rest)
}

/// Whether a line of a block is neither an expectation nor a single number.
fn is_series(line: &str) -> bool {
    let is_expectation = line.starts_with("expect") && !line.starts_with("expect{");
    let is_number = parse(line, &ParseOptions::default()).is_ok_and(|expr| matches!(expr, promql::Expr::Number(_)));
    !is_expectation && !is_number
}

#[test]
fn selectors_of_queries_are_read_alone() {
    for (selector, matchers) in [
        ("up", r#"[__name__="up"]"#),
        ("up{job=\"a\"}", r#"[job="a", __name__="up"]"#),
        ("{__name__=~\"a.*\", \"x.y\"!=\"\"}", r#"[__name__=~"a.*", "x.y"!=""]"#),
        ("{}", "[]"),
        ("sum", r#"[__name__="sum"]"#),
    ] {
        assert_eq!(format!("{:?}", parse_selector(selector).unwrap()), matchers, "{selector}");
    }
    for (selector, message) in [
        ("", "unknown position: parse error: unexpected end of input"),
        ("sum(up)", "1:4: parse error: unexpected \"(\""),
        ("up[5m]", "1:3: parse error: unexpected \"[\""),
        ("1", "1:1: parse error: unexpected number \"1\""),
    ] {
        assert_eq!(parse_selector(selector).unwrap_err().to_string(), message);
    }
}
