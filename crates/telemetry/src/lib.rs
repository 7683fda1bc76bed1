//! What a process says about itself.
//!
//! Each component owns a struct of metrics and registers it with a [`Registry`] it was handed; there is no global one, so
//! that many nodes can live in one process.

mod logging;
#[cfg(target_os = "linux")]
mod process;
mod registry;
mod text;

pub use logging::{LogFormat, LogLevelError, init_logging};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
pub use prometheus_client::{collector, encoding, metrics};
pub use registry::{FloatGauge, Registry, latency_histogram};
pub use text::to_text_format;
