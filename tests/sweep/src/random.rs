//! Requests made by chance of those that are listed.

use fastrand::Rng;

use crate::request::{escaped, form};
use crate::{Pair, Request, Tally};

/// Values of parameters, good and bad.
const VALUES: [&str; 44] = [
    "",
    "0",
    "1",
    "2",
    "-1",
    "+1",
    "007",
    "1.5",
    "1e3",
    "0x10",
    "1_000",
    "9223372036854775807",
    "9223372036854775808",
    "true",
    "false",
    "T",
    "x",
    "é",
    "\u{0}",
    " ",
    "a b",
    "%",
    "\"",
    "'",
    "\\",
    "{}",
    "{a=\"\"}",
    "temp",
    "req_total",
    "lat",
    "nat",
    "{job=\"page\"}",
    "{__name__=~\".+\"}",
    "{job!=\"\"}",
    "temp{",
    "temp[1m]",
    "sum(req_total)",
    "job",
    "__name__",
    "1m",
    "5m30s",
    "2020-01-01T00:00:00Z",
    "alpha",
    "counter",
];

/// Paths that get most of the requests, with their parameters.
const FAVOURITES: [(&str, &[&str]); 14] = [
    ("status/tsdb", &["limit"]),
    ("metadata", &["metric", "limit", "limit_per_metric"]),
    ("targets/metadata", &["metric", "limit", "match_target"]),
    ("targets/relabel_steps", &["scrapePool", "labels"]),
    ("query_exemplars", &["query", "start", "end"]),
    ("format_query", &["query"]),
    ("parse_query", &["query"]),
    ("labels", &["match[]", "start", "end", "limit"]),
    ("label/job/values", &["match[]", "start", "end", "limit"]),
    ("series", &["match[]", "start", "end", "limit"]),
    ("query", &["query", "time", "timeout", "limit", "lookback_delta", "stats"]),
    ("query_range", &["query", "start", "end", "step", "timeout", "limit", "lookback_delta", "stats"]),
    ("targets", &["state", "scrapePool"]),
    ("rules", &["type", "rule_name[]", "file[]", "match[]", "exclude_alerts", "group_limit", "group_next_token"]),
];

/// Asks so many requests that a seed decides.
pub fn wander(pair: &Pair, requests: &[Request], time: i64, seed: u64, count: usize) -> Tally {
    let mut rng = Rng::with_seed(seed);
    let mut tally = Tally::default();
    for _ in 0..count {
        let mut request = if rng.bool() { favourite(&mut rng, time) } else { changed(&mut rng, requests, time) };
        if request.route() == "/api/v1/query" && request.param("time").is_empty() {
            // Now is never the same twice. Of several values the first one counts.
            match (&mut request.body, request.path.split_once('?')) {
                (Some(body), _) => *body = format!("time={time}&{body}"),
                (None, Some((route, query))) => request.path = format!("{route}?time={time}&{query}"),
                (None, None) => request.path += &format!("?time={time}"),
            }
        }
        tally.ask(pair, &request);
    }
    tally
}

fn favourite(rng: &mut Rng, time: i64) -> Request {
    let (path, names) = FAVOURITES[rng.usize(..FAVOURITES.len())];
    let mut params = Vec::new();
    for name in names {
        for _ in 0..rng.usize(..8) / 3 {
            params.push(((*name).to_owned(), value(rng, name, time)));
        }
    }
    let pairs = form(params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let path = format!("/api/v1/{path}");
    match rng.usize(..4) {
        0 => Request::new("POST", &path).with_body(&pairs),
        _ => Request::new("GET", &format!("{path}?{pairs}")),
    }
}

fn changed(rng: &mut Rng, requests: &[Request], time: i64) -> Request {
    let mut request = requests[rng.usize(..requests.len())].clone();
    let mut params = request.params();
    if request.body.is_some() || params.is_empty() || request.path.contains("/-/") {
        return request;
    }
    for _ in 0..1 + rng.usize(..2) {
        let at = rng.usize(..params.len());
        match rng.usize(..6) {
            0 if params.len() > 1 => drop(params.remove(at)),
            1 => params.push(params[at].clone()),
            2 => params[at].0 = params[at].0.to_uppercase(),
            3 => params[at].1 = without_a_character(rng, &params[at].1),
            // What a scrape says about itself has its own time, and is only in some selectors.
            _ if request.route() == "/federate" => {
                params[at].1 = ["temp", "nat", "lat", "{}"][rng.usize(..4)].to_owned()
            }
            _ => params[at].1 = value(rng, &params[at].0, time),
        }
    }
    let pairs: Vec<_> = params.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    request.path = format!("{}?{}", request.route(), pairs.join("&"));
    request
}

/// A value for a parameter: one that it may have, or any.
fn value(rng: &mut Rng, name: &str, time: i64) -> String {
    let fits = rng.usize(..3) > 0;
    match name {
        "start" | "end" | "time" if fits => (time - rng.i64(0..120)).to_string(),
        "labels" if fits => {
            ["{}", "{\"__address__\":\"a:1\",\"env\":\"test\"}", "{\"drop\":\"yes\"}"][rng.usize(..3)].to_owned()
        }
        "scrapePool" if fits => ["page", "nhcb", "native"][rng.usize(..3)].to_owned(),
        "step" | "timeout" | "lookback_delta" if fits => ["10", "30s", "1m", "5"][rng.usize(..4)].to_owned(),
        "query" if fits => ["temp", "rate(req_total[30s])", "nat", "sum by (job) (up)", "1"][rng.usize(..5)].to_owned(),
        "match[]" | "match_target" if fits => ["temp", "{job=\"page\"}", "{job=~\"n.*\"}"][rng.usize(..3)].to_owned(),
        _ => VALUES[rng.usize(..VALUES.len())].to_owned(),
    }
}

fn without_a_character(rng: &mut Rng, text: &str) -> String {
    let at = rng.usize(..text.chars().count().max(1));
    text.chars().enumerate().filter(|(index, _)| *index != at).map(|(_, character)| character).collect()
}
