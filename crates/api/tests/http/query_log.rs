//! What is said of queries: while they run, and in the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use api::ApiConfig;

use crate::server::{Process, Server, Watch, block_on};

#[test]
fn evaluated_queries_are_logged() {
    let watch = Arc::new(Watch::default());
    let process = Process { watch: Some(watch.clone()), ..Process::default() };
    let server = Server::new(process, ApiConfig::default());
    block_on(server.get("/api/v1/query?query=1%2B%221%22"));
    assert_eq!(watch.lines.lock().unwrap().len(), 0, "what is no query is not evaluated");
    block_on(server.get("/api/v1/query?query=vector(1)&time=60"));
    block_on(server.get("/api/v1/query_range?query=up+*+on(a)+group_left+up&start=60&end=120.5&step=15"));
    assert_eq!(watch.running.load(Ordering::Relaxed), 0);
    assert_eq!(*watch.began.lock().unwrap(), ["vector(1)", "up * on(a) group_left up"]);

    let lines = watch.lines.lock().unwrap();
    let read = |at: usize| serde_json::from_slice::<serde_json::Value>(&lines[at]).unwrap();
    assert!(lines.iter().all(|line| line.ends_with(b"\n")));
    let instant = read(0);
    assert_eq!(instant["time"], "1970-01-01T00:10:00Z");
    let params = r#"{"end":"1970-01-01T00:01:00Z","query":"vector(1)","start":"1970-01-01T00:01:00Z","step":0}"#;
    assert_eq!(instant["params"].to_string(), params);
    assert!(instant["stats"]["timings"]["execTotalTime"].is_number());
    assert_eq!(instant["tenant"], "anonymous");
    let range = read(1);
    assert_eq!((&range["params"]["end"], &range["params"]["step"]), (&"1970-01-01T00:02:00.5Z".into(), &15.into()));
}
