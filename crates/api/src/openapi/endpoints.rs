//! Every path below `/api/v1`, with what may be asked and what is answered.

/// A path.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) methods: &'static [Method],
    pub(super) summary: &'static str,
    /// Its own parameters.
    parameters: &'static [Parameter],
    /// Those that it has in common with others.
    shared: &'static [Parameter],
    pub(super) answer: Body,
}

impl Endpoint {
    /// All parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'static Parameter> + Clone {
        self.parameters.iter().chain(self.shared)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
        }
    }
}

/// What is answered if all is well.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// The usual JSON, with these data.
    Json(&'static str),
    /// No content.
    Nothing(&'static str),
    /// Something else.
    Other { media_type: &'static str, description: &'static str },
}

/// A parameter.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) place: Place,
    pub(super) required: bool,
    pub(super) description: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    /// The URL, or a form.
    Query,
}

/// What values of a parameter are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// One or more texts.
    Texts,
    Integer,
    Bool,
    Time,
    Duration,
}

use Kind::{Bool, Duration, Integer, Text, Texts, Time};
use Method::{Get, Post, Put};

const fn may(name: &'static str, kind: Kind, description: &'static str) -> Parameter {
    Parameter { name, kind, place: Place::Query, required: false, description }
}

const fn must(name: &'static str, kind: Kind, description: &'static str) -> Parameter {
    Parameter { required: true, ..may(name, kind, description) }
}

const fn get(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    data: &'static str,
) -> Endpoint {
    Endpoint { path, methods: &[Get], summary, parameters, shared: &[], answer: Body::Json(data) }
}

const fn get_or_post(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    data: &'static str,
) -> Endpoint {
    Endpoint { methods: &[Get, Post], ..get(path, summary, parameters, data) }
}

const fn search(path: &'static str, summary: &'static str, parameters: &'static [Parameter]) -> Endpoint {
    let answer = Body::Other {
        media_type: "application/x-ndjson",
        description: "Lines with batches of results, and a last one that tells how the search ended.",
    };
    Endpoint { path, methods: &[Get, Post], summary, parameters, shared: SEARCHING, answer }
}

const fn admin(path: &'static str, summary: &'static str, parameters: &'static [Parameter]) -> Endpoint {
    Endpoint { path, methods: &[Post, Put], summary, parameters, shared: &[], answer: Body::Nothing("Done.") }
}

const START: Parameter = may("start", Time, "The beginning of the range, inclusive.");
const END: Parameter = may("end", Time, "The end of the range, inclusive.");
const MATCH: Parameter = may("match[]", Texts, "Selectors of series. Results of several are united.");
const LIMIT: Parameter = may("limit", Integer, "The most results that are wanted; 0 means all.");
const QUERY: Parameter = must("query", Text, "An expression of PromQL.");
const TIMEOUT: Parameter = may("timeout", Duration, "How long the evaluation may take; capped by a flag.");
const LOOKBACK: Parameter = may("lookback_delta", Duration, "How old a sample may be that still counts.");
const STATS: Parameter = may("stats", Text, "true or all: statistics are wanted, too.");
const SCRAPE_POOL: Parameter = must("scrapePool", Text, "The name of a scrape pool.");
const METRIC: Parameter = may("metric", Text, "The metric that is asked about; without it, all are.");
const METADATA_LIMIT: Parameter = may("limit", Integer, "The most results that are wanted; negative means all.");

/// What every search may be asked with.
const SEARCHING: &[Parameter] = &[
    MATCH,
    may("search[]", Texts, "What is searched for; one is enough."),
    may("fuzz_threshold", Integer, "How alike names must be, from 0 to 100."),
    may("fuzz_alg", Text, "subsequence or jarowinkler: how likeness is measured."),
    may("case_sensitive", Bool, "Whether letters must have the same case."),
    may("sort_by", Text, "alpha or score."),
    may("sort_dir", Text, "asc or dsc."),
    may("include_score", Bool, "Whether results have their score."),
    START,
    END,
    LIMIT,
    may("batch_size", Integer, "How many results a line has."),
];

/// Every path, in the order of the router.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    get_or_post(
        "/query",
        "Evaluate an expression at one time.",
        &[QUERY, may("time", Time, "When; now without it."), TIMEOUT, LIMIT, LOOKBACK, STATS],
        "The type of the result, and the result.",
    ),
    get_or_post(
        "/query_range",
        "Evaluate an expression at each step of a range.",
        &[
            QUERY,
            must("start", Time, "The first step."),
            must("end", Time, "No step is after it."),
            must("step", Duration, "The time between two steps."),
            TIMEOUT,
            LIMIT,
            LOOKBACK,
            STATS,
        ],
        "The type of the result, which is matrix, and the result.",
    ),
    get_or_post(
        "/query_exemplars",
        "Exemplars of the series that an expression selects.",
        &[QUERY, START, END],
        "Exemplars by series.",
    ),
    get_or_post("/format_query", "Print an expression prettily.", &[QUERY], "The expression."),
    get_or_post("/parse_query", "Parse an expression.", &[QUERY], "The tree of syntax."),
    get_or_post("/labels", "Names of labels.", &[START, END, MATCH, LIMIT], "The names in order."),
    get(
        "/label/{name}/values",
        "Values of a label.",
        &[
            Parameter {
                place: Place::Path,
                ..must("name", Text, "The label; what is no name in old style may be escaped.")
            },
            START,
            END,
            MATCH,
            LIMIT,
        ],
        "The values in order.",
    ),
    get_or_post(
        "/series",
        "Series by their labels.",
        &[Parameter { required: true, ..MATCH }, START, END, LIMIT],
        "The labels of each series.",
    ),
    search(
        "/search/metric_names",
        "Search names of metrics, as far as the server has this enabled.",
        &[may("include_metadata", Bool, "Whether results have the type and help of the metric.")],
    ),
    search("/search/label_names", "Search names of labels, as far as the server has this enabled.", &[]),
    search(
        "/search/label_values",
        "Search values of a label, as far as the server has this enabled.",
        &[must("label", Text, "The label.")],
    ),
    get(
        "/metadata",
        "Types, help texts and units of metrics.",
        &[METADATA_LIMIT, may("limit_per_metric", Integer, "The most entries for a metric."), METRIC],
        "What is said about each metric.",
    ),
    get(
        "/targets",
        "Targets.",
        &[
            may("state", Text, "active, dropped or any."),
            may("scrapePool", Text, "The scrape pool whose targets are wanted."),
            may("scope", Text, "process: only those that this process scrapes."),
        ],
        "Active and dropped targets.",
    ),
    get(
        "/targets/metadata",
        "What targets say about their metrics.",
        &[
            may("match_target", Text, "A selector of targets by their labels."),
            METRIC,
            METADATA_LIMIT,
            may("scope", Text, "process: only of targets that this process scrapes."),
        ],
        "Each target with what it says about a metric.",
    ),
    get(
        "/targets/relabel_steps",
        "What each relabelling rule of a scrape pool makes of a label set.",
        &[SCRAPE_POOL, must("labels", Text, "The labels, as a JSON object.")],
        "The rules with the labels after them.",
    ),
    get("/scrape_pools", "Names of scrape pools.", &[], "The names in order."),
    get("/scrape_pools/config", "The settings of a scrape pool.", &[SCRAPE_POOL], "The settings as YAML."),
    Endpoint {
        path: "/read",
        methods: &[Post],
        summary: "Read samples by the remote read protocol. The body is a message in Snappy.",
        parameters: &[],
        shared: &[],
        answer: Body::Other { media_type: "application/x-protobuf", description: "Samples, or a stream of chunks." },
    },
    Endpoint {
        path: "/write",
        methods: &[Post],
        summary: "Not enabled.",
        parameters: &[],
        shared: &[],
        answer: Body::Nothing("Never: it is refused."),
    },
    Endpoint {
        path: "/otlp/v1/metrics",
        methods: &[Post],
        summary: "Not enabled.",
        parameters: &[],
        shared: &[],
        answer: Body::Nothing("Never: it is refused."),
    },
    get(
        "/rules",
        "Rule groups.",
        &[
            may("type", Text, "alert or record."),
            may("rule_name[]", Texts, "Names of rules."),
            may("rule_group[]", Texts, "Names of groups."),
            may("file[]", Texts, "Names of files."),
            MATCH,
            may("exclude_alerts", Bool, "Whether active alerts are left out."),
            may("group_limit", Integer, "The most groups that are wanted."),
            may("group_next_token", Text, "Where the page before ended."),
        ],
        "Groups with their rules.",
    ),
    get("/alerts", "Active alerts.", &[], "The alerts."),
    get("/alertmanagers", "Alertmanagers that are told of alerts.", &[], "Active and dropped ones."),
    get("/features", "What the server can do.", &[], "Whether each thing is on, by category."),
    get("/status/config", "The configuration.", &[], "YAML, with defaults filled in and without secrets."),
    get("/status/flags", "Flags of the command line.", &[], "Their values by name."),
    get("/status/runtimeinfo", "How the process runs.", &[], "What is known of that."),
    get("/status/buildinfo", "Which version this is.", &[], "Versions of the API and the build."),
    get("/status/cluster", "The cluster: nodes, shards, who leads.", &[], "The state of the cluster."),
    get(
        "/status/self_metrics",
        "Metrics of this process.",
        &[may("metric_name_pattern", Text, "A regular expression for whole names.")],
        "Families of metrics, as JSON of io.prometheus.client.",
    ),
    get(
        "/status/tsdb",
        "How many series there are, and which labels make them many.",
        &[may("limit", Integer, "How many entries each list has, from 1 to 10000.")],
        "Counts, largest first.",
    ),
    get(
        "/status/tsdb/blocks",
        "Blocks of this process, of which there are none: they are in the bucket.",
        &[],
        "An empty list.",
    ),
    Endpoint {
        path: "/openapi.yaml",
        methods: &[Get],
        summary: "This description.",
        parameters: &[may("openapi_version", Text, "3.1 or 3.2.")],
        shared: &[],
        answer: Body::Other { media_type: "application/yaml", description: "The description." },
    },
    admin(
        "/admin/tsdb/delete_series",
        "Delete series. Not enabled.",
        &[Parameter { required: true, ..MATCH }, START, END],
    ),
    admin("/admin/tsdb/clean_tombstones", "Remove deleted data from the disk. Not enabled.", &[]),
    admin(
        "/admin/tsdb/snapshot",
        "Save all data. Not enabled.",
        &[may("skip_head", Bool, "Whether the newest are left out.")],
    ),
    get("/status/walreplay", "How far the log is replayed.", &[], "Where it begins, ends, and is."),
    get("/notifications", "What an operator should know.", &[], "The notifications."),
    Endpoint {
        path: "/notifications/live",
        methods: &[Get],
        summary: "Notifications as they come. Nobody may subscribe.",
        parameters: &[],
        shared: &[],
        answer: Body::Nothing("There is no place for a subscriber."),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths of the router below `/api/v1` with their methods, as they stand in its source.
    fn routed() -> Vec<(String, Vec<String>)> {
        let source = include_str!("../router.rs");
        let start = source.find("fn api(").expect("the router has a function for these paths");
        let end = source[start..].find("\nfn pages(").expect("another one follows") + start;
        let lines = source[start..end].lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
        lines
            .map(|line| {
                let (path, handlers) = line.split_once('"').expect("a path ends with a quote");
                let methods = ["get", "post", "put"].into_iter().filter(|method| {
                    handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(").{method}("))
                });
                (path.to_owned(), methods.map(str::to_owned).collect())
            })
            .collect()
    }

    #[test]
    fn what_is_served_is_described() {
        let described: Vec<_> = ENDPOINTS
            .iter()
            .map(|endpoint| {
                let methods = endpoint.methods.iter().map(|method| method.as_str().to_owned());
                (endpoint.path.to_owned(), methods.collect::<Vec<_>>())
            })
            .collect();
        assert!(described.len() > 30);
        assert_eq!(described, routed());
    }
}
