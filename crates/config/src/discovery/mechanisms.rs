//! The mechanisms that are known but not asked yet.
//!
//! Keys, their order, defaults, and what is written even if it is empty are Prometheus'.
// tidy: long because it is one flat list.

use super::checks;
use super::entry::{Kind, Mechanism, Setting};

const HTTP: Setting = Setting { key: "", kind: Kind::Http, is_always_written: false };
const TLS: Setting = Setting { key: "tls_config", kind: Kind::Tls, is_always_written: false };
const PORT_80: Setting = number("port", 80).always();
const EVERY_MINUTE: Setting = seconds("refresh_interval", 60);

const fn setting(key: &'static str, kind: Kind) -> Setting {
    Setting { key, kind, is_always_written: false }
}

const fn text(key: &'static str, default: &'static str) -> Setting {
    setting(key, Kind::Text(default))
}

const fn secret(key: &'static str) -> Setting {
    setting(key, Kind::Secret)
}

const fn path(key: &'static str) -> Setting {
    setting(key, Kind::Path)
}

const fn number(key: &'static str, default: i64) -> Setting {
    setting(key, Kind::Number(default))
}

const fn flag(key: &'static str, default: bool) -> Setting {
    setting(key, Kind::Flag(default))
}

const fn seconds(key: &'static str, default: u64) -> Setting {
    setting(key, Kind::Seconds(default))
}

const fn texts(key: &'static str) -> Setting {
    setting(key, Kind::Texts)
}

const fn filters(key: &'static str) -> Setting {
    setting(key, Kind::Filters)
}

const fn role(default: &'static str, known: &'static [&'static str], unknown: &'static str) -> Setting {
    setting("role", Kind::Choice(default, known, unknown)).always()
}

impl Setting {
    const fn always(self) -> Self {
        Self { key: self.key, kind: self.kind, is_always_written: true }
    }
}

pub(super) static MECHANISMS: [Mechanism; 33] = [
    Mechanism {
        key: "aws_sd_configs",
        go_type: "*aws.SDConfig",
        settings: &[
            role("", &["ec2", "ecs", "elasticache", "lightsail", "msk", "rds"], "unknown AWS SD role"),
            text("region", ""),
            text("endpoint", ""),
            text("access_key", ""),
            secret("secret_key"),
            text("profile", ""),
            text("role_arn", ""),
            text("external_id", ""),
            seconds("refresh_interval", 0),
            number("port", 0),
            setting("", Kind::BareHttp),
            filters("filters"),
            texts("clusters"),
        ],
        check: checks::aws,
    },
    Mechanism {
        key: "azure_sd_configs",
        go_type: "*azure.SDConfig",
        settings: &[
            text("environment", "AzurePublicCloud"),
            PORT_80,
            text("subscription_id", "").always(),
            text("tenant_id", ""),
            text("client_id", ""),
            secret("client_secret"),
            seconds("refresh_interval", 300),
            text("authentication_method", "OAuth"),
            text("resource_group", ""),
            HTTP,
        ],
        check: checks::azure,
    },
    Mechanism {
        key: "consul_sd_configs",
        go_type: "*consul.SDConfig",
        settings: &[
            text("server", "localhost:8500"),
            text("path_prefix", ""),
            secret("token"),
            text("datacenter", ""),
            text("namespace", ""),
            text("partition", ""),
            text("tag_separator", ","),
            text("scheme", "http"),
            text("username", ""),
            secret("password"),
            flag("allow_stale", true).always(),
            seconds("refresh_interval", 30),
            texts("services"),
            texts("tags"),
            setting("node_meta", Kind::TextMap),
            text("filter", ""),
            text("health_filter", ""),
            HTTP,
        ],
        check: checks::consul,
    },
    Mechanism {
        key: "digitalocean_sd_configs",
        go_type: "*digitalocean.SDConfig",
        settings: &[
            HTTP,
            EVERY_MINUTE.always(),
            PORT_80,
            role("droplets", &["droplets", "databases"], "unknown DigitalOcean SD role"),
        ],
        check: checks::digitalocean,
    },
    Mechanism {
        key: "dns_sd_configs",
        go_type: "*dns.SDConfig",
        settings: &[
            texts("names").always(),
            seconds("refresh_interval", 30),
            text("type", "SRV").always(),
            number("port", 0).always(),
        ],
        check: checks::dns,
    },
    Mechanism {
        key: "docker_sd_configs",
        go_type: "*moby.DockerSDConfig",
        settings: &[
            HTTP,
            text("host", "").always(),
            PORT_80,
            filters("filters").always(),
            text("host_networking_host", "localhost").always(),
            EVERY_MINUTE.always(),
            flag("match_first_network", true).always(),
        ],
        check: checks::docker,
    },
    Mechanism {
        key: "dockerswarm_sd_configs",
        go_type: "*moby.DockerSwarmSDConfig",
        settings: &[
            HTTP,
            text("host", "").always(),
            text("role", "").always(),
            PORT_80,
            filters("filters").always(),
            EVERY_MINUTE.always(),
        ],
        check: checks::dockerswarm,
    },
    Mechanism {
        key: "ec2_sd_configs",
        go_type: "*aws.EC2SDConfig",
        settings: &[
            text("endpoint", "").always(),
            text("region", "").always(),
            text("access_key", ""),
            secret("secret_key"),
            text("profile", ""),
            text("role_arn", ""),
            text("external_id", ""),
            EVERY_MINUTE,
            PORT_80,
            filters("filters").always(),
            HTTP,
        ],
        check: checks::ec2,
    },
    Mechanism { key: "ecs_sd_configs", go_type: "*aws.ECSSDConfig", settings: &ecs(20), check: checks::ecs },
    Mechanism {
        key: "elasticache_sd_configs",
        go_type: "*aws.ElasticacheSDConfig",
        settings: &ecs(10),
        check: checks::elasticache,
    },
    Mechanism {
        key: "eureka_sd_configs",
        go_type: "*eureka.SDConfig",
        settings: &[text("server", ""), HTTP, seconds("refresh_interval", 30)],
        check: checks::eureka,
    },
    Mechanism {
        key: "gce_sd_configs",
        go_type: "*gce.SDConfig",
        settings: &[
            text("project", "").always(),
            text("zone", "").always(),
            text("filter", ""),
            EVERY_MINUTE,
            PORT_80,
            text("tag_separator", ","),
        ],
        check: checks::gce,
    },
    Mechanism {
        key: "hetzner_sd_configs",
        go_type: "*hetzner.SDConfig",
        settings: &[
            HTTP,
            EVERY_MINUTE.always(),
            PORT_80,
            role("", &["robot", "hcloud"], "unknown role"),
            text("label_selector", ""),
        ],
        check: checks::hetzner,
    },
    Mechanism {
        key: "ionos_sd_configs",
        go_type: "*ionos.SDConfig",
        settings: &[text("datacenter_id", "").always(), HTTP, EVERY_MINUTE.always(), PORT_80],
        check: checks::ionos,
    },
    Mechanism {
        key: "kuma_sd_configs",
        go_type: "*xds.KumaSDConfig",
        settings: &[
            HTTP,
            seconds("refresh_interval", 15),
            seconds("fetch_timeout", 120),
            text("server", ""),
            text("client_id", ""),
        ],
        check: checks::kuma,
    },
    Mechanism {
        key: "lightsail_sd_configs",
        go_type: "*aws.LightsailSDConfig",
        settings: &[
            text("endpoint", "").always(),
            text("region", "").always(),
            text("access_key", ""),
            secret("secret_key"),
            text("profile", ""),
            text("role_arn", ""),
            text("external_id", ""),
            EVERY_MINUTE,
            PORT_80,
            HTTP,
        ],
        check: checks::nothing,
    },
    Mechanism {
        key: "linode_sd_configs",
        go_type: "*linode.SDConfig",
        settings: &[HTTP, EVERY_MINUTE.always(), PORT_80, text("tag_separator", ","), text("region", "")],
        check: checks::nothing,
    },
    Mechanism {
        key: "marathon_sd_configs",
        go_type: "*marathon.SDConfig",
        settings: &[
            texts("servers"),
            seconds("refresh_interval", 30),
            secret("auth_token"),
            path("auth_token_file"),
            HTTP,
        ],
        check: checks::marathon,
    },
    Mechanism { key: "msk_sd_configs", go_type: "*aws.MSKSDConfig", settings: &ecs(10), check: checks::msk },
    Mechanism {
        key: "nerve_sd_configs",
        go_type: "*zookeeper.NerveSDConfig",
        settings: &[texts("servers").always(), texts("paths").always(), seconds("timeout", 10)],
        check: checks::nerve,
    },
    Mechanism {
        key: "nomad_sd_configs",
        go_type: "*nomad.SDConfig",
        settings: &[
            flag("allow_stale", true).always(),
            HTTP,
            text("namespace", "default").always(),
            EVERY_MINUTE.always(),
            text("region", "global").always(),
            text("server", "http://localhost:4646").always(),
            text("tag_separator", ","),
        ],
        check: checks::nomad,
    },
    Mechanism {
        key: "oci_sd_configs",
        go_type: "*oci.SDConfig",
        settings: &[
            text("auth", "api_key"),
            text("tenancy", ""),
            text("user", ""),
            text("fingerprint", ""),
            path("key_file"),
            secret("key_passphrase"),
            path("key_passphrase_file"),
            text("region", "").always(),
            texts("compartments"),
            HTTP,
            PORT_80,
            EVERY_MINUTE.always(),
        ],
        check: checks::oci,
    },
    Mechanism {
        key: "openstack_sd_configs",
        go_type: "*openstack.SDConfig",
        settings: &[
            text("identity_endpoint", "").always(),
            text("username", "").always(),
            text("userid", "").always(),
            secret("password").always(),
            text("project_name", "").always(),
            text("project_id", "").always(),
            text("domain_name", "").always(),
            text("domain_id", "").always(),
            text("application_credential_name", "").always(),
            text("application_credential_id", "").always(),
            secret("application_credential_secret").always(),
            role("", &["hypervisor", "instance", "loadbalancer"], "unknown OpenStack SD role"),
            text("region", "").always(),
            EVERY_MINUTE.always(),
            PORT_80,
            flag("all_tenants", false),
            TLS,
            text("availability", "public"),
        ],
        check: checks::openstack,
    },
    Mechanism {
        key: "outscale_sd_configs",
        go_type: "*outscale.SDConfig",
        settings: &[
            text("endpoint", ""),
            text("region", "eu-west-2").always(),
            text("access_key", "").always(),
            secret("secret_key").always(),
            path("secret_key_file").always(),
            EVERY_MINUTE,
            PORT_80,
            HTTP,
        ],
        check: checks::outscale,
    },
    Mechanism {
        key: "ovhcloud_sd_configs",
        go_type: "*ovhcloud.SDConfig",
        settings: &[
            text("endpoint", "ovh-eu").always(),
            text("application_key", "").always(),
            secret("application_secret").always(),
            secret("consumer_key").always(),
            EVERY_MINUTE.always(),
            text("service", "").always(),
        ],
        check: checks::ovhcloud,
    },
    Mechanism {
        key: "puppetdb_sd_configs",
        go_type: "*puppetdb.SDConfig",
        settings: &[
            HTTP,
            EVERY_MINUTE,
            text("url", "").always(),
            text("query", "").always(),
            flag("include_parameters", false).always(),
            PORT_80,
        ],
        check: checks::puppetdb,
    },
    Mechanism {
        key: "rds_sd_configs",
        go_type: "*aws.RDSSDConfig",
        settings: &[
            text("region", "").always(),
            text("endpoint", "").always(),
            text("access_key", ""),
            secret("secret_key"),
            text("profile", ""),
            text("role_arn", ""),
            text("external_id", ""),
            texts("clusters"),
            PORT_80,
            EVERY_MINUTE,
            filters("filters").always(),
            number("request_concurrency", 10),
            HTTP,
        ],
        check: checks::rds,
    },
    Mechanism {
        key: "scaleway_sd_configs",
        go_type: "*scaleway.SDConfig",
        settings: &[
            text("project_id", "").always(),
            text("api_url", "https://api.scaleway.com"),
            text("zone", "fr-par-1").always(),
            text("access_key", "").always(),
            secret("secret_key").always(),
            path("secret_key_file").always(),
            text("name_filter", ""),
            texts("tags_filter"),
            HTTP,
            EVERY_MINUTE.always(),
            PORT_80,
            role("", &["instance", "baremetal"], "unknown role"),
        ],
        check: checks::scaleway,
    },
    Mechanism {
        key: "serverset_sd_configs",
        go_type: "*zookeeper.ServersetSDConfig",
        settings: &[texts("servers").always(), texts("paths").always(), seconds("timeout", 10)],
        check: checks::serverset,
    },
    Mechanism {
        key: "stackit_sd_configs",
        go_type: "*stackit.SDConfig",
        settings: &[
            HTTP,
            text("project", "").always(),
            EVERY_MINUTE,
            number("port", 80),
            text("region", "eu01"),
            text("endpoint", ""),
            secret("service_account_key"),
            secret("private_key"),
            text("service_account_key_path", ""),
            text("private_key_path", ""),
            text("credentials_file_path", ""),
        ],
        check: checks::stackit,
    },
    Mechanism {
        key: "triton_sd_configs",
        go_type: "*triton.SDConfig",
        settings: &[
            text("account", "").always(),
            text("role", "container").always(),
            text("dns_suffix", "").always(),
            text("endpoint", "").always(),
            texts("groups"),
            number("port", 9163).always(),
            EVERY_MINUTE,
            TLS,
            number("version", 1).always(),
        ],
        check: checks::triton,
    },
    Mechanism {
        key: "uyuni_sd_configs",
        go_type: "*uyuni.SDConfig",
        settings: &[
            text("server", "").always(),
            text("username", "").always(),
            secret("password").always(),
            HTTP,
            text("entitlement", "monitoring_entitled"),
            text("separator", ","),
            EVERY_MINUTE,
        ],
        check: checks::uyuni,
    },
    Mechanism {
        key: "vultr_sd_configs",
        go_type: "*vultr.SDConfig",
        settings: &[HTTP, EVERY_MINUTE.always(), PORT_80],
        check: checks::nothing,
    },
];

/// The settings that three of Amazon's services share; `concurrency` is how many requests to make at once.
const fn ecs(concurrency: i64) -> [Setting; 12] {
    [
        text("region", "").always(),
        text("endpoint", "").always(),
        text("access_key", ""),
        secret("secret_key"),
        text("profile", ""),
        text("role_arn", ""),
        text("external_id", ""),
        texts("clusters"),
        PORT_80,
        EVERY_MINUTE,
        number("request_concurrency", concurrency),
        HTTP,
    ]
}
