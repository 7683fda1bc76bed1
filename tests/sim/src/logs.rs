//! What the nodes of a universe log, as lines of its trace.

use std::cell::RefCell;
use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, registry};

use crate::Trace;

thread_local! {
    /// The trace of the universe that this thread lives through.
    static TRACE: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// From now on what is logged on this thread goes to this trace.
pub(crate) fn send_to(trace: &Trace) {
    TRACE.with_borrow_mut(|of| *of = Some(trace.clone()));
}

/// Has all universes note what their nodes log, as far as `filter` lets it through: `info`, `openraft=debug,info`, …
///
/// # Errors
/// If the filter makes no sense, or something else listens to logs already.
pub fn note_logs(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| error.to_string())?;
    let subscriber = registry().with(Notes.with_filter(filter));
    tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())
}

struct Notes;

impl<S: Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(format!("log: {}", event.metadata().target()));
        event.record(&mut text);
        TRACE.with_borrow(|trace| {
            if let Some(trace) = trace {
                trace.note(text.0);
            }
        });
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a text can't fail.
        let _ = match field.name() {
            "message" => write!(self.0, ": {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
