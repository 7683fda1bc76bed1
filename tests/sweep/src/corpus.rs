//! The queries of dashboards and rules, asked once and over a range.

use std::fmt;

use promql::ParseOptions;
use serde_json::Value;

use crate::known::without_count;
use crate::request::form;
use crate::values::{first_difference, sort, sort_vector};
use crate::{Answer, Pair, Request};

/// How long a range is, and its steps, in seconds.
const RANGE: i64 = 900;
const STEP: i64 = 60;
/// The most of an answer that is shown, in characters.
const SHOWN: usize = 700;

/// What came of the queries.
#[derive(Clone, Debug, Default)]
pub struct CorpusTally {
    /// How many queries there were, and how many of them we can parse.
    pub queries: usize,
    /// How many of them parse.
    pub parsed: usize,
    /// How often was asked: each once and over a range.
    pub asked: usize,
    /// How many answers had results, and were the same.
    pub alike: usize,
    /// How many answers were both without results.
    pub empty: usize,
    /// How often both failed alike.
    pub failed_alike: usize,
    /// Queries with different answers, and these.
    pub differences: Vec<String>,
}

impl fmt::Display for CorpusTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queries, parsed, asked, alike, empty, failed_alike, differences } = self;
        write!(
            f,
            "{queries} queries, {parsed} parsed; asked {asked} times: {} equal ({empty} of them empty), \
             {failed_alike} failed alike, {} different",
            alike + empty,
            differences.len()
        )
    }
}

/// Asks both servers all queries at a time, and over the range before it. `end` is in seconds.
pub fn ask_corpus(pair: &Pair, queries: &[String], end: i64) -> CorpusTally {
    let mut tally = CorpusTally { queries: queries.len(), ..CorpusTally::default() };
    let (start, end, step) = ((end - RANGE).to_string(), end.to_string(), STEP.to_string());
    for query in queries {
        tally.parsed += usize::from(promql::parse(query, &ParseOptions::ALL).is_ok());
        let instant = [("query", query.as_str()), ("time", &end)];
        let range = [("query", query.as_str()), ("start", &start), ("end", &end), ("step", &step)];
        for (path, params) in [("query", &instant[..]), ("query_range", &range)] {
            let request = Request::new("POST", &format!("/api/v1/{path}")).with_body(&form(params.iter().copied()));
            let (expected, got) = pair.ask(&request);
            tally.note(query, path, &expected, &got);
        }
    }
    tally
}

impl CorpusTally {
    fn note(&mut self, query: &str, path: &str, expected: &Answer, got: &Answer) {
        self.asked += 1;
        let difference =
            if expected.status == got.status { difference(query, expected, got) } else { Some(String::new()) };
        if let Some(difference) = difference {
            let shown = |answer: &Answer| answer.text().chars().take(SHOWN).collect::<String>();
            let (there, here) = (shown(expected), shown(got));
            self.differences.push(format!("## {path}: {query}\n   {difference}\n   P {there}\n   R {here}"));
        } else if expected.status != 200 {
            self.failed_alike += 1;
        } else if expected.text().contains(r#""result":[]"#) {
            self.empty += 1;
        } else {
            self.alike += 1;
        }
    }
}

/// Where two answers with the same code differ; `None` if they do not.
fn difference(query: &str, expected: &Answer, got: &Answer) -> Option<String> {
    let read = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).ok();
    let (Some(mut expected), Some(mut got)) = (read(expected), read(got)) else {
        return (expected != got).then(|| "no JSON".to_owned());
    };
    for answer in [&mut expected, &mut got] {
        for info in answer.get_mut("infos").and_then(Value::as_array_mut).into_iter().flatten() {
            *info = without_count(info.as_str().unwrap_or_default()).into();
        }
        for key in ["warnings", "infos"] {
            answer.get_mut(key).into_iter().for_each(sort);
        }
    }
    if expected["data"]["resultType"] != "vector" {
        return first_difference(&expected, &got);
    }
    let is_ordered = ["sort", "topk", "bottomk"].iter().any(|word| query.trim_start().starts_with(word));
    let values = |answer: &Value| {
        answer["data"]["result"].as_array().into_iter().flatten().map(|row| row["value"][1].clone()).collect::<Value>()
    };
    // Among equal values any order will do.
    if is_ordered && let Some(difference) = first_difference(&values(&expected), &values(&got)) {
        return Some(format!("in order, {difference}"));
    }
    for answer in [&mut expected, &mut got] {
        sort_vector(&mut answer["data"]["result"]);
    }
    first_difference(&expected, &got)
}
