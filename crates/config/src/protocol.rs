//! The formats that targets are asked for.

/// A format of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScrapeProtocol {
    /// Protocol buffers: the only one that carries native histograms whole.
    PrometheusProto,
    /// Prometheus' text format.
    PrometheusText0_0_4,
    /// Prometheus' text format with names of any characters.
    PrometheusText1_0_0,
    /// OpenMetrics text before its standard.
    OpenMetricsText0_0_1,
    /// OpenMetrics text.
    OpenMetricsText1_0_0,
}

/// The names in configurations, in the order in which messages list them.
const NAMES: [(&str, ScrapeProtocol); 5] = [
    ("OpenMetricsText0.0.1", ScrapeProtocol::OpenMetricsText0_0_1),
    ("OpenMetricsText1.0.0", ScrapeProtocol::OpenMetricsText1_0_0),
    ("PrometheusProto", ScrapeProtocol::PrometheusProto),
    ("PrometheusText0.0.4", ScrapeProtocol::PrometheusText0_0_4),
    ("PrometheusText1.0.0", ScrapeProtocol::PrometheusText1_0_0),
];

/// What targets are asked for where nothing else is said.
pub(crate) const DEFAULT_PROTOCOLS: [&str; 4] =
    ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"];
/// What is asked for first if native histograms are wanted.
pub(crate) const NATIVE_PROTOCOL: &str = "PrometheusProto";

impl ScrapeProtocol {
    /// The protocol of this name, in exactly these letters.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, protocol)| *protocol)
    }
}

/// Checks a list of protocols: there are some, each is known, none is repeated.
pub(crate) fn check_protocols(names: &[String]) -> Result<(), String> {
    if names.is_empty() {
        return Err("scrape_protocols cannot be empty".to_owned());
    }
    for (at, name) in names.iter().enumerate() {
        if names[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err(format!("duplicated protocol in scrape_protocols, got [{}]", names.join(" ")));
        }
        check_protocol(name).map_err(|problem| format!("scrape_protocols: {problem}"))?;
    }
    Ok(())
}

/// Checks that a protocol is known.
pub(crate) fn check_protocol(name: &str) -> Result<(), String> {
    if ScrapeProtocol::from_name(name).is_some() {
        return Ok(());
    }
    let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
    Err(format!("unknown scrape protocol {name}, supported: [{}]", known.join(" ")))
}
