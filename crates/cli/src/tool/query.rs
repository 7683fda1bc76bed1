//! `ringwood tool query` and its kin: questions to a server, for the shell.

mod shown;

use std::process::ExitCode;

use model::Timestamp;
use serde_json::Value as Json;
use stdx::Clock;

use super::client::{Client, percent_encoded};
use crate::flags::{Output, Server, Span, ToolCommand};

/// How far a range reaches back, and how many steps it has, if nothing else is said: as promtool has it.
const DEFAULT_SPAN_MS: i64 = 5 * 60 * 1000;
const DEFAULT_STEPS: i64 = 250;

/// Asks, and writes the answer. Its warnings and infos go to the standard error.
///
/// # Errors
/// If there is no answer, or the server says what is wrong with the question.
pub(super) async fn run(question: ToolCommand) -> Result<ExitCode, String> {
    let (server, data) = match question {
        ToolCommand::Query { expression, time, server } => {
            let mut form = vec![("query", expression.as_str())];
            form.extend(time.as_deref().map(|time| ("time", time)));
            let data = ask(&server, "/api/v1/query", &form).await?;
            (server, data)
        }
        ToolCommand::QueryRange { expression, span, step, server } => {
            let times = range(&span, step.as_deref(), Clock::system().wall_ms())?;
            let mut form = vec![("query", expression.as_str())];
            form.extend(["start", "end", "step"].into_iter().zip(times.iter().map(String::as_str)));
            let data = ask(&server, "/api/v1/query_range", &form).await?;
            (server, data)
        }
        ToolCommand::Series { selectors, matches, span, server } => {
            let matches: Vec<String> = selectors.into_iter().chain(matches).collect();
            if matches.is_empty() {
                return Err("which series? Say what they match, such as up or '{job=\"api\"}'".to_owned());
            }
            let data = ask(&server, "/api/v1/series", &selection(&matches, &span)).await?;
            (server, data)
        }
        ToolCommand::Labels { name, matches, span, server } => {
            let form = selection(&matches, &span);
            let data = match name {
                None => ask(&server, "/api/v1/labels", &form).await?,
                Some(name) => {
                    let path = format!("/api/v1/label/{}/values", percent_encoded(&escaped(&name)));
                    answer_of(Client::new(&server.url, &server.headers)?.get_with(&path, &form).await?)?
                }
            };
            (server, data)
        }
        ToolCommand::Promqltest(_) | ToolCommand::FormatQuery { .. } => return Err("this asks no server".to_owned()),
    };
    match server.output {
        Output::Json => println!("{data}"),
        Output::Table => print!("{}", shown::to_text(&data)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(server: &Server, path: &str, form: &[(&str, &str)]) -> Result<Json, String> {
    answer_of(Client::new(&server.url, &server.headers)?.post(path, form).await?)
}

/// The data of an answer. What the server remarks besides is written to the standard error.
fn answer_of(mut answer: Json) -> Result<Json, String> {
    for (kind, name) in [("warnings", "warning"), ("infos", "info")] {
        for remark in answer[kind].as_array().into_iter().flatten().filter_map(Json::as_str) {
            eprintln!("{name}: {remark}");
        }
    }
    if answer["status"] == "success" {
        return Ok(answer["data"].take());
    }
    let message = answer["error"].as_str().unwrap_or("it does not say why");
    let what_to_do = match answer["errorType"].as_str().unwrap_or_default() {
        "bad_data" => "mend the question",
        "execution" => "the expression is read, but can't be evaluated",
        "timeout" => "ask for less, or try again",
        "unavailable" => "try again when the server is ready",
        _ => "look at the server's log",
    };
    Err(format!("the server refused: {message} ({what_to_do})"))
}

/// Start, end and step of a range, as they are sent.
fn range(span: &Span, step: Option<&str>, now_ms: i64) -> Result<[String; 3], String> {
    let parse = |name: &str, text: &String| api::parse_time(text).map_err(|error| format!("--{name}: {error}"));
    let end = span.end.as_ref().map_or(Ok(Timestamp(now_ms)), |text| parse("end", text))?.as_ms();
    let earlier = Ok(Timestamp(end.saturating_sub(DEFAULT_SPAN_MS)));
    let start = span.start.as_ref().map_or(earlier, |text| parse("start", text))?.as_ms();
    if end < start {
        return Err(format!(
            "the range ends ({}) before it starts ({})",
            api::rfc3339(Timestamp(end)),
            api::rfc3339(Timestamp(start))
        ));
    }
    let seconds = |ms: i64| (ms as f64 / 1000.0).to_string();
    let step = step.map_or_else(|| ((end - start) / 1000 / DEFAULT_STEPS).max(1).to_string(), str::to_owned);
    Ok([seconds(start), seconds(end), step])
}

/// Which series are meant, as it is sent.
fn selection<'a>(matches: &'a [String], span: &'a Span) -> Vec<(&'a str, &'a str)> {
    let matches = matches.iter().map(|selector| ("match[]", selector.as_str()));
    let start = span.start.as_deref().map(|start| ("start", start));
    let end = span.end.as_deref().map(|end| ("end", end));
    matches.chain(start).chain(end).collect()
}

/// The name of a label as it stands in a path: one that is none of Prometheus 2 is escaped.
fn escaped(name: &str) -> String {
    if model::is_legacy_label_name(name) {
        return name.to_owned();
    }
    let escape = |at: usize, c: char| match c {
        '_' => "__".to_owned(),
        c if c.is_ascii_alphabetic() || c == ':' || (c.is_ascii_digit() && at > 0) => c.to_string(),
        c => format!("_{:x}_", u32::from(c)),
    };
    let escaped: String = name.char_indices().map(|(at, c)| escape(at, c)).collect();
    format!("U__{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_range(start: Option<&str>, end: Option<&str>, step: Option<&str>, expected: Result<[&str; 3], &str>) {
        let span = Span { start: start.map(str::to_owned), end: end.map(str::to_owned) };
        let found = range(&span, step, 1_000_000_500);
        assert_eq!(found, expected.map(|times| times.map(str::to_owned)).map_err(str::to_owned));
    }

    #[test]
    fn ranges_are_those_of_promtool_unless_said() {
        check_range(None, None, None, Ok(["999700.5", "1000000.5", "1"]));
        check_range(Some("0"), Some("1970-01-01T01:00:00Z"), None, Ok(["0", "3600", "14"]));
        check_range(Some("10"), Some("20"), Some("5m"), Ok(["10", "20", "5m"]));
        let wrong = "the range ends (1970-01-01T00:00:10Z) before it starts (1970-01-01T00:00:20Z)";
        check_range(Some("20"), Some("10"), None, Err(wrong));
        check_range(Some("soon"), None, None, Err("--start: cannot parse \"soon\" to a valid timestamp"));
    }

    #[test]
    fn names_of_labels_are_escaped_where_paths_need_it() {
        assert_eq!(escaped("job"), "job");
        assert_eq!(escaped("a.b_ü"), "U__a_2e_b___fc_");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let refused = serde_json::json!({"status": "error", "errorType": "bad_data", "error": "no"});
        assert_eq!(answer_of(refused), Err("the server refused: no (mend the question)".to_owned()));
    }
}
