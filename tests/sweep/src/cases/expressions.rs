//! Expressions: evaluated, printed, parsed, and refused.

use super::Cases;

/// What has an answer, or an error that depends on the data.
const EVALUATED: [&str; 51] = [
    "req_total",
    "temp",
    r#"temp{i="nan"}"#,
    r#"{__name__="a.b"}"#,
    "lat_bucket",
    r#"lat{job="nhcb"}"#,
    "nat",
    "natg",
    "req_total[30s]",
    "nat[20s]",
    "1",
    "-1/0",
    r#""a<b""#,
    "NaN",
    "1e-7",
    "1e21",
    "123456789012345678",
    "0x1f",
    "rate(req_total[30s])",
    "sum by (path)(rate(req_total[30s]))",
    "histogram_quantile(0.9, nat)",
    r#"histogram_quantile(0.9, sum by (le)(rate(lat_bucket{job="page"}[30s])))"#,
    "rate(nat[30s])",
    "rate(temp[30s])",
    "sum(nat) + temp",
    "nat + natg",
    "topk(2, req_total)",
    "sort_desc(req_total)",
    "quantile(2, temp)",
    "histogram_count(nat)",
    r#"label_replace(temp,"i","$1","i","(.*)")"#,
    "absent(nothing)",
    "vector(1)",
    "time()",
    "scalar(vector(2))",
    r#"count_values("v", temp)"#,
    "temp or req_total",
    "info(temp)",
    "-nat",
    "nat == natg",
    "lat - lat",
    "nat / 0",
    "limitk(2, temp)",
    "month()",
    "max_over_time(temp[30s:5s])",
    "rate(temp[30s]) + rate(req_total[1s])",
    "histogram_fraction(0,1,nat)",
    "irate(nat[30s])",
    "nat > 1",
    "nat * 2",
    "nat[10s:5s]",
];

/// What is refused, or should nearly be.
const ODD: [&str; 53] = [
    "",
    "1 +",
    "foo{",
    "sum(",
    r#"foo{a=~"("}"#,
    "foo offset",
    "rate(foo)",
    "foo[5m",
    "{}",
    r#"{a=~".*"}"#,
    "((((",
    "foo bar",
    "1 and 2",
    r#""a" + 1"#,
    "sum by (a) by (b) (x)",
    r#"foo{a="b","c"}"#,
    "x[0s]",
    "foo @ NaN",
    "\0",
    "é",
    r#"foo{a="\xff"}"#,
    "sum(x) without(",
    "nosuch(1)",
    "x[1h:",
    r#""unterminated"#,
    "1h2h",
    "x offset 1y1y",
    "topk(1)",
    "round(1,2,3)",
    r#"label_replace(x,"","","","(")"#,
    r#"label_replace(temp,"~","$1","i","(.*)")"#,
    r#"foo{le="a"}[5m] > 3"#,
    "sort(1)",
    r#"absent("")"#,
    r#"foo{__name__="bar"}"#,
    r#"count_values("~",temp)"#,
    r#"count_values("\xff",temp)"#,
    r#"quantile("a",x)"#,
    "a unless on() group_left b",
    "a + ignoring(x) group_left(x) b",
    "temp + on(job) temp",
    "temp / on(job) group_left() temp",
    "(temp)[5m]",
    "holt_winters(x[5m],0.1,0.2)",
    "double_exponential_smoothing(temp[30s],2,0.1)",
    "max_of(1,2)",
    "x[5m] anchored",
    "x[5m] smoothed",
    "a fill(0) b",
    r#"histogram_quantiles(nat,"q",0.1)"#,
    "mad_over_time(temp[30s])",
    r#"label_join(temp,"a b","-","i")"#,
    "sum(temp)))",
];

/// What is printed and parsed.
const PRINTED: [&str; 39] = [
    r#"sum by (a) (rate(foo{a="b",c=~"d.*"}[5m] offset 1h)) / on(x) group_left(y) bar"#,
    "foo @ start()",
    "foo[5m:] @ end() offset -1h",
    r#""a""#,
    "1.5",
    "0x10",
    "1h",
    "-x",
    "(x)",
    "a and b",
    "a + bool b",
    "a == bool b",
    r#"{"a.b","c.d"="e"}"#,
    "topk(5,x)",
    r#"count_values("a",x)"#,
    r#"x{a="\n\"\\"}"#,
    "foo{a='b'}",
    "foo{a=`b`}",
    "sum without() (x)",
    "a*b^c",
    "x[5m] offset step()",
    "foo[1h+5m]",
    "absent_over_time(x[5m])",
    "vector(1)",
    "x offset 1h30m",
    "Inf",
    "-Inf",
    "NaN",
    "quantile_over_time(0.5,x[5m])",
    r#"label_replace(a,"b","c","d","e")"#,
    "a or on(x) b",
    "x{}",
    "1e3",
    "1_000",
    "x @ 1.5",
    "x[5m:1m]",
    "sum(x) by (z)",
    "-1 ^ 2",
    r#"info(a,{b="c"})"#,
];

pub(super) fn add(cases: &mut Cases) {
    for expression in EVALUATED {
        for more in [&[][..], &[("stats", "all")], &[("limit", "1")]] {
            cases.query(expression, more);
        }
        for more in [&[][..], &[("stats", "all")], &[("limit", "2")]] {
            cases.query_range(expression, more);
        }
    }
    let at = format!("temp @ {}", cases.before(20));
    cases.query(&at, &[]);
    cases.query_range(&at, &[]);
    let (start, end) = (cases.before(100), cases.before(0));
    let long = [format!("temp[{}s]", "9".repeat(30)), "9".repeat(400), format!("sum(temp{}", ")".repeat(3))];
    for expression in ODD.into_iter().chain(long.iter().map(String::as_str)) {
        cases.query(expression, &[]);
        cases.query_range(expression, &[]);
        print(cases, expression);
        cases.get("query_exemplars", &[("query", expression), ("start", &start), ("end", &end)]);
    }
    let deep = [10, 100, 500].map(|depth| format!("{}1{}", "(".repeat(depth), ")".repeat(depth)));
    let wide = [10, 500].map(|width| vec!["1"; width].join("+"));
    let signs = ["-".repeat(100) + "1"];
    for expression in deep.iter().chain(&wide).chain(&signs) {
        cases.query(expression, &[]);
        print(cases, expression);
    }
    for expression in PRINTED {
        print(cases, expression);
    }
}

fn print(cases: &mut Cases, expression: &str) {
    cases.get("format_query", &[("query", expression)]);
    cases.get("parse_query", &[("query", expression)]);
}
