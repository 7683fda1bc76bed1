//! Structured logs.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, where, what, fields.
    #[default]
    Logfmt,
    /// For machines: an object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "logfmt" => Ok(Self::Logfmt),
            "json" => Ok(Self::Json),
            _ => Err(format!("{text:?} is no log format: logfmt and json are")),
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogLevelError {
    /// The level is none.
    #[error("{0:?} is no log level: debug, info, warn, error are, and tracing's filters such as info,shard=debug")]
    Level(String),
    /// Somebody set up logging before.
    #[error("set up logging")]
    Twice(#[from] TryInitError),
}

/// Sends the logs of this process to standard error from `level` up. Called once, by the binary.
///
/// # Errors
/// If `level` is none, or logging was set up before.
pub fn init_logging(level: &str, format: LogFormat) -> Result<(), LogLevelError> {
    // openraft tells each election in detail at info; what of it concerns an operator, `consensus` says.
    let filter = EnvFilter::builder()
        .parse(format!("openraft=error,{level}"))
        .map_err(|_| LogLevelError::Level(level.to_owned()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Logfmt => registry.with(layer.with_ansi(false)).try_init()?,
        LogFormat::Json => registry.with(layer.json()).try_init()?,
    }
    Ok(())
}
