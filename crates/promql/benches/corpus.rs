//! Reading and printing the queries of real rules and dashboards.
//!
//! Nearly half of their conditions are regular expressions, which cost far more to compile than everything else. So the
//! corpus is also read with equalities in their stead.

use divan::{Bencher, black_box};
use promql::{Expr, ParseOptions};

fn main() {
    divan::main();
}

/// A panel of a dashboard, 200 bytes.
const PANEL: &str = r#"sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{job="kubelet", image!="", namespace="monitoring"}[5m])) / on (namespace, pod) group_left () sum by (namespace, pod) (kube_pod_info) * 100"#;

fn corpus() -> Vec<String> {
    let text = testkit::read_shared("corpus/queries_resolved.txt").unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn without_regexes() -> Vec<String> {
    corpus().iter().map(|query| query.replace("=~", "=").replace("!~", "!=")).collect()
}

fn parse(query: &str) -> Expr {
    promql::parse(query, &ParseOptions::default()).expect("the corpus is valid")
}

#[divan::bench]
fn parse_a_panel(bencher: Bencher<'_, '_>) {
    bencher.bench(|| promql::parse(black_box(PANEL), &ParseOptions::default()));
}

#[divan::bench(sample_count = 10)]
fn parse_all(bencher: Bencher<'_, '_>) {
    let queries = corpus();
    bencher.counter(queries.len()).bench(|| queries.iter().map(|query| parse(query)).map(drop).count());
}

#[divan::bench(sample_count = 10)]
fn parse_all_without_regexes(bencher: Bencher<'_, '_>) {
    let queries = without_regexes();
    // An equality with an empty value satisfies every series, which alone is refused.
    let is_valid = |query: &&String| promql::parse(query, &ParseOptions::default()).is_ok();
    let queries: Vec<_> = queries.iter().filter(is_valid).collect();
    bencher.counter(queries.len()).bench(|| queries.iter().map(|query| parse(query)).map(drop).count());
}

#[divan::bench(sample_count = 10)]
fn print_all(bencher: Bencher<'_, '_>) {
    let exprs: Vec<_> =
        without_regexes().iter().flat_map(|query| promql::parse(query, &ParseOptions::default())).collect();
    bencher.counter(exprs.len()).bench(|| exprs.iter().map(|expr| expr.to_string().len()).sum::<usize>());
}

#[divan::bench(sample_count = 10)]
fn prettify_all(bencher: Bencher<'_, '_>) {
    let exprs: Vec<_> =
        without_regexes().iter().flat_map(|query| promql::parse(query, &ParseOptions::default())).collect();
    bencher.counter(exprs.len()).bench(|| exprs.iter().map(|expr| promql::prettify(expr).len()).sum::<usize>());
}
