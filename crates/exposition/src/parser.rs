//! The parser of all formats.

use crate::error::ParseError;
use crate::item::Item;
use crate::nhcb::{Classic, HistogramReader};
use crate::openmetrics::OpenMetricsParser;
use crate::protobuf::ProtobufParser;
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
    /// Whether native histograms are not read as such. One that has no classic buckets has then only that of everything.
    pub ignore_native_histograms: bool,
    /// Whether histograms that are native and classic are read as both, rather than as native ones only; with conversion, also
    /// whether classic ones are read as what they are, too.
    pub keep_classic_histograms: bool,
    /// Whether classic histograms that have no native part are read as native ones, with their own bounds.
    pub convert_classic_histograms: bool,
}

/// Reads a page, entry by entry, without copying it.
pub struct Parser<'a>(Inner<'a>);

enum Inner<'a> {
    Text(HistogramReader<TextParser<'a>>),
    OpenMetrics(HistogramReader<OpenMetricsParser<'a>>),
    Protobuf(ProtobufParser<'a>),
}

impl<'a> Parser<'a> {
    /// A parser at the start of a page.
    pub fn new(page: &'a [u8], format: Format, options: Options) -> Self {
        let classic = if options.keep_classic_histograms { Classic::Keep } else { Classic::Drop };
        let conversion = options.convert_classic_histograms.then_some(classic);
        Self(match format {
            Format::Text => Inner::Text(HistogramReader::new(TextParser::new(page), conversion)),
            Format::OpenMetrics => {
                let parser = OpenMetricsParser::new(page, options.start_timestamps);
                Inner::OpenMetrics(HistogramReader::new(parser, conversion))
            }
            Format::Protobuf => Inner::Protobuf(ProtobufParser::new(page, options)),
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
            Inner::Protobuf(parser) => parser.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The samples of a page, and the error it ends with.
    fn read(page: &[u8], format: Format) -> (Vec<String>, Option<ParseError>) {
        let options = Options { start_timestamps: true, ..Options::default() };
        let mut parser = Parser::new(page, format, options);
        let mut samples = Vec::new();
        loop {
            match parser.next() {
                Ok(Some(Item::Sample(sample))) => {
                    let exemplars = sample.exemplars().map(|exemplar| exemplar.labels().to_string());
                    let mut shown = sample.series.labels().to_string() + &exemplars.collect::<String>();
                    if let Some(start) = sample.start_timestamp {
                        shown += &format!(" since {start}");
                    }
                    samples.push(shown);
                }
                Ok(Some(_)) => {}
                Ok(None) => return (samples, None),
                Err(error) => return (samples, Some(error)),
            }
        }
    }

    #[test]
    fn errors_say_where() {
        let (samples, error) = read(b"a 1\nb{c=\"d\"} x\n", Format::Text);
        let error = error.unwrap();
        assert_eq!(samples, ["a"]);
        assert_eq!((error.offset(), error.line(), error.column()), (13, 2, 10));
        assert_eq!(
            error.to_string(),
            "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: \"b{c=\\\"d\\\"} x\""
        );
        let (_, error) = read(b"{\"a\\xff\", \"\xff\"=\"b\"} 1\n", Format::Text);
        assert!(error.unwrap().to_string().starts_with("invalid metric name or label names: "));
    }

    #[test]
    fn labels_are_canonical() {
        let page = b"# TYPE h histogram\nh_bucket{le=\"1\",b=\"\\\"\\n\\x\",a=\"\"} 1\n# TYPE s summary\ns{quantile=\"1e-9\",le=\"1\"} 1\n";
        assert_eq!(
            read(page, Format::Text).0,
            ["h_bucket{b=\"\\\"\\n\\\\x\", le=\"1.0\"}", "s{le=\"1\", quantile=\"1e-09\"}"]
        );
        let twice = b"a{b=\"1\",c=\"2\",b=\"3\"} 1\n";
        let mut parser = Parser::new(twice, Format::Text, Options::default());
        let Ok(Some(Item::Sample(sample))) = parser.next() else { panic!("the page has a sample") };
        assert_eq!(sample.series.repeated_label().as_deref(), Some("b"));
    }

    #[test]
    fn many_series_of_one_family_start_apart() {
        let mut page = "# TYPE a counter\n".to_owned();
        for at in 0..20_000 {
            page += &format!("a_total{{b=\"{at}\"}} 1\n");
        }
        page += "a_created{b=\"19999\"} 5\n# EOF\n";
        let (samples, error) = read(page.as_bytes(), Format::OpenMetrics);
        assert_eq!((samples.len(), error), (20_000, None));
        assert_eq!(samples[19_998..], ["a_total{b=\"19998\"}", "a_total{b=\"19999\"} since 5000"]);
    }

    const PAGES: [(Format, &[u8]); 2] = [
        (
            Format::Text,
            b"# HELP a b\\n\xc3\xa9\n# TYPE a histogram\n\na{b=\"c\\\"\xc3\xa9\", le=\"1\" ,} 1e5\t17\n{\"d e\",\"f\"=\"g\"} -Inf\n",
        ),
        (
            Format::OpenMetrics,
            b"# TYPE a_s counter\n# UNIT a_s s\na_s_total{b=\"c\"} 1 5.5 # {d=\"\xc3\xa9\"} 2 7\na_s_created{b=\"c\"} 3\n# EOF\n",
        ),
    ];

    #[test]
    fn cut_pages_are_read_as_far_as_they_go() {
        for (format, page) in PAGES {
            let (whole, error) = read(page, format);
            assert_eq!(error, None);
            for end in 0..page.len() {
                let (samples, _) = read(&page[..end], format);
                assert!(samples.len() <= whole.len());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            at in 0usize..90,
            openmetrics: bool,
        ) {
            let (format, page) = PAGES[usize::from(openmetrics)];
            read(&bytes, format);
            let mut damaged = page.to_vec();
            damaged.splice(at.min(page.len()).., bytes);
            read(&damaged, format);
        }
    }
}
