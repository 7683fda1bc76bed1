//! Calls of functions: of all that there are.

use promql::{Arity, FUNCTIONS, Function, ValueType};

use super::{Edges, Grammar, LABELS, Taste};

impl Grammar<'_> {
    pub(super) fn call(&mut self, depth: usize, taste: Taste) -> String {
        let function = self.function(taste);
        let taste = match function.name {
            name if name.starts_with("histogram_") => match self.dice.index(6) {
                0..=1 => Taste::Classic,
                2 => Taste::Any,
                _ => Taste::Histogram,
            },
            "rate" | "increase" | "irate" | "resets" if !self.dice.one_in(4) => Taste::Counter,
            _ => taste,
        };
        let args = match function.name {
            "label_replace" => self.label_replace_args(depth, taste),
            "label_join" => self.label_join_args(depth, taste),
            "sort_by_label" | "sort_by_label_desc" => self.sort_args(depth, taste),
            "info" => self.info_args(depth),
            "rate" | "increase" | "delta" => vec![self.matrix(depth, taste, Edges::Any)],
            "resets" | "changes" => vec![self.matrix(depth, taste, Edges::Anchored)],
            "histogram_quantile" if self.dice.one_in(3) => {
                let inner = format!("sum by (le, job) (rate({}))", self.matrix(0, taste, Edges::Given));
                vec![self.fraction(), inner]
            }
            "histogram_quantile" | "quantile_over_time" | "histogram_quantiles" => {
                self.quantile_args(function, depth, taste)
            }
            _ => self.args(function, depth, taste),
        };
        format!("{}({})", function.name, args.join(", "))
    }

    /// A function that returns a vector. Those that only map a number to a number are many, and all alike.
    fn function(&mut self, taste: Taste) -> &'static Function {
        loop {
            let function = &FUNCTIONS[self.dice.index(FUNCTIONS.len())];
            let maps = matches!(function.args, [ValueType::Vector])
                && !function.name.starts_with("histogram_")
                && !["absent", "sort", "sort_desc", "timestamp", "start_timestamp"].contains(&function.name);
            let is_liked = taste != Taste::Histogram || !maps;
            if function.returns == ValueType::Vector && is_liked && (!maps || self.dice.one_in(6)) {
                return function;
            }
        }
    }

    /// What the signature says.
    fn args(&mut self, function: &Function, depth: usize, taste: Taste) -> Vec<String> {
        let required = match function.arity {
            Arity::Exact => function.args.len(),
            Arity::Optional(_) | Arity::Repeated => function.args.len() - 1,
        };
        let more = match function.arity {
            Arity::Exact => 0,
            Arity::Optional(_) => self.dice.index(2),
            Arity::Repeated => self.dice.index(3),
        };
        let last = function.args.last().copied();
        let types = function.args.iter().copied().take(required).chain(last.into_iter().cycle().take(more));
        types.map(|of| self.expression(of, depth, taste)).collect()
    }

    fn fraction(&mut self) -> String {
        if self.dice.one_in(5) { self.number() } else { format!("{:.2}", self.dice.unit()) }
    }

    fn quantile_args(&mut self, function: &Function, depth: usize, taste: Taste) -> Vec<String> {
        let number = self.fraction();
        match function.name {
            "quantile_over_time" => vec![number, self.matrix(depth, taste, Edges::Given)],
            "histogram_quantile" => vec![number, self.vector(depth, taste)],
            _ => {
                let label = self.dice.pick(&["\"q\"", "\"le\"", "\"job\""]).to_owned();
                let count = 1 + self.dice.index(3);
                let quantiles = (0..count).map(|_| self.fraction()).collect::<Vec<_>>();
                [vec![self.vector(depth, taste), label], quantiles].concat()
            }
        }
    }

    fn label_replace_args(&mut self, depth: usize, taste: Taste) -> Vec<String> {
        let target = self.dice.pick(&LABELS);
        let replacement = self.dice.pick(&["$1", "x", "", "${1}_$2", "$name", "a$$b"]);
        let source = self.dice.pick(&LABELS);
        let regex = self.dice.pick(&["(.*)", "", "(.).*", "([a-z]+):(?P<name>.*)", "api|db", "nothing"]);
        let texts = [target, replacement, source, regex].map(model::quote);
        [vec![self.vector(depth, taste)], texts.to_vec()].concat()
    }

    fn label_join_args(&mut self, depth: usize, taste: Taste) -> Vec<String> {
        let target = model::quote(self.dice.pick(&LABELS));
        let separator = model::quote(self.dice.pick(&["", "-", "é"]));
        let sources = self.dice.some_of(&LABELS).into_iter().map(model::quote).collect::<Vec<_>>();
        [vec![self.vector(depth, taste), target, separator], sources].concat()
    }

    fn sort_args(&mut self, depth: usize, taste: Taste) -> Vec<String> {
        let labels = self.dice.some_of(&LABELS).into_iter().map(model::quote).collect::<Vec<_>>();
        [vec![self.vector(depth, taste)], labels].concat()
    }

    fn info_args(&mut self, depth: usize) -> Vec<String> {
        let vector = self.vector(depth, Taste::Any);
        let conditions = [
            r#"{version="1"}"#,
            r#"{version=~".+"}"#,
            r#"{data=~".*",version!="2"}"#,
            r#"{__name__="target_info"}"#,
            r#"{__name__=~"target.*|temperature",data="x"}"#,
            r#"{__name__!="build_info"}"#,
            r#"{env="prod"}"#,
            r#"{missing=""}"#,
        ];
        if self.dice.one_in(3) { vec![vector] } else { vec![vector, (self.dice.pick(&conditions)).to_owned()] }
    }
}
