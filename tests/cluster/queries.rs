//! Somebody who asks all the time.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::http::get;

/// The pause between an answer and the next query.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks a querier one query after another, and remembers those that failed.
pub(crate) struct Queries {
    shared: Arc<Shared>,
    asking: Option<JoinHandle<()>>,
}

struct Shared {
    port: AtomicU16,
    path: String,
    /// What the answer has.
    expected: String,
    is_over: AtomicBool,
    answered: AtomicU64,
    failed: Mutex<Vec<String>>,
}

impl Queries {
    /// Begins to ask the querier at `port` for the number of `series` series of the fleet that are there now.
    pub(crate) fn start(port: u16, series: usize) -> Self {
        Self::ask_for(port, "count(fleet_0)", series)
    }

    /// Begins to ask the querier at `port` for the value of an expression, percent-encoded, which must always be `expected`.
    pub(crate) fn ask_for(port: u16, expression: &str, expected: usize) -> Self {
        let shared = Arc::new(Shared {
            port: AtomicU16::new(port),
            path: format!("/api/v1/query?query={expression}"),
            expected: format!(",\"{expected}\"]"),
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            failed: Mutex::default(),
        });
        let asking = std::thread::spawn({
            let shared = shared.clone();
            move || {
                while !shared.is_over.load(Ordering::Relaxed) {
                    shared.ask();
                    #[expect(clippy::disallowed_methods, reason = "real processes live in real time")]
                    std::thread::sleep(PAUSE);
                }
            }
        });
        Self { shared, asking: Some(asking) }
    }

    /// Asks another querier from now on; returns once no query to the one before is under way.
    pub(crate) fn move_to(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
        let answered = self.shared.answered.load(Ordering::Relaxed);
        crate::cluster::wait_until("the other querier answers", Duration::from_secs(30), || {
            (self.shared.answered.load(Ordering::Relaxed) > answered + 1).then_some(())
        });
    }

    /// How many queries were answered. Fails if one was not.
    pub(crate) fn end(mut self) -> u64 {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(asking) = self.asking.take() {
            asking.join().unwrap();
        }
        let failed = self.shared.failed.lock().unwrap();
        let answered = self.shared.answered.load(Ordering::Relaxed);
        assert!(
            failed.is_empty(),
            "{} of {answered} queries failed: {:#?}",
            failed.len(),
            &failed[..failed.len().min(5)]
        );
        answered
    }
}

impl Shared {
    fn ask(&self) {
        let answer = get(self.port.load(Ordering::Relaxed), &self.path);
        match answer {
            Some((200, body)) if body.contains(&self.expected) => {}
            other => self.failed.lock().unwrap().push(format!("{other:?}")),
        }
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}
