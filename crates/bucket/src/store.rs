//! The stores that there are.

use std::fs;
use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};

use crate::config::{BucketConfig, folder_of};
use crate::error::Failure;
use crate::folder::Folder;

/// Requests that failed on the way are repeated this often below the tries of a [`Bucket`](crate::Bucket): parts of an
/// upload cannot be repeated from above.
const RETRIES_BELOW: usize = 2;

/// The store that a URL names, and the folder if it is one.
pub(crate) fn open(config: &BucketConfig) -> Result<(Arc<dyn ObjectStore>, Option<Folder>), Failure> {
    if let Some(folder) = folder_of(&config.url) {
        let files = open_folder(folder)?;
        return Ok((files.clone(), Some(Folder::new(files))));
    }
    Ok((open_remote(config)?, None))
}

fn open_remote(config: &BucketConfig) -> Result<Arc<dyn ObjectStore>, Failure> {
    let Some((scheme, rest)) = config.url.split_once("://") else {
        return Err(Failure::Setting(format!("{:?} is no URL", config.url)));
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    match scheme {
        "memory" => Ok(Arc::new(InMemory::new())),
        "s3" => {
            let builder = with_settings(AmazonS3Builder::from_env(), config, AmazonS3Builder::with_config)?;
            below(builder.with_bucket_name(name).with_retry(retries(config)).build()?, prefix)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env();
            let builder = with_settings(builder, config, GoogleCloudStorageBuilder::with_config)?;
            below(builder.with_bucket_name(name).with_retry(retries(config)).build()?, prefix)
        }
        "az" => {
            let builder = MicrosoftAzureBuilder::from_env();
            let builder = with_settings(builder, config, MicrosoftAzureBuilder::with_config)?;
            below(builder.with_container_name(name).with_retry(retries(config)).build()?, prefix)
        }
        _ => Err(Failure::Setting(format!("no store is called {scheme:?}"))),
    }
}

/// Blocks must outlive a loss of power: files are synced.
fn open_folder(folder: &std::path::Path) -> Result<Arc<LocalFileSystem>, Failure> {
    let not_there = |error| Failure::Setting(format!("folder {folder:?}: {error}"));
    fs::create_dir_all(folder).map_err(not_there)?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)))
}

fn retries(config: &BucketConfig) -> RetryConfig {
    RetryConfig { max_retries: RETRIES_BELOW, retry_timeout: config.attempt_timeout, ..RetryConfig::default() }
}

/// Applies the settings, first of all those that are ours.
fn with_settings<B, K: FromStr>(
    builder: B,
    config: &BucketConfig,
    set: impl Fn(B, K, String) -> B,
) -> Result<B, Failure> {
    install_crypto();
    let mut settings = vec![("timeout", format!("{}s", config.attempt_timeout.as_secs().max(1)))];
    let is_plain = |(name, value): (&String, &String)| name.ends_with("endpoint") && value.starts_with("http://");
    if config.settings.iter().any(is_plain) {
        settings.push(("allow_http", "true".to_owned()));
    }
    settings.extend(config.settings.iter().map(|(name, value)| (&**name, value.clone())));
    let mut settings = settings.into_iter();
    settings.try_fold(builder, |builder, (name, value)| match name.to_ascii_lowercase().parse() {
        Ok(key) => Ok(set(builder, key, value)),
        Err(_) => Err(Failure::Setting(format!("no setting is called {name:?}"))),
    })
}

/// The HTTP client asks rustls for the cryptography that the process has chosen. Whoever chose before us is left alone.
fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn below(store: impl ObjectStore, prefix: &str) -> Result<Arc<dyn ObjectStore>, Failure> {
    let prefix = Path::parse(prefix).map_err(object_store::Error::from)?;
    if prefix.as_ref().is_empty() {
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}
