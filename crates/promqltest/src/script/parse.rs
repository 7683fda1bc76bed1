//! From a text to a script.

use model::parse_duration;
use promql::series_notation::{Point, StartTimes, parse_series, parse_start_times};
use promql::{Expr, ParseOptions};
use re2::Regex;

use super::evaluation::{ExpectedPoint, Pattern};
use super::load::{deduplicate, expand, samples};
use super::{
    Command, CommandKind, Evaluation, Expectation, Expected, ExpectedSeries, Load, Script, ScriptError, Times,
};
use crate::LoadedSeries;

pub(super) fn parse(text: &str) -> Result<Script, ScriptError> {
    let lines: Vec<&str> = text.split('\n').map(str::trim).collect();
    let mut reader = Reader { lines, at: 0 };
    let mut commands = Vec::new();
    while let Some(line) = reader.next_command() {
        let number = reader.at;
        let kind = reader.command(line).map_err(|message| ScriptError { line: reader.at, message })?;
        commands.push(Command { line: number, kind });
    }
    Ok(Script { commands })
}

struct Reader<'a> {
    lines: Vec<&'a str>,
    /// How many lines were taken.
    at: usize,
}

impl<'a> Reader<'a> {
    /// The first line of the next command.
    fn next_command(&mut self) -> Option<&'a str> {
        while let Some(line) = self.lines.get(self.at) {
            self.at += 1;
            if !is_empty(line) {
                return Some(line);
            }
        }
        None
    }

    /// The next line of a block, which an empty line ends.
    fn next_in_block(&mut self) -> Option<&'a str> {
        let line = self.lines.get(self.at).copied().filter(|line| !is_empty(line))?;
        self.at += 1;
        Some(line)
    }

    fn command(&mut self, line: &'a str) -> Result<CommandKind, String> {
        let (word, rest) = split_word(line);
        let word = word.to_lowercase();
        match word.as_str() {
            "clear" => Ok(CommandKind::Clear),
            "load" => self.load(rest, false).map(CommandKind::Load),
            "load_with_nhcb" => self.load(rest, true).map(CommandKind::Load),
            _ if word.starts_with("eval") => self.evaluation(line).map(|eval| CommandKind::Evaluate(Box::new(eval))),
            _ => Err(format!("invalid command {line:?}")),
        }
    }

    fn load(&mut self, interval: &str, with_native: bool) -> Result<Load, String> {
        let interval = duration(interval)?;
        let mut series = Vec::new();
        let mut starts: Option<StartTimes> = None;
        while let Some(line) = self.next_in_block() {
            if let Some(found) = parse_start_times(line).map_err(|error| error.to_string())? {
                starts = Some(found);
                continue;
            }
            let parsed = parse_series(line).map_err(|error| error.to_string())?;
            let starts = starts.take();
            if starts.as_ref().is_some_and(|starts| starts.labels != parsed.labels) {
                return Err("start timestamps stand before another series".to_owned());
            }
            let samples = samples(&parsed, starts.as_ref(), interval)?;
            series.push(LoadedSeries { labels: parsed.labels, samples });
        }
        if starts.is_some() {
            return Err("start timestamps without a series".to_owned());
        }
        Ok(Load { series: deduplicate(series), with_native })
    }

    fn evaluation(&mut self, line: &str) -> Result<Evaluation, String> {
        let (mode, mut times, query) = evaluation_line(line)?;
        promql::parse(&query, &ParseOptions::ALL).map_err(|error| error.to_string())?;
        let mut expectation = Expectation::default();
        match mode.as_str() {
            "" => {}
            "fail" => expectation.failure = Some(None),
            "warn" => expectation.warnings.patterns.push(None),
            "info" => expectation.infos.patterns.push(None),
            "ordered" => expectation.is_ordered = true,
            _ => return Err(format!("invalid command {line:?}")),
        }
        let mut series = Vec::new();
        while let Some(line) = self.next_in_block() {
            if let Some(pattern) = old_failure(line)? {
                expectation.failure = Some(Some(pattern));
                break;
            }
            if expectation_line(line, &mut expectation, &mut times)? {
                continue;
            }
            if let Some(number) = number(line) {
                expectation.result = Expected::Scalar(number);
                break;
            }
            series.push(expected_series(line)?);
        }
        if !series.is_empty() {
            expectation.result = Expected::Series(series);
        }
        Ok(Evaluation { query, times, expectation })
    }
}

fn is_empty(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// The first word, and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn duration(text: &str) -> Result<i64, String> {
    parse_duration(text.trim()).map_err(|error| error.to_string())
}

/// The mode, the times and the query of `eval…`.
fn evaluation_line(line: &str) -> Result<(String, Times, String), String> {
    let invalid = || format!("invalid command {line:?}");
    let instant = regex(r"^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$")?;
    let range = regex(r"^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$")?;
    let group =
        |captures: &re2::Captures, at: usize| captures.get(at).map_or(String::new(), |span| line[span].to_owned());
    if let Some(captures) = instant.captures(line) {
        let at = group(&captures, 2);
        let at = if at.is_empty() { 0 } else { duration(&at)? };
        return Ok((group(&captures, 1), Times::Instant(at), group(&captures, 3)));
    }
    let captures = range.captures(line).ok_or_else(invalid)?;
    let [start, end, step] = [2, 3, 4].map(|at| duration(&group(&captures, at)));
    let times = Times::Range { start: start?, end: end?, step: step? };
    if let Times::Range { start, end, .. } = times
        && end < start
    {
        return Err("the range ends before it starts".to_owned());
    }
    Ok((group(&captures, 1), times, group(&captures, 5)))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}

/// The old form of expecting a failure.
fn old_failure(line: &str) -> Result<Option<Pattern>, String> {
    let (word, rest) = split_word(line);
    Ok(match word {
        "expected_fail_message" => Some(Pattern::Exactly(rest.to_owned())),
        "expected_fail_regexp" => Some(Pattern::Regex(regex(rest)?)),
        _ => None,
    })
}

/// Reads a line that starts with `expect`. Whether it is one.
fn expectation_line(line: &str, expectation: &mut Expectation, times: &mut Times) -> Result<bool, String> {
    let (word, rest) = split_word(line);
    if word != "expect" {
        return Ok(false);
    }
    if let Some(rest) = rest.strip_prefix("string") {
        expectation.result = Expected::String(string(rest.trim())?);
        return Ok(true);
    }
    if let Some(rest) = rest.strip_prefix("range vector") {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let ["from", start, "to", end, "step", step] = words.as_slice() else {
            return Err(format!("invalid expectation {line:?}"));
        };
        *times = Times::Instant(duration(end)?);
        expectation.range_vector = Some((duration(start)?, duration(step)?));
        return Ok(true);
    }
    let form = regex(r"^(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$")?;
    let captures = form.captures(rest).ok_or_else(|| format!("invalid expectation {line:?}"))?;
    let group = |at: usize| captures.get(at).map(|span| rest[span].trim());
    let pattern = match (group(2), group(3)) {
        (Some("regex"), Some(text)) => Some(Pattern::Regex(regex(text)?)),
        (Some(_), Some(text)) => Some(Pattern::Exactly(text.to_owned())),
        _ => None,
    };
    match group(1).unwrap_or_default() {
        "ordered" => expectation.is_ordered = true,
        "fail" => expectation.failure = Some(pattern),
        "warn" => expectation.warnings.patterns.push(pattern),
        "info" => expectation.infos.patterns.push(pattern),
        "no_warn" => expectation.warnings.is_forbidden = true,
        _ => expectation.infos.is_forbidden = true,
    }
    Ok(true)
}

/// A Go string literal, which is one of PromQL as well.
fn string(literal: &str) -> Result<String, String> {
    match promql::parse(literal, &ParseOptions::ALL) {
        Ok(Expr::String(string)) => Ok(string.value),
        _ => Err(format!("expected a string, got {literal}")),
    }
}

/// A line that is a number by itself.
fn number(line: &str) -> Option<f64> {
    match promql::parse(line, &ParseOptions::ALL) {
        Ok(Expr::Number(number)) if !number.is_duration => Some(number.value),
        _ => None,
    }
}

fn expected_series(line: &str) -> Result<ExpectedSeries, String> {
    let series = parse_series(line).map_err(|error| error.to_string())?;
    let points = expand(&series.items)?.into_iter().map(|point| match point {
        Point::Missing => ExpectedPoint::Missing,
        Point::Float(value) => ExpectedPoint::Float(value),
        Point::Histogram { histogram, is_hint_given } => ExpectedPoint::Histogram { histogram, is_hint_given },
    });
    Ok(ExpectedSeries { labels: series.labels, points: points.collect() })
}
