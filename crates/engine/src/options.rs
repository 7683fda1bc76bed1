//! How an engine evaluates.

use std::time::Duration;

use promql::ParseOptions;

/// How an engine evaluates. The defaults are those of a Prometheus server.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How old the newest sample of a series may be to count at a step.
    pub lookback: Duration,
    /// How many samples a query may hold at once, counted as Prometheus counts them.
    pub max_samples: u64,
    /// How long a query may take.
    pub timeout: Duration,
    /// The step of subqueries that have none of their own: the server's evaluation interval.
    pub subquery_step: Duration,
    /// What is on beside the stable language.
    pub features: Features,
    /// Whether storage may aggregate where the series are, for queries that [allow it](crate::PushDown).
    pub push_down: bool,
}

/// What is on beside the stable language: Prometheus' feature flags. By default none is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// What expressions may contain.
    pub parse: ParseOptions,
    /// Names of series go at the end of a query instead of at once: `promql-delayed-name-removal`.
    pub delayed_name_removal: bool,
    /// Rates look at the times at which counters began: `use-start-timestamps`.
    pub start_timestamps: bool,
    /// The label `__type__` says what is a counter, instead of the metric's name: `type-and-unit-labels`.
    pub type_and_unit_labels: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(5 * 60),
            max_samples: 50_000_000,
            timeout: Duration::from_secs(2 * 60),
            subquery_step: Duration::from_secs(60),
            features: Features::default(),
            push_down: true,
        }
    }
}

impl Features {
    /// The names of Prometheus' feature flags for those that are on.
    pub(crate) fn names(self) -> Vec<String> {
        let mut all = self;
        all.switches().into_iter().filter(|(_, is_on)| **is_on).map(|(name, _)| name.to_owned()).collect()
    }

    /// The features with these names on; `None` if one is not known.
    pub(crate) fn named(names: &[String]) -> Option<Self> {
        let mut features = Self::default();
        for name in names {
            let (_, is_on) = features.switches().into_iter().find(|(known, _)| known == name)?;
            *is_on = true;
        }
        Some(features)
    }

    fn switches(&mut self) -> [(&'static str, &mut bool); 6] {
        [
            ("promql-experimental-functions", &mut self.parse.experimental_functions),
            ("promql-extended-range-selectors", &mut self.parse.extended_range_selectors),
            ("promql-binop-fill-modifiers", &mut self.parse.binop_fill_modifiers),
            ("promql-delayed-name-removal", &mut self.delayed_name_removal),
            ("use-start-timestamps", &mut self.start_timestamps),
            ("type-and-unit-labels", &mut self.type_and_unit_labels),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_found_by_their_names() {
        let features = Features { delayed_name_removal: true, parse: ParseOptions::ALL, ..Features::default() };
        let named = Features::named(&features.names()).unwrap();
        assert_eq!(format!("{named:?}"), format!("{features:?}"));
        assert!(Features::named(&["exemplar-storage".to_owned()]).is_none());
    }
}
