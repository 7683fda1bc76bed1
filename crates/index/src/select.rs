//! Matchers → series.

use std::sync::Arc;

use model::{MatchOp, Matcher};
use roaring::RoaringBitmap;

use crate::index::{Index, Values};
use crate::postings::Postings;

/// Testing the values of candidates costs about this much more than testing a value of the index, for each must be found.
const LOOKUP_COST: u64 = 4;

impl Index {
    /// The series that pass all matchers.
    ///
    /// A matcher that accepts the empty text also accepts series without the label, as in Prometheus.
    /// `value_of` finds the value of a series' label: with few candidates left, asking them is cheaper than asking every
    /// value that the label has.
    /// Cost: a lookup for each plain matcher; for a regular one, a test of each value with its literal prefix, or of each
    /// candidate if those are fewer.
    pub fn select<'a>(
        &'a self,
        matchers: &[Matcher],
        value_of: impl Fn(u32, &str) -> Option<&'a str>,
    ) -> RoaringBitmap {
        let mut matchers: Vec<&Matcher> = matchers.iter().collect();
        // The cheap and narrow ones first: whoever comes later then has fewer candidates.
        matchers.sort_by_key(|matcher| self.effort(matcher));
        let mut found: Option<RoaringBitmap> = None;
        for matcher in matchers {
            let candidates = found.as_ref().map_or(self.all.len(), RoaringBitmap::len);
            if candidates == 0 {
                return RoaringBitmap::new();
            }
            let values = self.labels.get(matcher.name());
            let scanned = values.map_or(0, |values| values.scanned(matcher));
            if let Some(found) = found.as_mut().filter(|_| candidates * LOOKUP_COST < scanned) {
                let failing =
                    found.iter().filter(|series| !matcher.matches(value_of(*series, matcher.name()).unwrap_or("")));
                let failing: RoaringBitmap = failing.collect();
                *found -= failing;
            } else if matcher.matches_empty() {
                let failing = values.map(|values| values.union(matcher, false)).unwrap_or_default();
                *found.get_or_insert_with(|| self.all.to_set()) -= failing;
            } else {
                let passing = values.map(|values| values.union(matcher, true)).unwrap_or_default();
                match &mut found {
                    Some(found) => *found &= passing,
                    None => found = Some(passing),
                }
            }
        }
        found.unwrap_or_else(|| self.all.to_set())
    }

    /// The names of the labels that wanted series have, ascending. `wants` is asked about the series of one value after the
    /// other.
    pub fn names(&self, mut wants: impl FnMut(&Postings) -> bool) -> impl Iterator<Item = &Arc<str>> {
        let mut has = move |values: &Values| values.values.values().any(|value| wants(&value.series));
        self.labels.iter().filter(move |(_, values)| has(values)).map(|(name, _)| name)
    }

    /// The values of a label that wanted series have, ascending. `wants` is asked about the series of one value after the
    /// other.
    pub fn values(&self, name: &str, mut wants: impl FnMut(&Postings) -> bool) -> impl Iterator<Item = &Arc<str>> {
        let values = self.labels.get(name).into_iter().flat_map(|values| values.values.iter());
        values.filter(move |(_, value)| wants(&value.series)).map(|(text, _)| text)
    }

    /// How early a matcher should be evaluated: lower is earlier.
    fn effort(&self, matcher: &Matcher) -> (u8, u64) {
        let scanned = self.labels.get(matcher.name()).map_or(0, |values| values.scanned(matcher));
        match (matcher.op(), matcher.matches_empty()) {
            (MatchOp::Equal, false) => (0, self.count(matcher)),
            (_, false) if scanned == 0 => (1, 0),
            (_, false) => (2, scanned),
            (_, true) => (3, scanned),
        }
    }

    fn count(&self, matcher: &Matcher) -> u64 {
        let value = self.labels.get(matcher.name()).and_then(|values| values.values.get(matcher.value()));
        value.map_or(0, |value| value.series.len())
    }
}

impl Values {
    /// How many values have to be tested one by one to evaluate a matcher.
    fn scanned(&self, matcher: &Matcher) -> u64 {
        match matcher.regex() {
            None => 0,
            Some(regex) if regex.set_matches().is_some() || regex.matches_all_nonempty() => 0,
            Some(_) => self.values.len() as u64,
        }
    }

    /// The series that have a value which passes the matcher (or fails it).
    fn union(&self, matcher: &Matcher, passing: bool) -> RoaringBitmap {
        let mut set = RoaringBitmap::new();
        let listed = self.listed(matcher);
        // Whether the listed values are those that pass.
        let lists_passing = matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex);
        match (listed, matcher.regex()) {
            (Some(listed), _) if lists_passing == passing => {
                listed.iter().filter_map(|text| self.values.get(*text)).for_each(|value| value.series.add_to(&mut set));
            }
            (None, Some(regex)) if regex.matches_all_nonempty() => {
                if lists_passing == passing {
                    self.values.values().for_each(|value| value.series.add_to(&mut set));
                }
            }
            (None, Some(regex)) if lists_passing == passing && !regex.prefix().is_empty() => {
                let prefix = regex.prefix();
                let from =
                    self.values.range(Arc::<str>::from(prefix)..).take_while(|(text, _)| text.starts_with(prefix));
                from.filter(|(text, _)| regex.is_match(text)).for_each(|(_, value)| value.series.add_to(&mut set));
            }
            _ => {
                let wanted = self.values.iter().filter(|(text, _)| matcher.matches(text) == passing);
                wanted.for_each(|(_, value)| value.series.add_to(&mut set));
            }
        }
        set
    }

    /// The values that a matcher compares with, if it only compares.
    fn listed<'m>(&self, matcher: &'m Matcher) -> Option<Vec<&'m str>> {
        match matcher.regex() {
            None => Some(vec![matcher.value()]),
            Some(regex) => regex.set_matches().map(|texts| texts.iter().map(String::as_str).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use model::Labels;
    use proptest::prelude::*;

    use super::*;
    use crate::PairId;

    /// The plain map that an index is compared with.
    #[derive(Clone, Default)]
    struct Model {
        index: Index,
        series: BTreeMap<u32, (Labels, Vec<PairId>)>,
    }

    impl Model {
        fn add(&mut self, series: u32, labels: Labels) {
            self.remove(series);
            let pairs: Vec<_> = labels.iter().map(|(name, value)| self.index.intern(name, value)).collect();
            self.index.add(series, pairs.iter().copied());
            self.series.insert(series, (labels, pairs));
        }

        fn remove(&mut self, series: u32) {
            if let Some((_, pairs)) = self.series.remove(&series) {
                self.index.remove(series, pairs);
            }
        }

        fn select(&self, matchers: &[Matcher]) -> Vec<u32> {
            let value_of = |series: u32, name: &str| self.series[&series].0.get(name);
            self.index.select(matchers, value_of).iter().collect()
        }
    }

    fn labels() -> impl Strategy<Value = Labels> {
        prop::collection::btree_map("[abc]", "[xyz]{1,2}", 0..4)
            .prop_map(|map| map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
    }

    fn matcher() -> impl Strategy<Value = Matcher> {
        let ops = prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
        let values =
            prop::sample::select(vec!["", "x", "xy", "x|yz", "x.*", ".*", ".+", "[xy]+", ".*z", "()|x", "x.?y?"]);
        (ops, "[abcd]", values).prop_map(|(op, name, value)| Matcher::new(op, &name, value).unwrap())
    }

    proptest! {
        #[test]
        fn it_selects_what_the_matchers_say(
            changes in prop::collection::vec((0u32..40, prop::option::of(labels())), 0..120),
            matchers in prop::collection::vec(matcher(), 0..4),
        ) {
            let mut model = Model::default();
            let half = changes.len() / 2;
            let mut frozen = model.clone();
            for (at, (series, labels)) in changes.into_iter().enumerate() {
                match labels {
                    Some(labels) => model.add(series, labels),
                    None => model.remove(series),
                }
                if at == half {
                    frozen = model.clone();
                }
            }
            for model in [model, frozen] {
                let passing = |labels: &Labels| matchers.iter().all(|matcher| matcher.matches_labels(labels));
                let expected = model.series.iter().filter(|(_, (labels, _))| passing(labels));
                let expected: Vec<u32> = expected.map(|(series, _)| *series).collect();
                prop_assert_eq!(model.select(&matchers), expected.clone());

                let set: RoaringBitmap = expected.iter().copied().collect();
                let mut names = BTreeSet::new();
                let mut values = BTreeSet::new();
                for series in &expected {
                    names.extend(model.series[series].0.iter().map(|(name, _)| name.to_owned()));
                    values.extend(model.series[series].0.get("a").map(str::to_owned));
                }
                let found: Vec<String> = model.index.names(|series| series.meets(&set)).map(|name| name.to_string()).collect();
                prop_assert_eq!(found, names.into_iter().collect::<Vec<_>>());
                let found: Vec<String> = model.index.values("a", |series| series.any(|one| set.contains(one))).map(|value| value.to_string()).collect();
                prop_assert_eq!(found, values.into_iter().collect::<Vec<_>>());

                prop_assert_eq!(model.index.len(), model.series.len() as u64);
                let pairs: BTreeSet<_> = model.series.values().flat_map(|(labels, _)| {
                    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
                }).collect();
                prop_assert_eq!(model.index.pair_count(), pairs.len(), "pairs that nobody has are forgotten");
                for (labels, pairs) in model.series.values() {
                    let named: Labels = pairs.iter().map(|id| model.index.pair(*id)).map(|pair| (&*pair.name, &*pair.value)).collect();
                    prop_assert_eq!(&named, labels);
                }
            }
        }
    }
}
