//! What mechanisms demand of their settings, in Prometheus' words.
// tidy: long because it is one flat list.

use model::quote;
use yaml::{At, Text};

use super::entry::Entry;
use super::urls::check_http_url;
use crate::http::BasicAuth;
use crate::url::Url;

/// Demands that a setting has a value.
fn require(entry: &Entry, at: &mut At<'_>, key: &str, message: &str) {
    if !entry.has(key) {
        at.invalid_key(key, message);
    }
}

/// The settings of the HTTP client are checked for every mechanism that has them; others need nothing.
pub(super) fn nothing(_: &mut Entry, _: &mut At<'_>) {}

pub(super) fn aws(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "role", "unknown AWS SD role \"\"");
}

pub(super) fn azure(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "subscription_id", "azure SD configuration requires a subscription_id");
    match entry.text("authentication_method") {
        "OAuth" => {
            require(entry, at, "tenant_id", "azure SD configuration requires a tenant_id");
            require(entry, at, "client_id", "azure SD configuration requires a client_id");
            require(entry, at, "client_secret", "azure SD configuration requires a client_secret");
        }
        "ManagedIdentity" | "SDK" | "WorkloadIdentity" => {}
        unknown => {
            let known = "Supported types are \"OAuth\", \"ManagedIdentity\", \"SDK\" or \"WorkloadIdentity\"";
            at.invalid_key("authentication_method", format!("unknown authentication_type {}. {known}", quote(unknown)));
        }
    }
}

pub(super) fn consul(entry: &mut Entry, at: &mut At<'_>) {
    if entry.text("server").trim().is_empty() {
        at.invalid_key("server", "consul SD configuration requires a server address");
    }
    let has_user = entry.has("username") || entry.has("password");
    let has_token = entry.has("token");
    let basic = BasicAuth {
        username: entry.text("username").to_owned(),
        password: entry.secret("password"),
        ..BasicAuth::default()
    };
    let Some(http) = entry.http() else { return };
    if has_user {
        if http.basic_auth.is_some() {
            let message =
                "at most one of consul SD configuration username and password and basic auth can be configured";
            return at.invalid_key("username", message);
        }
        http.basic_auth = Some(basic);
    }
    if has_token && (http.authorization.is_some() || http.oauth2.is_some()) {
        at.invalid_key("token", "at most one of consul SD token, authorization, or oauth2 can be configured");
    }
}

pub(super) fn digitalocean(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "role", "role missing (one of: droplets, databases)");
}

pub(super) fn dns(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "names", "DNS-SD config must contain at least one SRV record name");
    match entry.text("type").to_ascii_uppercase().as_str() {
        "SRV" => {}
        "A" | "AAAA" | "MX" | "NS" => {
            require(entry, at, "port", "a port is required in DNS-SD configs for all record types except SRV");
        }
        _ => at.invalid_key("type", format!("invalid DNS-SD records type {}", entry.text("type"))),
    }
}

pub(super) fn docker(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "host", "host missing");
    check_url(entry, at, "host", |problem| problem);
}

pub(super) fn dockerswarm(entry: &mut Entry, at: &mut At<'_>) {
    docker(entry, at);
    match entry.text("role") {
        "services" | "nodes" | "tasks" => {}
        "" => at.invalid_key("role", "role missing (one of: tasks, services, nodes)"),
        unknown => at.invalid_key("role", format!("invalid role {unknown}, expected tasks, services, or nodes")),
    }
}

pub(super) fn ec2(entry: &mut Entry, at: &mut At<'_>) {
    for (index, filter) in entry.filters("filters").iter().enumerate() {
        if filter.values.is_empty() {
            at.invalid_item("filters", index, "EC2 SD configuration filter values cannot be empty");
        }
    }
}

pub(super) fn ecs(entry: &mut Entry, at: &mut At<'_>) {
    check_concurrency(entry, at, "ecs_sd");
}

pub(super) fn elasticache(entry: &mut Entry, at: &mut At<'_>) {
    check_concurrency(entry, at, "elasticache_sd");
}

pub(super) fn msk(entry: &mut Entry, at: &mut At<'_>) {
    check_concurrency(entry, at, "msk_sd");
}

pub(super) fn rds(entry: &mut Entry, at: &mut At<'_>) {
    check_concurrency(entry, at, "rds_sd");
}

pub(super) fn eureka(entry: &mut Entry, at: &mut At<'_>) {
    if !entry.has("server") {
        return at.invalid_key("server", "eureka_sd: empty or null eureka server");
    }
    match Url::parse(entry.text("server")) {
        Ok(url) if url.scheme().is_empty() || url.host().is_empty() => {
            at.invalid_key("server", "eureka_sd: invalid eureka server URL");
        }
        Ok(_) => {}
        Err(problem) => at.invalid_key("server", problem),
    }
}

pub(super) fn gce(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "project", "GCE SD configuration requires a project");
    require(entry, at, "zone", "GCE SD configuration requires a zone");
}

pub(super) fn hetzner(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "role", "role missing (one of: robot, hcloud)");
}

pub(super) fn ionos(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "datacenter_id", "datacenter id can't be empty");
}

pub(super) fn kuma(entry: &mut Entry, at: &mut At<'_>) {
    let server = entry.text("server");
    if server.is_empty() {
        return at.invalid_key("server", "kuma SD server must not be empty: ");
    }
    match Url::parse(server) {
        Ok(url) if url.scheme().is_empty() || url.host().is_empty() => {
            at.invalid_key("server", format!("kuma SD server must not be empty and have a scheme: {server}"));
        }
        Ok(_) => {}
        Err(problem) => at.invalid_key("server", problem),
    }
}

pub(super) fn marathon(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "servers", "marathon_sd: must contain at least one Marathon server");
    let (has_token, has_file) = (entry.has("auth_token"), entry.has("auth_token_file"));
    if has_token && has_file {
        let message = "marathon_sd: at most one of auth_token & auth_token_file must be configured";
        return at.invalid_key("auth_token", message);
    }
    let key = if has_token { "auth_token" } else { "auth_token_file" };
    let Some(http) = entry.http().filter(|_| has_token || has_file) else { return };
    let others = if http.basic_auth.is_some() {
        "basic_auth, auth_token & auth_token_file"
    } else if http.has_bearer_token() {
        "bearer_token, bearer_token_file, auth_token & auth_token_file"
    } else if http.authorization.is_some() {
        "auth_token, auth_token_file & authorization"
    } else {
        return;
    };
    at.invalid_key(key, format!("marathon_sd: at most one of {others} must be configured"));
}

pub(super) fn nerve(entry: &mut Entry, at: &mut At<'_>) {
    check_zookeeper(entry, at, "nerve");
}

pub(super) fn serverset(entry: &mut Entry, at: &mut At<'_>) {
    check_zookeeper(entry, at, "serverset");
}

pub(super) fn nomad(entry: &mut Entry, at: &mut At<'_>) {
    if entry.text("server").trim().is_empty() {
        at.invalid_key("server", "nomad SD configuration requires a server address");
    }
}

pub(super) fn oci(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "region", "oci_sd: region is required");
    let others = ["tenancy", "user", "fingerprint", "key_file", "key_passphrase", "key_passphrase_file"];
    match entry.text("auth") {
        "api_key" => {
            for key in &others[..4] {
                require(entry, at, key, &format!("oci_sd: api_key auth requires {key}"));
            }
            if entry.has("key_passphrase") && entry.has("key_passphrase_file") {
                let message = "oci_sd: at most one of key_passphrase and key_passphrase_file must be configured";
                at.invalid_key("key_passphrase", message);
            }
        }
        "instance_principal" => {
            if let Some(key) = others.iter().find(|key| entry.has(key)) {
                at.invalid_key(key, "oci_sd: instance_principal auth must not have tenancy, user, fingerprint, key_file, key_passphrase, or key_passphrase_file set");
            }
        }
        unknown => {
            let known = "expected \"api_key\" or \"instance_principal\"";
            at.invalid_key("auth", format!("oci_sd: unknown auth method {}, {known}", quote(unknown)));
        }
    }
    for (index, compartment) in entry.texts("compartments").iter().enumerate() {
        if compartment.is_empty() {
            at.invalid_item("compartments", index, format!("oci_sd: compartments[{index}] must not be empty"));
        }
    }
    require(entry, at, "refresh_interval", "oci_sd: refresh_interval must be positive, got 0s");
}

pub(super) fn openstack(entry: &mut Entry, at: &mut At<'_>) {
    let availability = entry.text("availability");
    if !matches!(availability, "public" | "internal" | "admin") {
        let message = format!("unknown availability {availability}, must be one of admin, internal or public");
        at.invalid_key("availability", message);
    }
    require(entry, at, "role", "role missing (one of: instance, hypervisor, loadbalancer)");
    require(entry, at, "region", "openstack SD configuration requires a region");
}

pub(super) fn outscale(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "region", "outscale SD configuration requires a region");
    require(entry, at, "access_key", "outscale SD configuration requires access_key");
    check_secret_key(entry, at);
    if !entry.has("endpoint") {
        let endpoint = format!("https://api.{}.outscale.com/api/v1", entry.text("region"));
        entry.set_text("endpoint", endpoint);
    }
}

pub(super) fn ovhcloud(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "endpoint", "endpoint can not be empty");
    require(entry, at, "application_key", "application key can not be empty");
    require(entry, at, "application_secret", "application secret can not be empty");
    require(entry, at, "consumer_key", "consumer key can not be empty");
    let service = entry.text("service");
    if !matches!(service, "dedicated_server" | "vps") {
        at.invalid_key("service", format!("unknown service: {service}"));
    }
}

pub(super) fn puppetdb(entry: &mut Entry, at: &mut At<'_>) {
    if let Err(problem) = check_http_url(entry.text("url")) {
        at.invalid_key("url", problem);
    }
    require(entry, at, "query", "query missing");
}

pub(super) fn scaleway(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "role", "role missing (one of: instance, baremetal)");
    require(entry, at, "project_id", "project_id is mandatory");
    check_secret_key(entry, at);
    require(entry, at, "access_key", "access_key is mandatory");
}

pub(super) fn stackit(entry: &mut Entry, at: &mut At<'_>) {
    if !entry.has("endpoint") && !entry.has("region") {
        at.invalid("stackit_sd: endpoint and region missing");
    }
    let endpoint = quote(entry.text("endpoint"));
    check_url(entry, at, "endpoint", |problem| format!("stackit_sd: invalid endpoint {endpoint}: {problem}"));
}

pub(super) fn triton(entry: &mut Entry, at: &mut At<'_>) {
    if !matches!(entry.text("role"), "container" | "cn") {
        at.invalid_key("role", "triton SD configuration requires role to be 'container' or 'cn'");
    }
    require(entry, at, "account", "triton SD configuration requires an account");
    require(entry, at, "dns_suffix", "triton SD configuration requires a dns_suffix");
    require(entry, at, "endpoint", "triton SD configuration requires an endpoint");
    let message = "triton SD configuration requires RefreshInterval to be a positive integer";
    require(entry, at, "refresh_interval", message);
}

pub(super) fn uyuni(entry: &mut Entry, at: &mut At<'_>) {
    require(entry, at, "server", "Uyuni SD configuration requires server host");
    check_url(entry, at, "server", |problem| format!("Uyuni Server URL is not valid: {problem}"));
    require(entry, at, "username", "Uyuni SD configuration requires a username");
    require(entry, at, "password", "Uyuni SD configuration requires a password");
}

fn check_concurrency(entry: &Entry, at: &mut At<'_>, mechanism: &str) {
    let concurrency = entry.number("request_concurrency");
    if concurrency <= 0 {
        let message = format!("{mechanism}: request_concurrency must be positive, got {concurrency}");
        at.invalid_key("request_concurrency", message);
    }
}

fn check_secret_key(entry: &Entry, at: &mut At<'_>) {
    match (entry.has("secret_key"), entry.has("secret_key_file")) {
        (false, false) => at.invalid("one of secret_key & secret_key_file must be configured"),
        (true, true) => {
            at.invalid_key("secret_key", "at most one of secret_key & secret_key_file must be configured");
        }
        _ => {}
    }
}

fn check_url(entry: &Entry, at: &mut At<'_>, key: &str, message: impl FnOnce(String) -> String) {
    if let Err(problem) = Url::parse(entry.text(key)) {
        at.invalid_key(key, message(problem));
    }
}

fn check_zookeeper(entry: &Entry, at: &mut At<'_>, mechanism: &str) {
    let missing = format!("{mechanism} SD config must contain at least one");
    require(entry, at, "servers", &format!("{missing} Zookeeper server"));
    require(entry, at, "paths", &format!("{missing} path"));
    for (index, path) in entry.texts("paths").iter().enumerate() {
        if !path.starts_with('/') {
            at.invalid_item("paths", index, format!("{mechanism} SD config paths must begin with '/': {path}"));
        }
    }
}
