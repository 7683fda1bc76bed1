//! A scraped page's bytes to samples.
mod cursor;
mod entry;
mod error;
mod float;
mod item;
mod openmetrics;
mod page;
mod parser;
mod text;

pub use error::ParseError;
pub use item::{Exemplar, Item, Sample, Series};
pub use page::{Columns, PageReader, Shape};
pub use parser::{Format, Options, Parser};
