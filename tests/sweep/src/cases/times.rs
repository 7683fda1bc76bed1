//! Times, durations, limits, statistics.

use super::Cases;

/// Times, and what is none.
const TIMES: [&str; 31] = [
    "NaN",
    "Inf",
    "-Inf",
    "+Inf",
    "-1",
    "-0.5",
    "1e10",
    "1e20",
    "9e18",
    "abc",
    "",
    "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:00.123456789+02:00",
    "2020-01-01",
    "292277025-08-18T07:12:54.999999999Z",
    "-292273086-05-16T16:47:06Z",
    "0x10",
    "1_000",
    "1e",
    "1.0005",
    "1.2345678",
    " 1",
    "99999999999999999",
    "-99999999999",
    "+5",
    ".5",
    "5.",
    "1e-3",
    "infinity",
    "nan",
    "0x1p3",
];

/// Durations, and what is none.
const DURATIONS: [&str; 25] = [
    "0",
    "-1",
    "NaN",
    "Inf",
    "-Inf",
    "abc",
    "",
    "1m",
    "1x",
    "1e30",
    "0.0001",
    "0.001",
    "1h30m",
    "-1m",
    "5",
    "99999999999999999999y",
    "1y",
    "1e9",
    "+5",
    "0x5",
    "1ms",
    "0.5s",
    "1.5m",
    "m",
    "1 m",
];

/// Limits, and what is none.
const LIMITS: [&str; 10] = ["0", "1", "-1", "x", "1.5", "99999999999999999999", "+1", "", "1e3", " 1"];

pub(super) fn add(cases: &mut Cases) {
    let now = cases.before(0);
    for time in TIMES {
        // Now is never the same twice.
        if !time.is_empty() {
            cases.get("query", &[("query", "time()"), ("time", time)]);
            cases.get("query", &[("query", "timestamp(vector(1))"), ("time", time)]);
        }
        cases.get("query_range", &[("query", "1"), ("start", time), ("end", &now), ("step", "1e15")]);
        cases.get("query_range", &[("query", "1"), ("start", "0"), ("end", time), ("step", "1000000000")]);
        cases.get("labels", &[("start", time)]);
        cases.get("series", &[("match[]", "temp"), ("start", time)]);
        cases.get("label/job/values", &[("end", time)]);
        cases.get("query_exemplars", &[("query", "x"), ("start", time), ("end", time)]);
        cases.get("search/label_names", &[("start", time)]);
        cases.get("search/label_names", &[("end", time)]);
    }
    let start = cases.before(10);
    for duration in DURATIONS {
        let times = [("start", &*start), ("end", &*now)];
        cases.get("query_range", &[&[("query", "vector(1)"), ("step", duration)], &times[..]].concat());
        cases.query("vector(1)", &[("timeout", duration)]);
        cases.query("req_total", &[("lookback_delta", duration)]);
        cases.query_range("req_total", &[("lookback_delta", duration)]);
    }
    for (start, end, step) in
        [("0", "11000", "1"), ("0", "11001", "1"), ("10", "0", "1"), ("10", "0", "0"), ("0", "11000.999", "1")]
    {
        cases.get("query_range", &[("query", "1"), ("start", start), ("end", end), ("step", step)]);
    }
    for expression in ["x[5m]", "\"a\""] {
        cases.get("query_range", &[("query", expression), ("start", "0"), ("end", "10"), ("step", "1")]);
    }
    cases.get("query", &[]);
    let all = [("query", "1"), ("start", "1"), ("end", "2")];
    (0..=all.len()).for_each(|given| cases.get("query_range", &all[..given]));
    for limit in LIMITS {
        limits(cases, limit);
    }
    for statistics in ["true", "all", "1", "false", "x"] {
        cases.query("temp", &[("stats", statistics)]);
        cases.query_range("temp", &[("stats", statistics)]);
    }
}

fn limits(cases: &mut Cases, limit: &str) {
    let limit = [("limit", limit)];
    cases.query("temp", &limit);
    cases.query_range("temp", &limit);
    cases.query("1", &limit);
    for path in ["labels", "label/job/values", "metadata", "targets/metadata", "status/tsdb"] {
        cases.get(path, &limit);
    }
    cases.get("series", &[("match[]", "temp"), limit[0]]);
    cases.get("metadata", &[("limit_per_metric", limit[0].1)]);
}
