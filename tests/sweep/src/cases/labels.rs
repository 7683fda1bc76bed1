//! Selectors, labels, metadata, targets and what else is looked up.

use super::{API, Cases};

/// Selectors, and what is none.
const SELECTORS: [&str; 16] = [
    "temp",
    r#"{job="page"}"#,
    "{}",
    r#"{a=""}"#,
    r#"{a=~".*"}"#,
    "foo{",
    "temp[5m]",
    "sum(temp)",
    "temp offset 5m",
    "temp @ 1",
    "",
    r#"{__name__=~"req.*"}"#,
    r#""x""#,
    r#"{"a.b"}"#,
    r#"temp{i!="1"}"#,
    "-temp",
];

/// Names of labels as they stand in a path.
const NAMES: [&str; 16] = [
    "job",
    "__name__",
    "le",
    "nothing",
    "U__a_2e_b",
    "U__c_2e_d",
    "c.d",
    "a%20b",
    "%ff",
    "U__",
    "U__x_",
    "0abc",
    "a/b",
    "a%2Fb",
    "%C3%A9",
    "",
];

/// Paths below the root of the API, with parameters.
const LOOKUPS: [&str; 63] = [
    "metadata",
    "metadata?metric=temp",
    "metadata?metric=nothing",
    "metadata?metric=req",
    "metadata?limit=1&metric=req",
    "metadata?limit_per_metric=1",
    "targets/metadata?metric=temp",
    "targets/metadata?match_target=%7Bjob=%22page%22%7D",
    "targets/metadata?limit=0",
    "targets/metadata?limit=1&metric=req",
    "targets/metadata?metric=nothing",
    "scrape_pools",
    "scrape_pools/config",
    "scrape_pools/config?scrapePool=x",
    "scrape_pools/config?scrapePool=page",
    "targets?state=x",
    "targets?state=dropped",
    "targets?scrapePool=none",
    "targets/relabel_steps",
    "targets/relabel_steps?scrapePool=x",
    "targets/relabel_steps?scrapePool=page",
    "targets/relabel_steps?scrapePool=page&labels=%7B%7D",
    "targets/relabel_steps?scrapePool=nhcb&labels=%7B%22__name__%22:%22lat%22%7D",
    "targets/relabel_steps?scrapePool=page&labels=x",
    "rules",
    "rules?type=x",
    "rules?type=alert",
    "rules?exclude_alerts=x",
    "rules?group_limit=x",
    "rules?group_limit=-1",
    "rules?group_limit=0",
    "rules?group_next_token=x",
    "rules?group_limit=1&group_next_token=x",
    "rules?rule_name[]=x",
    "rules?file[]=x",
    "alerts",
    "alertmanagers",
    "status/walreplay",
    "notifications",
    "features",
    "status/tsdb/blocks",
    "status/tsdb?limit=0",
    "status/tsdb?limit=10001",
    "status/tsdb?limit=x",
    "status/self_metrics?metric_name_pattern=nothing",
    "status/self_metrics?metric_name_pattern=(",
    "openapi.yaml?openapi_version=9",
    "status/config",
    "nothing",
    "",
    "query/",
    "admin/tsdb/snapshot",
    "status/nothing",
    "format_query",
    "parse_query",
    "query_exemplars",
    "query_exemplars?query=req_total",
    "search/metric_names",
    "search/label_values",
    "search/nothing",
    "write",
    "otlp/v1/metrics",
    "read",
];

pub(super) fn add(cases: &mut Cases) {
    let (now, start, end) = (cases.before(0), cases.before(100), cases.after());
    let range = [("start", &*start), ("end", &*end)];
    for selector in SELECTORS {
        for path in ["series", "labels", "label/job/values", "search/metric_names"] {
            cases.get(path, &[&[("match[]", selector)], &range[..]].concat());
        }
        cases.get("targets/metadata", &[("match_target", selector)]);
        cases.get("query_exemplars", &[&[("query", selector)], &range[..]].concat());
        cases.get("rules", &[("match[]", selector)]);
    }
    cases.get("series", &[]);
    let both = [("match[]", "temp"), ("match[]", "req_total")];
    cases.get("series", &[&both[..], &range[..1]].concat());
    cases.get("series", &[&both[..], &[("limit", "3")]].concat());
    let before = cases.before(10);
    for path in ["series", "labels", "label/job/values"] {
        cases.get(path, &[("match[]", "temp"), ("start", &now), ("end", &before)]);
        cases.get(path, &[("start", &now), ("end", &before)]);
    }
    for name in NAMES {
        cases.raw(&format!("{API}label/{name}/values?start={start}"));
    }
    for path in ["label//values", "label/job/values/", "label/job"] {
        cases.raw(&format!("{API}{path}"));
    }
    for path in LOOKUPS {
        cases.raw(&format!("{API}{path}"));
    }
}
