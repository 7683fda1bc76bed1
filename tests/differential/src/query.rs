//! Queries at random, well typed by construction: each rule makes a text of the type that is asked for.

mod call;
mod operation;
mod selector;

use promql::ValueType;

use crate::Dice;
use crate::data::Shape;

/// Labels that series may have, and some that they do not.
const LABELS: [&str; 9] = ["instance", "job", "env", "le", "__name__", "__type__", "version", "my.label", "missing"];

/// A query about the series of [`Data::random`](crate::Data::random). Most make sense; some fail when they are evaluated,
/// a few when they are read.
pub fn random_query(dice: &mut Dice) -> String {
    let depth = [1, 2, 2, 3, 3, 4][dice.index(6)];
    let mut grammar = Grammar { dice };
    match grammar.dice.index(40) {
        0 => grammar.scalar(depth),
        1 => grammar.matrix(1, Taste::Any, Edges::Given),
        2 => grammar.text(),
        _ => grammar.vector(depth, Taste::Any),
    }
}

/// The rules. `depth` is how deeply what they make may be nested.
struct Grammar<'a> {
    dice: &'a mut Dice,
}

/// What series an expression is rather about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taste {
    Any,
    Counter,
    Histogram,
    Classic,
}

/// What may be said about the edges of a range: which functions allow `anchored` and `smoothed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edges {
    Given,
    Anchored,
    Any,
}

impl Taste {
    fn likes(self, shape: Shape) -> bool {
        match self {
            Self::Any => true,
            Self::Counter => matches!(shape, Shape::Counter | Shape::Exponential | Shape::Custom | Shape::Classic),
            Self::Histogram => matches!(shape, Shape::Exponential | Shape::Custom | Shape::Mixed),
            Self::Classic => shape == Shape::Classic,
        }
    }
}

impl Grammar<'_> {
    fn expression(&mut self, of: ValueType, depth: usize, taste: Taste) -> String {
        match of {
            ValueType::Scalar => self.scalar(depth),
            ValueType::String => self.text(),
            ValueType::Vector => self.vector(depth, taste),
            ValueType::Matrix => self.matrix(depth, taste, Edges::Given),
        }
    }

    fn vector(&mut self, depth: usize, taste: Taste) -> String {
        if depth == 0 {
            return self.selector(taste);
        }
        match self.dice.index(20) {
            0..=1 => self.selector(taste),
            2..=8 => self.call(depth - 1, taste),
            9..=12 => self.aggregation(depth - 1, taste),
            13..=16 => self.vector_operation(depth - 1, taste),
            17 => format!("-({})", self.vector(depth - 1, taste)),
            18 => format!("({})", self.vector(depth - 1, taste)),
            _ => self.scalar_operation(depth - 1, taste),
        }
    }

    fn scalar(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.number();
        }
        match self.dice.index(12) {
            0..=5 => self.number(),
            6 => format!("scalar({})", self.vector(depth - 1, Taste::Any)),
            7 => self.dice.pick(&["time()", "start()", "end()", "step()", "range()", "pi()"]).to_owned(),
            8 => {
                let function = self.dice.pick(&["min_of", "max_of"]);
                format!("{function}({}, {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            9 => format!("-({})", self.scalar(depth - 1)),
            _ => {
                let op = self.dice.pick(&["+", "-", "*", "/", "%", "^", "atan2", "== bool", "< bool", "!= bool"]);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
        }
    }

    fn number(&mut self) -> String {
        match self.dice.index(5) {
            0 => (self.dice.pick(&["NaN", "Inf", "-Inf", "0", "-1", "1e308", "-0.5", "1e3", "5m", "0x1F", "1e-10"]))
                .to_owned(),
            1 => format!("{:.2}", self.dice.unit()),
            _ => self.dice.within(0..12).to_string(),
        }
    }

    fn text(&mut self) -> String {
        let texts = ["", "a", "env", "$1", "${1}x", "(.*)", "instance", "-", "é", "new"];
        model::quote(self.dice.pick(&texts))
    }

    /// Names of labels, in parentheses.
    fn labels(&mut self) -> String {
        let most = self.dice.index(4);
        let names: Vec<String> = (0..most).map(|_| label(self.dice.pick(&LABELS))).collect();
        format!("({})", names.join(", "))
    }
}

fn label(name: &str) -> String {
    if model::is_legacy_label_name(name) { name.to_owned() } else { model::quote(name) }
}

#[cfg(test)]
mod tests {
    use promql::ParseOptions;

    use super::*;

    #[test]
    fn most_queries_are_some_and_a_seed_gives_the_same_ones() {
        let queries = |seed| {
            let mut dice = Dice::from_seed(seed);
            (0..500).map(|_| random_query(&mut dice)).collect::<Vec<_>>()
        };
        let first = queries(7);
        assert_eq!(first, queries(7));
        let is_refused = |query: &&String| promql::parse(query, &ParseOptions::ALL).is_err();
        let refused: Vec<&String> = first.iter().filter(is_refused).collect();
        assert!(refused.len() < 50, "{refused:#?}");
    }
}
