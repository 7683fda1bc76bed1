//! What older versions have left behind is read.
//!
//! `data/level-1.tar.gz` is the data folder of a process of commit 587a2ae that was killed: identity, Raft log, snapshots, segments,
//! meta with its catalog, blocks in the bucket. Whatever format is to change, this must be read for ever. With it comes what that
//! process answered when it was asked for all of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use processes::free_ports;
use serde_json::Value;

use crate::cluster::{binary, wait_until};
use crate::http::{get, get_json};

/// All samples up to just after the last one.
const QUERY: &str = "/api/v1/query?query=%7Bof=%22level-1%22,__name__=~%22golden_(total%7Cvalue)%22%7D%5B30m%5D&time=";
const TIME: &str = "1795311597";

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_data_of_a_node_of_level_1_are_read() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cluster/data/level-1.tar.gz");
    let folder = tempfile::tempdir().unwrap();
    let unpacked = Command::new("tar").arg("-xzf").arg(kept).current_dir(folder.path()).status();
    assert!(unpacked.unwrap().success());
    let config = folder.path().join("prometheus.yml");
    std::fs::write(&config, "scrape_configs: []\n").unwrap();
    let port = free_ports(1)[0];
    let server = Command::new(binary())
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--log.level=warn")
        .stdout(Stdio::null())
        .spawn();
    let _server = Server(server.unwrap());
    wait_until("it is ready", Duration::from_secs(60), || get(port, "/-/ready").filter(|(status, _)| *status == 200));
    let expected: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("level-1.json")).unwrap()).unwrap();
    let read = get_json(port, &format!("{QUERY}{TIME}")).unwrap();
    let (expected, read) = (series_of(&expected), series_of(&read));
    assert_eq!(expected.len(), 4);
    assert_eq!(read, expected);
}

/// The series of an answer, in the order of their labels.
fn series_of(answer: &Value) -> Vec<String> {
    let mut series: Vec<String> = answer["data"]["result"].as_array().unwrap().iter().map(Value::to_string).collect();
    series.sort();
    series
}
