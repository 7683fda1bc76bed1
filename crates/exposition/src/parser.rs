//! The parser of all formats.

use crate::error::ParseError;
use crate::item::Item;
use crate::openmetrics::OpenMetricsParser;
use crate::text::TextParser;

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The Prometheus text format, 0.0.4 or 1.0.0.
    Text,
    /// OpenMetrics text, 0.0.1 or 1.0.0.
    OpenMetrics,
    /// Delimited messages of `io.prometheus.client`.
    Protobuf,
}

/// How a page is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Whether samples get their start timestamps, which are read from `_created` lines in OpenMetrics; those of counters,
    /// histograms and summaries are then no samples. In protobuf, start timestamps are always there.
    pub start_timestamps: bool,
}

/// Reads a page, entry by entry, without copying it.
pub struct Parser<'a>(Inner<'a>);

enum Inner<'a> {
    Text(TextParser<'a>),
    OpenMetrics(Box<OpenMetricsParser<'a>>),
}

impl<'a> Parser<'a> {
    /// A parser at the start of a page.
    pub fn new(page: &'a [u8], format: Format, options: Options) -> Self {
        Self(match format {
            Format::Text | Format::Protobuf => Inner::Text(TextParser::new(page)),
            Format::OpenMetrics => Inner::OpenMetrics(Box::new(OpenMetricsParser::new(page, options.start_timestamps))),
        })
    }

    /// The next entry; `None` at the end. It borrows from the parser: use it before the next one is read.
    ///
    /// # Errors
    /// If the page is not written in the format. After an error the parser is of no more use.
    #[expect(clippy::should_implement_trait, reason = "an iterator's items cannot borrow from it")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, ParseError> {
        match &mut self.0 {
            Inner::Text(parser) => parser.next(),
            Inner::OpenMetrics(parser) => parser.next(),
        }
    }
}
