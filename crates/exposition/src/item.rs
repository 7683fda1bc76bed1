//! What a page is made of.

use std::borrow::Cow;
use std::ops::Range;

use model::{BUCKET_LABEL, Labels, METRIC_NAME, MetricType, QUANTILE_LABEL, Timestamp, Value, format_float_label};

use crate::float::parse_float;

/// The label that holds a family's type, where labels are to tell it.
const TYPE_LABEL: &str = "__type__";
/// The label that holds a family's unit, where labels are to tell it.
const UNIT_LABEL: &str = "__unit__";

/// One entry of a page. Texts that are no UTF-8 have replacement characters.
#[derive(Debug)]
pub enum Item<'p> {
    /// The type of a family.
    Type {
        /// The family's name, as it is written: escapes in quoted names stay.
        family: Cow<'p, str>,
        /// The type.
        metric_type: MetricType,
    },
    /// The help text of a family.
    Help {
        /// The family's name, as it is written.
        family: Cow<'p, str>,
        /// The text.
        help: Cow<'p, str>,
    },
    /// The unit of a family.
    Unit {
        /// The family's name, as it is written.
        family: Cow<'p, str>,
        /// The unit; may be empty.
        unit: Cow<'p, str>,
    },
    /// A comment, with its number sign.
    Comment(Cow<'p, str>),
    /// A sample of a series.
    Sample(Sample<'p>),
}

/// A sample of a series.
#[derive(Debug)]
pub struct Sample<'p> {
    /// The series.
    pub series: Series<'p>,
    /// The value; a NaN is [`model::NORMAL_NAN`].
    pub value: Value,
    /// When the target says the value was taken.
    pub timestamp: Option<Timestamp>,
    /// When the target says it started to count. Only where it was asked for; see [`Options`](crate::Options).
    pub start_timestamp: Option<Timestamp>,
    pub(crate) exemplars: &'p [RawExemplar],
    pub(crate) exemplar_labels: &'p [RawLabel],
}

impl<'p> Sample<'p> {
    /// The exemplars, in the page's order: at most one, but for native histograms.
    pub fn exemplars(&self) -> impl Iterator<Item = Exemplar<'p>> {
        let (page, labels) = (self.series.page, self.exemplar_labels);
        self.exemplars.iter().map(move |raw| Exemplar::new(page, raw, labels))
    }
}

/// An observation that stands for many.
#[derive(Debug)]
pub struct Exemplar<'p> {
    /// The observed value.
    pub value: f64,
    /// When it was observed, if that is said.
    pub timestamp: Option<Timestamp>,
    page: &'p [u8],
    labels: &'p [RawLabel],
}

impl<'p> Exemplar<'p> {
    /// An exemplar that has some of these labels.
    pub(crate) fn new(page: &'p [u8], raw: &RawExemplar, labels: &'p [RawLabel]) -> Self {
        Self {
            value: raw.value,
            timestamp: raw.timestamp,
            page,
            labels: labels.get(raw.labels.clone()).unwrap_or_default(),
        }
    }

    /// The labels; escapes in their values stay, as in Prometheus.
    pub fn labels(&self) -> Labels {
        let pairs: Vec<_> = self.labels.iter().map(|label| label.texts(self.page)).collect();
        Labels::from_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))
    }
}

/// The name and labels of a sample, decoded when they are asked for.
#[derive(Debug)]
pub struct Series<'p> {
    pub(crate) page: &'p [u8],
    pub(crate) name: Range<usize>,
    /// What the name ends with, where a sample is one of many in a message.
    pub(crate) name_suffix: &'static str,
    pub(crate) labels: &'p [RawLabel],
    /// Whether texts have escapes.
    pub(crate) escaped: bool,
    /// The bucket or quantile of a sample that is one of many in a message.
    pub(crate) bound: Option<(&'static str, &'p str)>,
    /// The type of the family, or of the one before if the sample's own has no metadata.
    pub(crate) family_type: MetricType,
    pub(crate) unit: Cow<'p, str>,
    /// Whether labels tell the type and the unit.
    pub(crate) tells_type_and_unit: bool,
}

impl Series<'_> {
    /// The metric name.
    pub fn metric(&self) -> Cow<'_, str> {
        let name = self.decode(text(self.page, &self.name));
        if self.name_suffix.is_empty() { name } else { Cow::Owned(name.into_owned() + self.name_suffix) }
    }

    /// The labels, with the metric name among them; `le` of histograms and `quantile` of summaries in canonical form.
    ///
    /// Of labels with the same name the last one counts; [`Series::repeated_label`] tells whether there are any.
    pub fn labels(&self) -> Labels {
        let pairs = self.pairs();
        Labels::from_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// Tells the type and the unit of the family as labels from now on, `__type__` and `__unit__`, as far as they are known.
    /// What the page itself says by these names, or by that of the metric, then does not count.
    ///
    /// A family without metadata has those of the one before it, as in Prometheus.
    pub fn tell_type_and_unit(&mut self) {
        self.tells_type_and_unit = true;
    }

    /// Whether the page names this label of the series, be it with an empty value.
    pub fn names_label(&self, name: &str) -> bool {
        self.pairs().iter().any(|(named, _)| named == name)
    }

    /// A label name that the series has twice, which makes it no series.
    pub fn repeated_label(&self) -> Option<String> {
        let mut names: Vec<_> = self.pairs().into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        let repeated = names.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(repeated[0].to_string())
    }

    /// All labels as they come, the name first.
    fn pairs(&self) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let mut pairs = Vec::with_capacity(self.labels.len() + 4);
        pairs.push((METRIC_NAME.into(), self.metric()));
        if self.tells_type_and_unit {
            let metric_type = Some(self.family_type).filter(|known| *known != MetricType::Unknown);
            pairs.extend(metric_type.map(|known| (TYPE_LABEL.into(), known.as_str().into())));
            pairs.extend(Some((UNIT_LABEL.into(), self.unit.clone())).filter(|(_, unit)| !unit.is_empty()));
        }
        let told = if self.tells_type_and_unit { pairs.len() } else { 0 };
        for label in self.labels {
            let (name, value) = label.texts(self.page);
            let (name, value) = (self.decode(name), self.decode(value));
            if pairs[..told].iter().any(|(told, known)| *told == name && !known.is_empty()) {
                continue;
            }
            let value = self.canonical_bound(&name, &value).map_or(value, Cow::Owned);
            pairs.push((name, value));
        }
        pairs.extend(self.bound.map(|(name, value)| (name.into(), value.into())));
        pairs
    }

    /// The canonical form of a bucket's bound or a quantile, if this label is one.
    fn canonical_bound(&self, name: &str, value: &str) -> Option<String> {
        let bound_label = match self.family_type {
            MetricType::Histogram => BUCKET_LABEL,
            MetricType::Summary => QUANTILE_LABEL,
            _ => return None,
        };
        if name != bound_label || !self.escaped {
            return None;
        }
        parse_float(value.as_bytes()).ok().map(format_float_label)
    }

    fn decode<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        if self.escaped { unescape(text, Escapes::WithQuotes) } else { text }
    }
}

/// Where in the page a label is.
#[derive(Clone, Debug)]
pub(crate) struct RawLabel {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl RawLabel {
    fn texts<'p>(&self, page: &'p [u8]) -> (Cow<'p, str>, Cow<'p, str>) {
        (text(page, &self.name), text(page, &self.value))
    }
}

/// An exemplar and which of the collected labels are its own.
#[derive(Clone, Debug)]
pub(crate) struct RawExemplar {
    pub(crate) labels: Range<usize>,
    pub(crate) value: f64,
    pub(crate) timestamp: Option<Timestamp>,
}

pub(crate) fn text<'p>(page: &'p [u8], range: &Range<usize>) -> Cow<'p, str> {
    String::from_utf8_lossy(page.get(range.clone()).unwrap_or_default())
}

/// Which characters may stand after a backslash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Backslash and `n`.
    Plain,
    /// Quotes, too.
    WithQuotes,
}

/// Replaces escapes; a backslash before anything else is itself.
pub(crate) fn unescape(text: Cow<'_, str>, escapes: Escapes) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let replacement = match after.as_bytes().first() {
            Some(b'\\') => Some('\\'),
            Some(b'n') => Some('\n'),
            Some(b'"') if escapes == Escapes::WithQuotes => Some('"'),
            _ => None,
        };
        out.push(replacement.unwrap_or('\\'));
        rest = if replacement.is_some() { &after[1..] } else { after };
    }
    out.push_str(rest);
    Cow::Owned(out)
}
