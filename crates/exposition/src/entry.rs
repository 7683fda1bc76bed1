//! Entries as the parsers of text find them: places in the page.

use std::borrow::Cow;
use std::ops::Range;

use model::{MetricType, Timestamp, Value};

use crate::cursor::Cursor;
use crate::error::ParseError;
use crate::item::{Escapes, Item, RawExemplar, RawLabel, Sample, Series, text, unescape};

/// A parser of text. It keeps what it read last, to be looked at until it reads on.
pub(crate) trait EntryReader {
    /// Reads the next entry; `None` at the end.
    fn advance(&mut self) -> Result<Option<Entry>, ParseError>;

    /// What the entry that was read last means, and where it is.
    fn context(&self) -> Context<'_>;

    /// Reads on to the next sample, and tells where its numbers are.
    fn next_cuts(&mut self) -> Result<Option<Cuts>, ParseError> {
        loop {
            match self.advance()? {
                Some(Entry::Metadata(_)) => {}
                Some(Entry::Sample) => return Ok(Some(self.context().sample.cuts())),
                None => return Ok(None),
            }
        }
    }
}

/// What an entry is to be seen with.
pub(crate) struct Context<'p> {
    pub(crate) page: &'p [u8],
    pub(crate) sample: &'p SampleParts,
    /// The type in the last such line, of any family.
    pub(crate) metric_type: MetricType,
    /// Where the unit in the last such line is.
    pub(crate) unit: Range<usize>,
    /// The escapes in help texts.
    pub(crate) escapes: Escapes,
}

impl<'p> Context<'p> {
    #[inline]
    pub(crate) fn item(self, entry: Entry) -> Item<'p> {
        match entry {
            Entry::Metadata(metadata) => metadata.item(self.page, self.metric_type, self.escapes),
            Entry::Sample => Item::Sample(self.sample.sample(self.page, self.metric_type, &self.unit)),
        }
    }
}

/// What was read. The parts of a sample are kept by the parser, so that their memory is used again.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Metadata(Metadata),
    Sample,
}

/// An entry about a family, or a comment.
#[derive(Clone, Debug)]
pub(crate) enum Metadata {
    Type(Range<usize>),
    Help(Range<usize>, Range<usize>),
    Unit(Range<usize>, Range<usize>),
    Comment(Range<usize>),
}

impl Metadata {
    pub(crate) fn item(self, page: &[u8], metric_type: MetricType, escapes: Escapes) -> Item<'_> {
        match self {
            Self::Type(family) => Item::Type { family: text(page, &family), metric_type },
            Self::Help(family, help) => {
                Item::Help { family: text(page, &family), help: unescape(text(page, &help), escapes) }
            }
            Self::Unit(family, unit) => Item::Unit { family: text(page, &family), unit: text(page, &unit) },
            Self::Comment(comment) => Item::Comment(text(page, &comment)),
        }
    }
}

/// The parts of the sample that was read last.
#[derive(Clone, Debug, Default)]
pub(crate) struct SampleParts {
    pub(crate) name: Option<Range<usize>>,
    pub(crate) labels: Vec<RawLabel>,
    /// Whether some name is in quotes, and so may be no UTF-8.
    pub(crate) has_quoted_names: bool,
    pub(crate) value: f64,
    pub(crate) timestamp: Option<Timestamp>,
    pub(crate) value_at: Range<usize>,
    pub(crate) timestamp_at: Option<Range<usize>>,
    pub(crate) exemplar_at: Option<Range<usize>>,
    pub(crate) start_timestamp: Option<Timestamp>,
    pub(crate) exemplar: Option<RawExemplar>,
    pub(crate) exemplar_labels: Vec<RawLabel>,
}

/// Where the variable parts of a sample's line are.
pub(crate) struct Cuts {
    pub(crate) value: Range<usize>,
    pub(crate) timestamp: Option<Range<usize>>,
    /// From the blank before the number sign to the end of the line.
    pub(crate) exemplar: Option<Range<usize>>,
}

impl SampleParts {
    pub(crate) fn cuts(&self) -> Cuts {
        Cuts { value: self.value_at.clone(), timestamp: self.timestamp_at.clone(), exemplar: self.exemplar_at.clone() }
    }

    /// Forgets the sample before.
    pub(crate) fn clear(&mut self) {
        self.name = None;
        self.labels.clear();
        self.has_quoted_names = false;
        self.timestamp = None;
        self.timestamp_at = None;
        self.exemplar_at = None;
        self.start_timestamp = None;
        self.exemplar = None;
        self.exemplar_labels.clear();
    }

    /// Checks that names can be read. Prometheus does so when it appends the sample, which fails the whole page as well.
    pub(crate) fn check_names(&self, cursor: &Cursor<'_>) -> Result<(), ParseError> {
        if !self.has_quoted_names {
            return Ok(());
        }
        let names = self.name.iter().chain(self.labels.iter().map(|label| &label.name));
        for name in names {
            if std::str::from_utf8(&cursor.page()[name.clone()]).is_err() {
                let series = cursor.quote(cursor.entry()..cursor.at());
                return Err(cursor.error(format!("invalid metric name or label names: {series}")));
            }
        }
        Ok(())
    }

    /// The sample in `page`; `metric_type` and `unit` are what was said last about any family.
    #[inline]
    pub(crate) fn sample<'p>(&'p self, page: &'p [u8], metric_type: MetricType, unit: &Range<usize>) -> Sample<'p> {
        Sample {
            series: Series {
                page,
                name: self.name.clone().unwrap_or_default(),
                name_suffix: "",
                labels: &self.labels,
                escaped: true,
                bound: None,
                family_type: metric_type,
                unit: if unit.is_empty() { Cow::Borrowed("") } else { text(page, unit) },
                tells_type_and_unit: false,
            },
            value: Value::Float(self.value),
            timestamp: self.timestamp,
            start_timestamp: self.start_timestamp,
            exemplars: self.exemplar.as_slice(),
            exemplar_labels: &self.exemplar_labels,
        }
    }
}
