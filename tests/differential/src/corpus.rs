//! Queries that people wrote, changed at random, and series for them to find.

use model::{METRIC_NAME, MatchOp, Matcher};
use promql::ast::VectorSelector;
use promql::{Descend, Expr, FUNCTIONS, ParseOptions};

use crate::{Data, Dice};

/// What a regular expression may match, for those that are not lists of words.
const WORDS: [&str; 12] = ["x", "a1", "200", "404", "500", "eth0", "sda", "x-1", "/x/y", "x_total", "node1:9100", "1"];

/// The query as it was written, or changed.
pub(crate) fn mutated(dice: &mut Dice, queries: &[String]) -> String {
    let text = &queries[dice.index(queries.len())];
    let Ok(mut expr) = promql::parse(text, &ParseOptions::ALL) else { return text.clone() };
    match dice.index(8) {
        0..=1 => text.clone(),
        2 => without_a_character(dice, text),
        3 => {
            let donor = &queries[dice.index(queries.len())];
            if let Ok(donor) = promql::parse(donor, &ParseOptions::ALL) {
                graft(dice, &mut expr, &donor);
            }
            expr.to_string()
        }
        _ => {
            exchange(dice, &mut expr);
            expr.to_string()
        }
    }
}

fn without_a_character(dice: &mut Dice, text: &str) -> String {
    let at = dice.index(text.chars().count());
    text.chars().enumerate().filter(|(index, _)| *index != at).map(|(_, character)| character).collect()
}

/// Puts a part of another expression in the place of one of the same type.
fn graft(dice: &mut Dice, expr: &mut Expr, donor: &Expr) {
    let (mut parts, mut count) = (Vec::new(), 0);
    donor.walk(&mut |part, _| {
        parts.push(part);
        Descend::Into
    });
    let part = parts[dice.index(parts.len())];
    expr.walk(&mut |_, _| {
        count += 1;
        Descend::Into
    });
    let mut at = dice.index(count);
    expr.walk_mut(&mut |place| {
        if at == 0 && place.value_type() == part.value_type() {
            *place = part.clone();
            return Descend::Stop;
        }
        at = at.saturating_sub(1);
        Descend::Into
    });
}

/// Exchanges functions for others that take the same, and numbers for others.
fn exchange(dice: &mut Dice, expr: &mut Expr) {
    expr.walk_mut(&mut |place| {
        match place {
            Expr::Call(call) if dice.one_in(2) => {
                let alike: Vec<_> = FUNCTIONS
                    .iter()
                    .filter(|other| {
                        (other.args, other.returns, other.arity)
                            == (call.function.args, call.function.returns, call.function.arity)
                    })
                    .collect();
                call.function = alike[dice.index(alike.len())];
            }
            Expr::Number(number) if dice.one_in(3) => number.value = dice.within(-2..20) as f64,
            _ => {}
        }
        Descend::Into
    });
}

/// All selectors of a query, in the order written; none if it is no query.
pub fn selectors(query: &str) -> Vec<VectorSelector> {
    let mut selectors = Vec::new();
    if let Ok(expr) = promql::parse(query, &ParseOptions::ALL) {
        expr.walk(&mut |part, _| {
            selectors.extend(part.selector().cloned());
            Descend::Into
        });
    }
    selectors
}

/// Series that the selectors of these queries find. They have the labels that the queries group and join by.
pub fn satisfying(dice: &mut Dice, queries: &[String]) -> Data {
    let mut data = Data::at_random_rhythm(dice);
    for query in queries {
        let grouped = grouping_labels(query);
        for selector in selectors(query) {
            let name = name_for(dice, &selector.matchers);
            for number in 0..1 + dice.index(3) {
                let mut labels: Vec<(String, String)> = Vec::new();
                for label in &grouped {
                    labels.push((label.clone(), if number == 2 { "p1".to_owned() } else { format!("p{number}") }));
                }
                for matcher in selector.matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
                    let value = value_for(dice, matcher);
                    labels.retain(|(label, _)| label != matcher.name());
                    labels.push((matcher.name().to_owned(), value));
                }
                if number == 2 {
                    labels.push(("another".to_owned(), "one".to_owned()));
                }
                labels.retain(|(label, value)| !value.is_empty() && label != METRIC_NAME);
                data.add_metric(dice, &name, &labels);
            }
        }
    }
    data
}

fn name_for(dice: &mut Dice, matchers: &[Matcher]) -> String {
    let names: Vec<&Matcher> = matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME).collect();
    names.first().map_or_else(|| "anything".to_owned(), |matcher| value_for(dice, matcher))
}

/// A value that satisfies a matcher; the empty one if none is found.
fn value_for(dice: &mut Dice, matcher: &Matcher) -> String {
    let literal = match matcher.op() {
        MatchOp::Equal => return matcher.value().to_owned(),
        MatchOp::NotEqual | MatchOp::NotRegex => Vec::new(),
        MatchOp::Regex => matcher.value().trim_matches(['(', ')', '^', '$']).split('|').collect(),
    };
    let guesses = literal
        .iter()
        .flat_map(|word| [(*word).to_owned(), word.replace(".*", "x").replace(".+", "x").replace('\\', "")]);
    let words = WORDS.iter().map(|word| (*word).to_owned());
    let matching: Vec<String> =
        guesses.chain(words).filter(|guess| !guess.is_empty() && matcher.matches(guess)).collect();
    if matching.is_empty() { String::new() } else { matching[dice.index(matching.len().min(3))].clone() }
}

/// The labels that a query names in its clauses.
fn grouping_labels(query: &str) -> Vec<String> {
    let mut labels = Vec::new();
    if let Ok(expr) = promql::parse(query, &ParseOptions::ALL) {
        expr.walk(&mut |part, _| {
            match part {
                Expr::Aggregation(aggregation) => labels.extend(aggregation.grouping.labels.iter().cloned()),
                Expr::Binary(binary) => {
                    if let Some(matching) = &binary.matching {
                        labels.extend(matching.labels.iter().chain(&matching.include).cloned());
                    }
                }
                _ => {}
            }
            Descend::Into
        });
    }
    labels.sort_unstable();
    labels.dedup();
    labels.retain(|label| label != METRIC_NAME && label != "le");
    labels
}
