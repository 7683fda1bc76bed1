//! Targets in Kubernetes.

use model::quote;
use yaml::{At, Text, as_text, record};

use crate::http::HttpSettings;
use crate::url::Url;
use crate::values::FilePath;

record! {
    /// Targets in Kubernetes: one for each object of a role, or for each of its ports.
    pub struct KubernetesSd: plain "*kubernetes.SDConfig", check = validate {
        /// The API server; empty for that of the cluster we run in.
        pub api_server: Url,
        /// What becomes targets.
        pub role: Role => always,
        /// The file that says how to reach the API server.
        pub kubeconfig_file: FilePath => always,
        /// How to talk to the API server.
        pub http: HttpSettings => inline,
        /// Where to look; everywhere if it names no namespace.
        pub namespaces: Namespaces,
        /// Which objects to look at.
        pub selectors: Vec<Selector>,
        /// What targets also tell about objects around them.
        pub attach_metadata: AttachMetadata,
    }
}

record! {
    /// Which namespaces to look at.
    pub struct Namespaces: plain "kubernetes.NamespaceDiscovery" {
        /// Whether to look at the one we run in.
        pub own_namespace: bool => always,
        /// Others.
        pub names: Vec<String> => always,
    }
}

record! {
    /// Which objects of a role to look at.
    pub struct Selector: "kubernetes.SelectorConfig" {
        /// The role.
        pub role: Role,
        /// A selector of labels, in Kubernetes' own language.
        pub label: String,
        /// A selector of fields, in Kubernetes' own language.
        pub field: String,
    }
}

record! {
    /// What targets also tell about objects around them.
    pub struct AttachMetadata: "kubernetes.AttachMetadataConfig" {
        /// About the node they run on.
        pub node: bool => always,
        /// About their namespace.
        pub namespace: bool => always,
        /// About the deployment they belong to.
        pub deployment: bool => always,
        /// About the job they belong to.
        pub job: bool => always,
        /// About the cron job they belong to.
        pub cronjob: bool => always,
    }
}

/// A kind of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// None: never in a valid configuration, but in selectors.
    #[default]
    Unset,
    /// Nodes.
    Node,
    /// Pods.
    Pod,
    /// Services.
    Service,
    /// Endpoints, the old way.
    Endpoints,
    /// Endpoints.
    EndpointSlice,
    /// Ingresses.
    Ingress,
}

const ROLES: [(&str, Role); 6] = [
    ("node", Role::Node),
    ("pod", Role::Pod),
    ("service", Role::Service),
    ("endpoints", Role::Endpoints),
    ("endpointslice", Role::EndpointSlice),
    ("ingress", Role::Ingress),
];

impl Role {
    /// The roles whose objects can be selected when this one's become targets, in the order of messages.
    fn selectable(self) -> &'static [Self] {
        match self {
            Self::Pod => &[Self::Pod, Self::Node],
            Self::Endpoints => &[Self::Pod, Self::Service, Self::Endpoints],
            Self::EndpointSlice => &[Self::Pod, Self::Service, Self::EndpointSlice],
            Self::Service => &[Self::Service],
            Self::Node => &[Self::Node],
            Self::Ingress => &[Self::Ingress],
            Self::Unset => &[],
        }
    }
}

impl Text for Role {
    fn parse(text: &str) -> Result<Self, String> {
        let found = ROLES.iter().find(|(name, _)| *name == text);
        found.map(|(_, role)| *role).ok_or_else(|| format!("unknown Kubernetes SD role {}", quote(text)))
    }

    fn print(&self) -> String {
        let found = ROLES.iter().find(|(_, role)| role == self);
        found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }

    fn empty() -> Self {
        Self::Unset
    }
}

as_text!(Role);

impl KubernetesSd {
    fn validate(&mut self, at: &mut At<'_>) {
        if self.role == Role::Unset {
            at.invalid("role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
            return;
        }
        self.http.validate(at);
        self.check_access(at);
        self.check_selectors(at);
    }

    /// Checks that there is one way to reach the API server.
    fn check_access(&self, at: &mut At<'_>) {
        let has_server = !self.api_server.is_empty();
        let has_kubeconfig = !self.kubeconfig_file.is_empty();
        let has_own_http = self.http != HttpSettings::default();
        let own_namespace = self.namespaces.own_namespace;
        if has_server && has_kubeconfig {
            at.invalid_key("kubeconfig_file", "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
        } else if has_kubeconfig && has_own_http {
            let message = "cannot use a custom HTTP client configuration together with 'kubeconfig_file'";
            at.invalid_key("kubeconfig_file", message);
        } else if !has_server && has_own_http {
            at.invalid("to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
        } else if has_server && own_namespace {
            at.invalid_key("api_server", "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
        } else if has_kubeconfig && own_namespace {
            let message = "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously";
            at.invalid_key("kubeconfig_file", message);
        }
    }

    fn check_selectors(&self, at: &mut At<'_>) {
        let selectable = self.role.selectable();
        for (index, selector) in self.selectors.iter().enumerate() {
            let problem = if self.selectors[..index].iter().any(|earlier| earlier.role == selector.role) {
                Some(format!("duplicated selector role: {}", selector.role.print()))
            } else if !selectable.contains(&selector.role) {
                let names: Vec<_> = selectable.iter().map(Role::print).collect();
                Some(format!("{} role supports only {} selectors", self.role.print(), names.join(", ")))
            } else {
                check_field_selector(&selector.field).err()
            };
            if let Some(problem) = problem {
                at.invalid_item("selectors", index, problem);
            }
        }
    }
}

/// Checks a selector of fields: `a=b`, `a==b` or `a!=b`, separated by commas. Selectors of labels are left to the API server,
/// whose language they are.
fn check_field_selector(selector: &str) -> Result<(), String> {
    let mut terms = selector.split(',').filter(|term| !term.is_empty());
    match terms.find(|term| !term.contains('=')) {
        Some(term) => Err(format!("invalid selector: '{selector}'; can't understand '{term}'")),
        None => Ok(()),
    }
}
