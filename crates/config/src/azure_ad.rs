//! How remote write says who it is to Azure.

use yaml::{At, record};

use crate::values::Secret;

record! {
    /// How remote write says who it is to Azure: in exactly one of five ways.
    pub struct AzureAd: plain "azuread.AzureADConfig", check = validate {
        /// As an identity that Azure manages.
        pub managed_identity: Option<ManagedIdentity>,
        /// As a workload of a Kubernetes cluster.
        pub workload_identity: Option<WorkloadIdentity>,
        /// With a secret.
        pub oauth: Option<OAuth>,
        /// As Azure's SDK finds out.
        pub sdk: Option<Sdk>,
        /// With a certificate.
        pub certificate: Option<Certificate>,
        /// Which of Azure's clouds.
        pub cloud: String,
        /// What the token shall be good for.
        pub scope: String,
    }
}

record! {
    /// An identity that Azure manages.
    pub struct ManagedIdentity: "azuread.ManagedIdentityConfig" {
        /// Which one, if there are several.
        pub client_id: String,
    }
}

record! {
    /// A workload of a Kubernetes cluster.
    pub struct WorkloadIdentity: "azuread.WorkloadIdentityConfig" {
        /// Which application.
        pub client_id: String,
        /// Whose application.
        pub tenant_id: String,
        /// The file with the workload's token.
        pub token_file_path: String,
    }
}

record! {
    /// An application with a secret.
    pub struct OAuth: "azuread.OAuthConfig" {
        /// Which application.
        pub client_id: String,
        /// Its secret.
        pub client_secret: Secret,
        /// Whose application.
        pub tenant_id: String,
    }
}

record! {
    /// What Azure's SDK finds out.
    pub struct Sdk: "azuread.SDKConfig" {
        /// Whose application.
        pub tenant_id: String,
    }
}

record! {
    /// An application with a certificate.
    pub struct Certificate: "azuread.CertificateConfig" {
        /// Which application.
        pub client_id: String,
        /// Whose application.
        pub tenant_id: String,
        /// The file with the certificate.
        pub certificate_path: String,
        /// The file with its key, if that is another.
        pub certificate_key_path: String,
        /// The password of the file.
        pub certificate_password: Secret,
        /// Whether the whole chain of certificates is sent.
        pub send_certificate_chain: bool,
    }
}

const DEFAULT_CLOUD: &str = "AzurePublic";
/// Where Kubernetes puts a workload's token.
const DEFAULT_TOKEN_FILE: &str = "/var/run/secrets/azure/tokens/azure-identity-token";

impl AzureAd {
    fn validate(&mut self, at: &mut At<'_>) {
        if self.cloud.is_empty() {
            self.cloud = DEFAULT_CLOUD.to_owned();
        }
        if !matches!(self.cloud.as_str(), DEFAULT_CLOUD | "AzureChina" | "AzureGovernment") {
            at.invalid_key("cloud", "must provide a cloud in the Azure AD config");
        }
        let ways = [
            self.managed_identity.is_some(),
            self.workload_identity.is_some(),
            self.oauth.is_some(),
            self.sdk.is_some(),
            self.certificate.is_some(),
        ];
        match ways.iter().filter(|is_given| **is_given).count() {
            0 => at.invalid("must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, Azure Certificate or Azure SDK in the Azure AD config"),
            1 => self.check_way(at),
            _ => at.invalid("cannot provide multiple authentication methods in the Azure AD config"),
        }
        let is_scope = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "_:/.-".contains(c);
        if !self.scope.chars().all(is_scope) {
            at.invalid_key("scope", "the provided scope contains invalid characters");
        }
    }

    fn check_way(&mut self, at: &mut At<'_>) {
        if let Some(identity) = &self.managed_identity {
            let check = Fields { key: "managed_identity", name: "Managed Identity" };
            check.is_uuid_or_empty(at, "client_id", &identity.client_id);
        }
        if let Some(identity) = &mut self.workload_identity {
            let check = Fields { key: "workload_identity", name: "Workload Identity" };
            check.is_there(at, "client_id", &identity.client_id);
            check.is_there(at, "tenant_id", &identity.tenant_id);
            check.is_uuid_or_empty(at, "client_id", &identity.client_id);
            check.is_uuid_or_empty(at, "tenant_id", &identity.tenant_id);
            if identity.token_file_path.is_empty() {
                identity.token_file_path = DEFAULT_TOKEN_FILE.to_owned();
            }
        }
        if let Some(oauth) = &self.oauth {
            let check = Fields { key: "oauth", name: "OAuth" };
            check.is_there(at, "client_id", &oauth.client_id);
            check.is_there(at, "client_secret", oauth.client_secret.reveal());
            check.is_there(at, "tenant_id", &oauth.tenant_id);
            check.is_uuid_or_empty(at, "client_id", &oauth.client_id);
        }
        if let Some(certificate) = &self.certificate {
            let check = Fields { key: "certificate", name: "Certificate" };
            check.is_there(at, "client_id", &certificate.client_id);
            check.is_there(at, "tenant_id", &certificate.tenant_id);
            check.is_there(at, "certificate_path", &certificate.certificate_path);
            check.is_uuid_or_empty(at, "client_id", &certificate.client_id);
        }
    }
}

/// Checks the settings of one way.
struct Fields {
    key: &'static str,
    name: &'static str,
}

impl Fields {
    fn is_there(&self, at: &mut At<'_>, key: &str, value: &str) {
        if value.is_empty() {
            let message = format!("must provide an Azure {} {key} in the Azure AD config", self.name);
            at.in_key(self.key, |at| at.invalid_key(key, message));
        }
    }

    fn is_uuid_or_empty(&self, at: &mut At<'_>, key: &str, value: &str) {
        if !value.is_empty() && !is_uuid(value) {
            let message = format!("the provided Azure {} {key} is invalid", self.name);
            at.in_key(self.key, |at| at.invalid_key(key, message));
        }
    }
}

/// Whether a text is a UUID in one of the forms that Go's `uuid.Parse` takes.
fn is_uuid(text: &str) -> bool {
    let bare = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let bare = bare.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(bare);
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<_> = bare.split('-').map(str::len).collect();
    bare.split('-').all(is_hex) && (lengths == [8, 4, 4, 4, 12] || lengths == [32])
}
