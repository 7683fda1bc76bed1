//! Our engine, over series in memory.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use engine::{Engine, QueryRequest, QueryTimes, Severity};
use promqltest::{MemoryBackend, MemoryStorage, Script, settings};
use stdx::{Clock, CpuPool};
use tokio::runtime::{self, Runtime};

use crate::{Mode, Outcome};

/// Our engine, and the series that it is asked about.
#[derive(Debug)]
pub struct Ours {
    runtime: Runtime,
    storage: Arc<MemoryStorage>,
    /// By delayed name removal, and type and unit labels.
    engines: BTreeMap<(bool, bool), Engine>,
}

/// The limit of a server, which the oracle has as well.
const MAX_SAMPLES: u64 = 50_000_000;

impl Ours {
    /// No series yet.
    ///
    /// # Errors
    /// If the runtime cannot be had from the operating system.
    pub fn new() -> std::io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, storage: Arc::default(), engines: BTreeMap::new() })
    }

    /// Replaces all series by those of `load` commands.
    ///
    /// # Errors
    /// If it is no such script, in words.
    pub fn load(&mut self, script: &str) -> Result<(), String> {
        let script = Script::parse(script).map_err(|error| error.to_string())?;
        let mut backend = MemoryBackend::default();
        let report = self.runtime.block_on(script.run(&mut backend));
        if let Some(failure) = report.failures.first() {
            return Err(failure.to_string());
        }
        self.storage = backend.storage();
        Ok(())
    }

    /// Asks. A panic is an answer, too: one that no oracle gives.
    pub fn ask(&mut self, query: &str, times: QueryTimes, mode: Mode) -> Outcome {
        let engine = self.engine(mode);
        let storage = Arc::clone(&self.storage);
        let lookback = Some(Duration::from_millis(mode.lookback_ms));
        let request = match times {
            QueryTimes::Instant(at) => QueryRequest::instant(query, at),
            QueryTimes::Range { start, end, step } => QueryRequest::range(query, start, end, step),
        };
        let request = QueryRequest { lookback, ..request };
        let asked = AssertUnwindSafe(|| self.runtime.block_on(answer(&engine, request, storage)));
        catch_unwind(asked).unwrap_or_else(|_| Outcome::Failed("PANIC".to_owned()))
    }

    fn engine(&mut self, mode: Mode) -> Engine {
        let kind = (mode.delayed_name_removal, mode.type_and_unit_labels);
        let make = || {
            let mut options = settings();
            options.max_samples = MAX_SAMPLES;
            (options.features.delayed_name_removal, options.features.type_and_unit_labels) = kind;
            Engine::new(options, Clock::system(), CpuPool::inline())
        };
        self.engines.entry(kind).or_insert_with(make).clone()
    }
}

async fn answer(engine: &Engine, request: QueryRequest, storage: Arc<MemoryStorage>) -> Outcome {
    let query = match engine.prepare(request) {
        Ok(query) => query,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match engine.run(query, storage).await {
        Err(error) => Outcome::Failed(error.to_string()),
        Ok(result) => {
            let texts = |severity| {
                let of_severity = result.annotations.iter().filter(|annotation| annotation.severity == severity);
                let mut texts: Vec<String> = of_severity.map(|annotation| annotation.text.clone()).collect();
                texts.sort_unstable();
                texts
            };
            let (warnings, infos) = (texts(Severity::Warning), texts(Severity::Info));
            Outcome::Answered { value: result.value, warnings, infos }
        }
    }
}
