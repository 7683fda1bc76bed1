//! Selectors, ranges and subqueries.

use super::{Edges, Grammar, Taste};
use crate::data::METRICS;

/// Metric names, and conditions on other labels.
const CONDITIONS: [&str; 12] = [
    r#"job="api""#,
    r#"job=~"api|db""#,
    r#"job!="db""#,
    r#"instance=~"[ab].*""#,
    r#"instance!~"a.*""#,
    r#"env="""#,
    r#"env!="""#,
    r#"env=~".*""#,
    r#"le=~"1|[+]Inf|10""#,
    r#""my.label"!="é""#,
    r#"__type__="counter""#,
    r#"missing="""#,
];

impl Grammar<'_> {
    pub(super) fn selector(&mut self, taste: Taste) -> String {
        let series = self.series(taste);
        let smoothed = if self.dice.one_in(25) { " smoothed" } else { "" };
        format!("{series}{smoothed}{}", self.shift())
    }

    /// Which series.
    fn series(&mut self, taste: Taste) -> String {
        let liked: Vec<&str> = METRICS.iter().filter(|(_, shape)| taste.likes(*shape)).map(|(name, _)| *name).collect();
        let mut conditions = Vec::new();
        if self.dice.one_in(6) {
            conditions.push((self.dice.pick(&CONDITIONS)).to_owned());
        }
        if self.dice.one_in(8) {
            let names = self.dice.pick(&[".*_total", "latency|size|mixed", "temp.*|free_bytes", "latency.*", ".*i.*"]);
            conditions.push(format!("__name__=~{}", model::quote(names)));
            return format!("{{{}}}", conditions.join(","));
        }
        let name = self.dice.pick(&liked);
        if !model::is_legacy_metric_name(name) {
            conditions.insert(0, model::quote(name));
            return format!("{{{}}}", conditions.join(","));
        }
        if conditions.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", conditions.join(",")) }
    }

    pub(super) fn matrix(&mut self, depth: usize, taste: Taste, edges: Edges) -> String {
        if depth > 0 && self.dice.one_in(3) {
            let inner = self.vector(depth - 1, taste);
            let step = if self.dice.one_in(3) { String::new() } else { self.duration() };
            return format!("({inner})[{}:{step}]{}", self.duration(), self.shift());
        }
        let edges = match edges {
            Edges::Given => "",
            Edges::Anchored => self.dice.pick(&["", " anchored"]),
            Edges::Any => self.dice.pick(&["", "", " anchored", " smoothed"]),
        };
        format!("{}[{}]{edges}{}", self.series(taste), self.duration(), self.shift())
    }

    /// A duration above zero, now and then one that is computed.
    fn duration(&mut self) -> String {
        let simple = |grammar: &mut Self| {
            (grammar.dice.pick(&["1m", "2m", "5m", "10m", "90s", "47s", "30s", "13s", "1h", "300", "1500ms"]))
                .to_owned()
        };
        if !self.dice.one_in(8) {
            return simple(self);
        }
        let (left, right) = (simple(self), simple(self));
        match self.dice.index(6) {
            0 => format!("{left} + {right}"),
            1 => "step() + 1m".to_owned(),
            2 => format!("max_of(step(), {left})"),
            3 => format!("min_of(range() + 30s, {left})"),
            4 => format!("({left} * 2 - {right})"),
            _ => format!("{left} % 7m"),
        }
    }

    /// Mostly nothing; else `@` and `offset`.
    fn shift(&mut self) -> String {
        let at = self.dice.one_in(12).then(|| {
            let time = self.dice.pick(&["start()", "end()", "0", "600", "899.5", "1200", "-60"]);
            format!(" @ {time}")
        });
        let offset = self.dice.one_in(8).then(|| {
            let by = self.dice.pick(&["1m", "-1m", "5m", "-90s", "13s", "0s", "step()", "(1m - step())", "-1500ms"]);
            format!(" offset {by}")
        });
        let (at, offset) = (at.unwrap_or_default(), offset.unwrap_or_default());
        if self.dice.one_in(2) { format!("{at}{offset}") } else { format!("{offset}{at}") }
    }
}
