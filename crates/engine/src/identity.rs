//! Who a series of an intermediate result is.

use model::{Labels, METRIC_NAME, is_legacy_label_name, quote};
use series::FoldedName;

/// The labels that say what a metric is. They go when what a series means changes.
pub(crate) const METADATA_LABELS: [&str; 3] = [METRIC_NAME, TYPE_LABEL, UNIT_LABEL];
/// The label that holds the type of a metric.
pub(crate) const TYPE_LABEL: &str = "__type__";
const UNIT_LABEL: &str = "__unit__";

/// When the name of a series goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As soon as a function changes what the series means.
    Eager,
    /// At the end of the query, so that what is around the function still sees it.
    Delayed,
}

/// What becomes of the name of a series, by which all of [`METADATA_LABELS`] are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Kept,
    /// It goes at the end.
    ToDrop,
    /// The metric's name is gone, and the rest goes with the next function over a range.
    Half,
    /// It is gone, though the labels still have it: a set without it is only made when somebody needs one.
    Gone,
}

/// Who a series is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    labels: Labels,
    name: Name,
}

impl Identity {
    pub(crate) fn new(labels: Labels) -> Self {
        Self { labels, name: Name::Kept }
    }

    /// A series whose name goes at the end if `is_to_drop`.
    pub(crate) fn marked(labels: Labels, is_to_drop: bool) -> Self {
        Self { labels, name: if is_to_drop { Name::ToDrop } else { Name::Kept } }
    }

    /// A series, as it was elsewhere.
    pub(crate) fn of_folded(labels: Labels, name: FoldedName) -> Self {
        let name = match name {
            FoldedName::Kept => Name::Kept,
            FoldedName::ToDrop => Name::ToDrop,
            FoldedName::Gone => Name::Gone,
        };
        Self { labels, name }
    }

    /// Who it is, to be said elsewhere.
    pub(crate) fn to_folded(&self) -> (Labels, FoldedName) {
        let name = match self.name {
            // What is left of a name that is gone by half are labels like others, once series are aggregated.
            Name::Kept | Name::Half => FoldedName::Kept,
            Name::ToDrop => FoldedName::ToDrop,
            Name::Gone => FoldedName::Gone,
        };
        (self.labels.clone(), name)
    }

    /// What Prometheus' functions of single histograms make of a series where names go eagerly: type and unit stay for now.
    pub(crate) fn without_metric(&self) -> Self {
        Self { labels: self.labels().without(&[METRIC_NAME]), name: Name::Half }
    }

    /// Whether a function over a range drops what is left of the name, even one that keeps names.
    pub(crate) fn is_half_dropped(&self) -> bool {
        self.name == Name::Half
    }

    /// Lets the name go, if it is not gone already.
    pub(crate) fn drop_name(&mut self, naming: Naming) {
        self.name = match (self.name, naming) {
            (Name::Gone, _) | (_, Naming::Eager) => Name::Gone,
            (_, Naming::Delayed) => Name::ToDrop,
        };
    }

    /// Whether the name goes at the end.
    pub(crate) fn is_to_drop(&self) -> bool {
        self.name == Name::ToDrop
    }

    /// The labels, in order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let is_gone = self.name == Name::Gone;
        self.labels.iter().filter(move |(name, _)| !is_gone || !METADATA_LABELS.contains(name))
    }

    /// The value of a label, empty if there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        if self.name == Name::Gone && METADATA_LABELS.contains(&name) { "" } else { self.labels.value(name) }
    }

    /// The metric name, empty if there is none.
    pub(crate) fn metric(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// The labels as they are now: with the name if that goes only at the end.
    pub(crate) fn labels(&self) -> Labels {
        match self.name {
            Name::Kept | Name::ToDrop | Name::Half => self.labels.clone(),
            Name::Gone => self.labels.without(&METADATA_LABELS),
        }
    }

    /// The labels at the end of the query.
    pub(crate) fn into_labels(self) -> Labels {
        match self.name {
            Name::Kept | Name::Half => self.labels,
            Name::ToDrop | Name::Gone => self.labels.without(&METADATA_LABELS),
        }
    }

    /// The values of [`METADATA_LABELS`], which tell apart series that dropping the name would make the same.
    pub(crate) fn metadata(&self) -> [&str; 3] {
        METADATA_LABELS.map(|name| self.labels.value(name))
    }

    /// About how many bytes it takes in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        self.labels.size_bytes()
    }
}

/// Labels as Prometheus shows them in some messages: `{__name__="up", job="a"}`.
pub(crate) fn in_braces(labels: &Labels) -> String {
    let show = |(name, value)| {
        let name = if is_legacy_label_name(name) { name.to_owned() } else { quote(name) };
        format!("{name}={}", quote(value))
    };
    format!("{{{}}}", labels.iter().map(show).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_at_once_or_at_the_end() {
        let labels = Labels::from_pairs([("__name__", "up"), ("__unit__", "s"), ("job", "a")]);
        let mut eager = Identity::new(labels.clone());
        eager.drop_name(Naming::Eager);
        assert_eq!(
            (eager.metric(), eager.value("job"), eager.labels().to_string().as_str()),
            ("", "a", r#"{job="a"}"#)
        );
        assert_eq!(eager.iter().collect::<Vec<_>>(), [("job", "a")]);
        let mut delayed = Identity::new(labels.clone());
        delayed.drop_name(Naming::Delayed);
        assert!(delayed.is_to_drop());
        assert_eq!((delayed.metric(), delayed.labels()), ("up", labels));
        assert_eq!(delayed.into_labels().to_string(), r#"{job="a"}"#);
        eager.drop_name(Naming::Delayed);
        assert_eq!(eager.metric(), "");
    }
}
