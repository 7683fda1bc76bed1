//! A scraped page's bytes to samples: the Prometheus text format, OpenMetrics, protobuf.
//!
//! ```
//! use exposition::{Format, Item, Options, PageReader, Parser};
//!
//! let page = b"# TYPE up gauge\nup{job=\"a\"} 1\nup{job=\"b\"} 0\n";
//! let mut parser = Parser::new(page, Format::Text, Options::default());
//! let mut series = Vec::new();
//! while let Some(item) = parser.next()? {
//!     if let Item::Sample(sample) = item {
//!         series.push(sample.series.labels());
//!     }
//! }
//! assert_eq!(series[1].to_string(), r#"up{job="b"}"#);
//!
//! // The next page has the same series: only its numbers are read.
//! let mut reader = PageReader::new(0x5eed);
//! let shape = reader.shape(page, Format::Text, Options::default())?.expect("the page is a simple one");
//! let next = b"# TYPE up gauge\nup{job=\"a\"} 0\nup{job=\"b\"} 1\n";
//! let columns = reader.read(next, &shape).expect("the shape is the same");
//! assert_eq!(columns.values(), [0.0, 1.0]);
//! # Ok::<(), exposition::ParseError>(())
//! ```
//!
//! What is accepted, what it means and what errors say is as in Prometheus 3, which is lenient: pages are read line by line,
//! and families are not checked. [`Parser`] reads any page, entry by entry and without copying it; [`PageReader`] reads a page
//! whose series are known, several times faster, and is what a scraper uses as long as a target's series stay the same.
//! [`accept_header`] and [`Format::of_content_type`] settle with a target which format it sends.
//!
//! Limits on pages and labels are the business of the caller. Nothing here takes more memory than the page itself, times a
//! small number.

mod cursor;
mod entry;
mod error;
mod float;
mod item;
mod nhcb;
mod openmetrics;
mod page;
mod parser;
mod protobuf;
mod protocol;
mod text;

pub use error::ParseError;
pub use item::{Exemplar, Item, Sample, Series};
pub use page::{Columns, PageReader, Shape};
pub use parser::{Format, Options, Parser};
pub use protocol::{ContentTypeError, EscapingScheme, ScrapeProtocol, UnknownProtocol, accept_header};
