//! PromQL as Prometheus 3.15 reads it: lexer, parser, typed tree, type checker and printers.
//!
//! ```
//! use promql::{ParseOptions, ValueType};
//!
//! let expr = promql::parse("sum by(job)(rate(http_requests_total[5m]))", &ParseOptions::default())?;
//! assert_eq!(expr.value_type(), ValueType::Vector);
//! assert_eq!(expr.to_string(), "sum by (job) (rate(http_requests_total[5m]))");
//!
//! let error = promql::parse("sum(rate(up))", &ParseOptions::default()).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "1:10: parse error: expected type range vector in call to function \"rate\", got instant vector"
//! );
//! # Ok::<(), promql::ParseError>(())
//! ```
//!
//! Nothing here knows samples, storage or time; evaluation is another crate's.

pub mod ast;
mod check;
mod error;
mod function;
mod lexer;
mod literal;
mod operator;
mod parser;
mod pretty;
mod printer;
pub mod series_notation;
mod span;
mod token;
mod value_type;
mod walk;

pub use ast::Expr;
pub use error::ParseError;
pub use function::{Arity, FUNCTIONS, Function};
pub use operator::{AggregateOp, BinaryOp, Sign};
pub use parser::{MAX_LENGTH, MAX_NESTING, MAX_OPERATORS, ParseOptions, parse, parse_selector};
pub use pretty::{prettify, prettify_within};
pub use span::{Position, Span};
pub use value_type::ValueType;
pub use walk::Descend;
