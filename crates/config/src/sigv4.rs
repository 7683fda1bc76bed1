//! How requests are signed for AWS.

use std::collections::BTreeMap;

use model::quote;
use yaml::{At, record};

use crate::values::Secret;

record! {
    /// How requests are signed for AWS. What is empty comes from AWS' usual chain of credentials.
    pub struct SigV4: plain "sigv4.SigV4Config", check = validate {
        /// The region.
        pub region: String,
        /// The key's name.
        pub access_key: String,
        /// The key.
        pub secret_key: Secret,
        /// The profile of a credentials file.
        pub profile: String,
        /// The role to take.
        pub role_arn: String,
        /// What proves to the role's owner that it is us.
        pub external_id: String,
        /// The name of the session with that role.
        pub session_name: String,
        /// The tags of that session.
        pub tags: BTreeMap<String, String>,
        /// Whether the role is asked for at a FIPS endpoint.
        pub use_fips_sts_endpoint: bool,
        /// The service that requests are signed for.
        pub service_name: String,
    }
}

impl SigV4 {
    fn validate(&mut self, at: &mut At<'_>) {
        if self.access_key.is_empty() != self.secret_key.is_empty() {
            at.invalid(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config",
            );
        }
        let has_role = !self.role_arn.is_empty();
        for (key, is_given) in [
            ("external_id", !self.external_id.is_empty()),
            ("session_name", !self.session_name.is_empty()),
            ("tags", !self.tags.is_empty()),
        ] {
            if is_given && !has_role {
                at.invalid_key(key, format!("{key} can only be used with role_arn"));
            }
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let is_session_name = (2..=64).contains(&self.session_name.len()) && self.session_name.chars().all(is_name);
        if !self.session_name.is_empty() && !is_session_name {
            let message = "session_name must match ^[\\w+=,.@-]{2,64}$ (2-64 alphanumeric and +=,.@- characters)";
            at.invalid_key("session_name", message);
        }
        for (key, value) in &self.tags {
            let problem = if key.is_empty() {
                "tag key must not be empty".to_owned()
            } else if key.len() > 128 {
                format!("tag key {} exceeds maximum length of 128", quote(key))
            } else if value.len() > 256 {
                format!("tag value for key {} exceeds maximum length of 256", quote(key))
            } else {
                continue;
            };
            at.in_key("tags", |at| at.invalid_key(key, problem));
        }
    }
}
