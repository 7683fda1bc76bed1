//! What a process says of itself on `/metrics`.

use anyhow::Context;
use bench_query::system::System;
use http_client::HttpClient;

use crate::cluster::get;

/// The metrics of a process at one moment.
pub(crate) struct Page(String);

impl Page {
    pub(crate) async fn of(client: &HttpClient, system: &System) -> anyhow::Result<Self> {
        let body = get(client, &format!("{}/metrics", system.url)).await?;
        Ok(Self(String::from_utf8(body)?))
    }

    /// The sum of all series of a metric.
    pub(crate) fn sum(&self, name: &str) -> anyhow::Result<f64> {
        let samples: Vec<f64> = self.0.lines().filter_map(|line| value(line, name)).collect();
        (!samples.is_empty()).then(|| samples.iter().sum()).with_context(|| format!("there is no {name}"))
    }
}

fn value(line: &str, name: &str) -> Option<f64> {
    let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
    rest.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_series_of_a_metric_are_added() {
        let page = Page("# TYPE a gauge\na 1\na_b 2\nc{d=\"a b\"} 3\nc{d=\"e\"} 4.5\n".to_owned());
        assert_eq!((page.sum("a").unwrap(), page.sum("c").unwrap()), (1.0, 7.5));
        assert!(page.sum("b").is_err());
    }
}
