//! The URL under which others reach this process.

use http::Uri;
use http::uri::{Authority, Scheme};

/// The URL under which others reach this process, and the port on which it listens.
#[derive(Clone, Debug)]
pub(crate) struct ExternalUrl {
    scheme: Scheme,
    authority: Authority,
    own_port: u16,
}

impl ExternalUrl {
    /// Reads an absolute URL.
    pub(crate) fn new(url: &str, own_port: u16) -> Result<Self, String> {
        let parts = url.parse::<Uri>().map_err(|error| format!("{url:?} is no URL: {error}"))?.into_parts();
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority)) => Ok(Self { scheme, authority, own_port }),
            _ => Err(format!("{url:?} has no scheme or no host, as in http://metrics.example.com/")),
        }
    }

    /// The URL of a target for a reader elsewhere, as Prometheus has it: a target on this machine gets this machine's name,
    /// and if it is this very process, its scheme and port too.
    pub(crate) fn seen_from_outside(&self, target: &str) -> String {
        self.moved(target).unwrap_or_else(|| target.to_owned())
    }

    fn moved(&self, target: &str) -> Option<String> {
        let uri: Uri = target.parse().ok()?;
        let port = uri.port_u16()?;
        if !matches!(uri.host()?, "127.0.0.1" | "localhost" | "[::1]") {
            return None;
        }
        let mut parts = uri.into_parts();
        if port == self.own_port {
            parts.scheme = Some(self.scheme.clone());
            parts.authority = Some(self.authority.clone());
        } else {
            parts.authority = Some(format!("{}:{port}", self.authority.host()).parse().ok()?);
        }
        Some(Uri::from_parts(parts).ok()?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_on_this_machine_get_its_name() {
        let external = ExternalUrl::new("https://metrics.example.com/ringwood", 9090).unwrap();
        let seen = |target| external.seen_from_outside(target);
        assert_eq!(seen("http://localhost:9090/metrics"), "https://metrics.example.com/metrics");
        assert_eq!(seen("http://127.0.0.1:9100/metrics?a=b"), "http://metrics.example.com:9100/metrics?a=b");
        assert_eq!(seen("http://[::1]:9100/"), "http://metrics.example.com:9100/");
        assert_eq!(seen("http://db-1:9100/metrics"), "http://db-1:9100/metrics");
        assert_eq!(seen("http://localhost/metrics"), "http://localhost/metrics");
        assert!(ExternalUrl::new("metrics", 9090).is_err());
        assert!(ExternalUrl::new("http://[", 9090).is_err());
    }
}
