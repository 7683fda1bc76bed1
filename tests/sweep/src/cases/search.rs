//! Searches.

use super::Cases;

/// Parameters of searches.
const SEARCHES: [&[(&str, &str)]; 27] = [
    &[("search[]", "e")],
    &[("search[]", "te"), ("search[]", "q")],
    &[("search[]", "tp"), ("sort_by", "score"), ("include_score", "true")],
    &[("search[]", "TE"), ("case_sensitive", "false"), ("include_score", "1")],
    &[("limit", "1")],
    &[("limit", "2"), ("batch_size", "1")],
    &[("limit", "0")],
    &[("limit", "x")],
    &[("limit", "10001")],
    &[("batch_size", "0")],
    &[("sort_by", "x")],
    &[("sort_by", "alpha"), ("sort_dir", "dsc")],
    &[("sort_by", "alpha"), ("sort_dir", "x")],
    &[("sort_dir", "asc")],
    &[("sort_by", "score")],
    &[("sort_by", "score"), ("sort_dir", "asc"), ("search[]", "a")],
    &[("fuzz_threshold", "50"), ("search[]", "treq"), ("include_score", "t")],
    &[
        ("fuzz_threshold", "50"),
        ("fuzz_alg", "jarowinkler"),
        ("search[]", "tempe"),
        ("include_score", "T"),
        ("sort_by", "score"),
    ],
    &[("fuzz_alg", "x")],
    &[("fuzz_threshold", "101")],
    &[("fuzz_threshold", "x")],
    &[("include_score", "x")],
    &[("case_sensitive", "x")],
    &[("include_metadata", "true")],
    &[("include_metadata", "x")],
    &[("search[]", "")],
    &[("search[]", "/p"), ("include_score", "true"), ("fuzz_alg", "jarowinkler")],
];

pub(super) fn add(cases: &mut Cases) {
    let (start, end) = (cases.before(100), cases.after());
    let range = [("start", &*start), ("end", &*end)];
    for path in ["search/metric_names", "search/label_names", "search/label_values"] {
        let label = if path == "search/label_values" { &[("label", "path")][..] } else { &[] };
        let common = [&[("match[]", "{job=\"page\"}")], label, &range].concat();
        cases.get(path, &common);
        for search in SEARCHES {
            cases.get(path, &[&common[..], search].concat());
        }
        cases.get(path, &[&common[..], &[("search[]", "a"); 33]].concat());
    }
    cases.get("search/label_values", &[]);
    cases.get("search/label_values", &[("label", "")]);
    cases.get("search/label_values", &[("label", "nothing"), range[0]]);
    cases.get("search/label_names", &[("start", "2"), ("end", "1")]);
    let [temperature, requests] = ["t.*", "r.*"].map(|name| format!("{{job=\"page\",__name__=~\"{name}\"}}"));
    let selectors = [("match[]", &*temperature), ("match[]", &*requests), ("include_metadata", "true")];
    cases.get("search/metric_names", &[&selectors[..], &range].concat());
}
