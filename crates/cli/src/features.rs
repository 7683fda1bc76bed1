//! What a process can do beside the API and the language, in the categories of `/api/v1/features`.

use std::collections::BTreeMap;

use api::Features;

use crate::flags::ServerFlags;

/// Whether each thing that Prometheus names can be done here.
pub(crate) fn features(flags: &ServerFlags) -> Features {
    let exemplars = flags.enables("exemplar-storage");
    let starts = flags.enables("st-storage");
    let types = flags.enables("type-and-unit-labels");
    [
        category("otlp_receiver", [("delta_conversion", false), ("native_delta_ingestion", false)]),
        category(
            "prometheus",
            // How Go keeps labels in memory is nothing to be able to.
            [("agent_mode", false), ("auto_reload_config", false), ("server_mode", true), ("stringlabels", false)],
        ),
        category("rules", [("concurrent_rule_eval", false), ("keep_firing_for", false), ("query_offset", false)]),
        category(
            "scrape",
            [
                ("extra_scrape_metrics", true),
                ("start_timestamp_zero_ingestion", false),
                ("type_and_unit_labels", types),
            ],
        ),
        category("service_discovery_providers", PROVIDERS.map(|name| (name, OWN_PROVIDERS.contains(&name)))),
        category("templating_functions", TEMPLATE_FUNCTIONS.map(|name| (name, false))),
        category(
            "tsdb",
            [
                ("delayed_compaction", false),
                ("exemplar_storage", exemplars),
                ("histograms_st_encoding", starts),
                // A query reads one view of each shard, which never changes.
                ("isolation", true),
                ("native_histograms", true),
                ("st_storage", starts),
                ("use_uncached_io", false),
                ("xor2_encoding", false),
            ],
        ),
        category("ui", [("ui_v2", false), ("ui_v3", false)]),
    ]
    .into()
}

fn category(name: &str, features: impl IntoIterator<Item = (&'static str, bool)>) -> (String, BTreeMap<String, bool>) {
    (name.to_owned(), features.into_iter().map(|(name, is_on)| (name.to_owned(), is_on)).collect())
}

/// The mechanisms of discovery that work here. The configuration knows the others, and says that they do not.
const OWN_PROVIDERS: [&str; 3] = ["file", "http", "static"];

const PROVIDERS: [&str; 37] = [
    "aws",
    "azure",
    "consul",
    "digitalocean",
    "dns",
    "docker",
    "dockerswarm",
    "ec2",
    "ecs",
    "elasticache",
    "eureka",
    "file",
    "gce",
    "hetzner",
    "http",
    "ionos",
    "kubernetes",
    "kuma",
    "lightsail",
    "linode",
    "marathon",
    "msk",
    "nerve",
    "nomad",
    "oci",
    "openstack",
    "outscale",
    "ovhcloud",
    "puppetdb",
    "rds",
    "scaleway",
    "serverset",
    "stackit",
    "static",
    "triton",
    "uyuni",
    "vultr",
];

/// The functions of templates in rules, which nothing evaluates yet.
const TEMPLATE_FUNCTIONS: [&str; 29] = [
    "args",
    "externalURL",
    "first",
    "graphLink",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "label",
    "match",
    "now",
    "parseDuration",
    "pathPrefix",
    "query",
    "reReplaceAll",
    "safeHtml",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "value",
];

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::flags::Cli;

    #[test]
    fn every_name_of_prometheus_is_there() {
        let Some(golden) = testkit::read_shared("conformance/http_api/features.json") else { return };
        let golden: Features = serde_json::from_str(&golden).expect("the document is one of features");
        let ours = features(&Cli::parse_from(["ringwood"]).server);
        for (category, names) in
            golden.iter().filter(|(category, _)| *category != "api" && !category.starts_with("promql"))
        {
            let names_of = |features: &BTreeMap<String, bool>| features.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names_of(&ours[category]), names_of(names), "{category}");
        }
    }
}
