//! All stores keep the contract.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use bucket::{Bucket, BucketConfig, BucketError, ErrorKind, contract};
use stdx::{Clock, Rng};
use telemetry::Registry;
use tempfile::TempDir;

use crate::s3::{ACCESS_KEY, RealServer, SECRET_KEY, Server};

pub(crate) fn open(config: BucketConfig) -> Result<Bucket, BucketError> {
    Bucket::open(config, Clock::system(), &Rng::from_seed(1), &Registry::new())
}

pub(crate) fn config(url: &str) -> BucketConfig {
    BucketConfig { part_bytes: 5 << 20, ..BucketConfig::new(url) }
}

fn s3_config(address: SocketAddr) -> BucketConfig {
    let mut config = config("s3://bucket/some/prefix");
    let settings = [
        ("aws_endpoint", format!("http://{address}")),
        ("aws_region", "us-east-1".to_owned()),
        ("aws_access_key_id", ACCESS_KEY.to_owned()),
        ("aws_secret_access_key", SECRET_KEY.to_owned()),
    ];
    config.settings.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    config
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    contract::run(&open(config("memory://")).unwrap()).await;
}

#[tokio::test]
async fn folders_keep_the_contract() {
    let folder = TempDir::new().unwrap();
    let url = format!("file://{}", folder.path().join("not/there").display());
    contract::run(&open(config(&url)).unwrap()).await;
}

#[tokio::test]
async fn a_small_s3_keeps_the_contract_without_races() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("bucket")).unwrap();
    let server = Server::start(folder.path()).await;
    // It looks whether there is an object, and then writes one: two may do so at once.
    contract::run_without_races(&open(s3_config(server.address)).unwrap()).await;
}

#[tokio::test]
async fn a_real_s3_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("bucket")).unwrap();
    if let Some(server) = RealServer::start(folder.path()).await {
        contract::run(&open(s3_config(server.address)).unwrap()).await;
    }
}

#[tokio::test]
async fn wrong_credentials_are_rejected_at_once() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("bucket")).unwrap();
    let server = Server::start(folder.path()).await;
    let mut config = s3_config(server.address);
    config.settings.insert("aws_secret_access_key".to_owned(), "another".to_owned());
    let error = open(config).unwrap().size("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    assert_eq!(error.to_string(), "head \"x\" in s3://bucket/some/prefix: rejected");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_unavailable() {
    let mut config = s3_config(SocketAddr::from(([127, 0, 0, 1], 1)));
    (config.attempt_timeout, config.deadline) = (Duration::from_secs(1), Duration::from_millis(500));
    let error = open(config).unwrap().create("x", "y".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn settings_that_make_no_sense_are_rejected() {
    let mut odd = config("s3://bucket");
    odd.settings.insert("aws_colour".to_owned(), "blue".to_owned());
    for config in [odd, config("ftp://x"), config("nothing")] {
        let error = open(config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
    }
    let mut secret = config("s3://bucket");
    secret.settings.insert("aws_secret_access_key".to_owned(), "hush".to_owned());
    assert!(!format!("{secret:?}").contains("hush"));
}
