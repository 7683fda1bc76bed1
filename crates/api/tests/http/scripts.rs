//! Prometheus' acceptance tests, asked over HTTP: an answer in JSON says what the engine says.

use std::sync::Arc;

use api::ApiConfig;
use engine::Engine;
use futures::future::BoxFuture;
use promqltest::{Compared, HttpServer, LoadedSeries, MemoryStorage, Script, settings};
use serde_json::Value as Json;
use stdx::{Clock, CpuPool};

use crate::server::{Process, Server, block_on};

/// A server over series in memory.
struct InMemory {
    engine: Engine,
    storage: MemoryStorage,
    server: Server,
}

impl InMemory {
    fn new() -> Self {
        let engine = Engine::new(settings(), Clock::system(), CpuPool::inline());
        let server = Server::with_engine(Process::default(), ApiConfig::default(), engine.clone());
        Self { engine, storage: MemoryStorage::default(), server }
    }

    fn show(&mut self) {
        let process = Process { storage: Arc::new(self.storage.clone()), ..Process::default() };
        self.server = Server::with_engine(process, ApiConfig::default(), self.engine.clone());
    }
}

impl HttpServer for InMemory {
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>> {
        self.storage = MemoryStorage::default();
        self.show();
        Box::pin(async { Ok(()) })
    }

    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>> {
        for LoadedSeries { labels, samples } in series {
            self.storage.add(labels, samples);
        }
        self.show();
        Box::pin(async { Ok(()) })
    }

    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Json, String>> {
        Box::pin(async { serde_json::from_str(&self.server.get(path).await.body).map_err(|error| error.to_string()) })
    }
}

#[test]
fn json_says_what_the_engine_says() {
    let (mut passed, mut failures) = (0, Vec::new());
    for path in testkit::shared_files("conformance/promqltest", ".test") {
        let script = Script::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let report = block_on(script.run(&mut Compared::new(settings(), InMemory::new())));
        passed += report.passed;
        // What the engine itself gets wrong is not looked at here.
        let failed = report.failures.iter().map(ToString::to_string).filter(|failure| failure.contains("HTTP: "));
        failures.extend(failed.map(|failure| format!("{}: {failure}", path.display())));
    }
    println!("evaluations asked over HTTP: {passed} passed, {} failed", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
