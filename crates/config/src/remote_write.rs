//! Whom samples are sent to.

use std::collections::BTreeMap;
use std::time::Duration;

use model::NameScheme;
use yaml::{At, record};

use crate::azure_ad::AzureAd;
use crate::http::HttpSettings;
use crate::relabel::{RelabelRule, validate_rules};
use crate::sigv4::SigV4;
use crate::url::Url;

record! {
    /// Someone whom samples are sent to.
    pub struct RemoteWrite: plain "*config.RemoteWriteConfig", check = check_own {
        /// The receiver.
        pub url: Option<Url> => always,
        /// How long a request may take.
        pub remote_timeout: Duration = Duration::from_secs(30),
        /// Headers of each request.
        pub headers: BTreeMap<String, String>,
        /// Rules for samples.
        pub write_relabel_configs: Vec<RelabelRule>,
        /// A name for logs and metrics; unique unless empty.
        pub name: String,
        /// Whether exemplars are sent.
        pub send_exemplars: bool,
        /// Whether native histograms are sent.
        pub send_native_histograms: bool,
        /// Whether all addresses of the receiver's name get their share.
        pub round_robin_dns: bool,
        /// The message: `prometheus.WriteRequest` or `io.prometheus.write.v2.Request`.
        pub protobuf_message: String = WRITE_V1.to_owned(),
        /// Whether requests that fail are logged.
        pub failed_request_logging: bool,
        /// How to talk to the receiver.
        pub http: HttpSettings = HttpSettings { enable_http2: false, ..HttpSettings::default() } => inline,
        /// What waits to be sent.
        pub queue_config: Queue,
        /// When metadata are sent.
        pub metadata_config: SendMetadata,
        /// How to sign requests for AWS.
        pub sigv4: Option<SigV4>,
        /// How to say who we are to Azure.
        pub azuread: Option<AzureAd>,
        /// How to say who we are to Google.
        pub google_iam: Option<GoogleIam>,
    }
}

record! {
    /// What waits to be sent, and when it is.
    pub struct Queue: "config.QueueConfig" {
        /// How many samples may wait in each queue.
        pub capacity: i64 = 10_000,
        /// How many queues there may be.
        pub max_shards: i64 = 50,
        /// How many there are at least.
        pub min_shards: i64 = 1,
        /// How many samples a request holds.
        pub max_samples_per_send: i64 = 2000,
        /// How long a sample waits for others.
        pub batch_send_deadline: Duration = Duration::from_secs(5),
        /// How long to wait after the first failure.
        pub min_backoff: Duration = Duration::from_millis(30),
        /// How long to wait at most.
        pub max_backoff: Duration = Duration::from_secs(5),
        /// Whether to send again what was refused for coming too fast.
        pub retry_on_http_429: bool,
        /// How old a sample may be; 0 for any age.
        pub sample_age_limit: Duration,
    }
}

record! {
    /// When metadata are sent.
    pub struct SendMetadata: "config.MetadataConfig" {
        /// Whether they are.
        pub send: bool = true => always,
        /// How often.
        pub send_interval: Duration = Duration::from_secs(60) => always,
        /// How many a request holds.
        pub max_samples_per_send: i64 = 2000,
    }
}

record! {
    /// How to say who we are to Google.
    pub struct GoogleIam: "googleiam.Config" {
        /// The file that says it; without one, what Google's libraries find.
        pub credentials_file: String,
    }
}

const WRITE_V1: &str = "prometheus.WriteRequest";
const WRITE_V2: &str = "io.prometheus.write.v2.Request";

impl RemoteWrite {
    fn check_own(&mut self, at: &mut At<'_>) {
        if self.url.is_none() {
            at.invalid_key("url", "url for remote_write is empty");
        }
        check_headers(
            &self.headers,
            "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter",
            at,
        );
        if !matches!(self.protobuf_message.as_str(), WRITE_V1 | WRITE_V2) {
            let message = format!(
                "invalid protobuf_message value: unknown type for remote write protobuf message {}, supported: {WRITE_V1}, {WRITE_V2}",
                self.protobuf_message
            );
            at.invalid_key("protobuf_message", message);
        }
        self.http.validate(at);
        if let Err((key, message)) = self.queue_config.validate() {
            at.in_key("queue_config", |at| at.invalid_key(key, message));
        }
        self.check_authentication(at);
    }

    fn check_authentication(&self, at: &mut At<'_>) {
        let ways = [
            ("basic_auth", self.http.basic_auth.is_some()),
            ("authorization", self.http.authorization.is_some()),
            ("oauth2", self.http.oauth2.is_some()),
            ("sigv4", self.sigv4.is_some()),
            ("azuread", self.azuread.is_some()),
            ("google_iam", self.google_iam.is_some()),
        ];
        let given: Vec<_> = ways.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| *key).collect();
        if given.len() > 1 {
            at.invalid(format!("at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. Currently configured: [{}]", given.join(" ")));
        }
    }

    /// Checks the rules, once it is known which names are valid.
    pub(crate) fn complete(&self, names: NameScheme, at: &mut At<'_>) {
        let null = "empty or null relabeling rule in remote write config";
        validate_rules(&self.write_relabel_configs, "write_relabel_configs", names, null, at);
    }
}

impl Queue {
    fn validate(&self) -> Result<(), (&'static str, &'static str)> {
        if self.max_shards <= 0 {
            Err(("max_shards", "remote write queue max_shards must be positive"))
        } else if self.min_shards <= 0 {
            Err(("min_shards", "remote write queue min_shards must be positive"))
        } else if self.min_shards > self.max_shards {
            Err(("min_shards", "remote write queue min_shards must not be greater than max_shards"))
        } else if self.max_samples_per_send <= 0 {
            Err(("max_samples_per_send", "remote write queue max_samples_per_send must be positive"))
        } else if self.capacity <= 0 {
            Err(("capacity", "remote write queue capacity must be positive"))
        } else if self.max_backoff < self.min_backoff {
            Err(("max_backoff", "remote write queue max_backoff must not be less than min_backoff"))
        } else {
            Ok(())
        }
    }
}

/// Headers that the protocol or the connection sets, in small letters.
const RESERVED_HEADERS: [&str; 16] = [
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// Checks the `headers` of the mapping `at`. What is said about `authorization` differs.
pub(crate) fn check_headers(headers: &BTreeMap<String, String>, authorization: &str, at: &mut At<'_>) {
    for header in headers.keys() {
        let lower = header.to_ascii_lowercase();
        let message = if lower == "authorization" {
            authorization.to_owned()
        } else if RESERVED_HEADERS.contains(&lower.as_str()) {
            format!("{header} is a reserved header. It must not be changed")
        } else {
            continue;
        };
        at.in_key("headers", |at| at.invalid_key(header, message));
    }
}
