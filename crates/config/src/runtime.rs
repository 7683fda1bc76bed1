//! How the process behaves.

use yaml::{Text, as_text, record};

record! {
    /// How Prometheus' process behaves.
    pub struct Runtime: "config.RuntimeConfig" {
        /// When Go collects garbage, in per cent.
        pub gogc: i64 = 75,
        /// What is logged.
        pub log_level: LogLevel = LogLevel("info".to_owned()),
    }
}

/// From which severity on messages are logged: `debug`, `info`, `warn` or `error`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLevel(pub String);

impl Text for LogLevel {
    fn parse(text: &str) -> Result<Self, String> {
        let level = text.to_ascii_lowercase();
        match level.as_str() {
            "" => Ok(Self("info".to_owned())),
            "debug" | "info" | "warn" | "error" => Ok(Self(level)),
            _ => Err(format!("unrecognized log level {text}")),
        }
    }

    fn print(&self) -> String {
        self.0.clone()
    }

    fn empty() -> Self {
        Self::default()
    }
}

as_text!(LogLevel);
