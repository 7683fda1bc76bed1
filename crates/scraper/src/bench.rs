//! What benchmarks need of the crate's inside. Nothing else may use it.

use std::time::Duration;

use exposition::{Format, Options};
use model::{Labels, TargetId, TenantId};
use proto::entry::{Outcome, Record};

use crate::job::Job;
use crate::page::{Page, Pages, Report, Settled, Stamp, Tools};
use crate::shipment::{Header, Shipment};
use crate::target::Target;

/// A target whose pages become records, on the way that scrape loops take.
pub struct Pipeline {
    job: Job,
    target: Target,
    pages: Pages,
    tools: Tools,
    tick_ms: i64,
}

impl Pipeline {
    /// A target that was never scraped.
    pub fn new() -> Self {
        let target = Target {
            id: TargetId(7),
            labels: Labels::from_pairs([("job", "node"), ("instance", "10.1.2.3:9100")]),
            discovered: Labels::empty(),
            url: String::new(),
            unix_socket: None,
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            options: Options::default(),
        };
        Self { job: Job::new("node"), target, pages: Pages::default(), tools: Tools::new(1), tick_ms: 0 }
    }

    /// Makes the next page be read by the full parser.
    pub fn forget_shape(&mut self) {
        self.pages.forget_shape();
    }

    /// The records of a page, as they are handed to the distributor. They count as stored.
    pub fn records(&mut self, body: &[u8]) -> Vec<Record> {
        self.tick_ms += 15_000;
        let stamp = Stamp { tick_ms: self.tick_ms, timestamp_ms: self.tick_ms, wall_ms: self.tick_ms };
        let page = Page { body, format: Format::Text, job: &self.job, target: &self.target };
        let report = |counts, health| Report {
            health,
            duration_seconds: 0.012_345,
            counts,
            timeout_seconds: 10.0,
            sample_limit: 0,
            body_size: body.len() as i64,
        };
        let (rows, _, _) = self.pages.rows(page, stamp, &mut self.tools, report);
        let header =
            Header { tenant: TenantId::default(), target: self.target.id, owner_epoch: 1, interval_ms: 15_000, stamp };
        let shipments = Shipment::rows(&header, rows);
        let records = (0..).zip(shipments).map(|(part, shipment)| {
            let (record, settled) = shipment.into_parts();
            self.pages.settle(part, &Settled { outcome: Some(Outcome::Stored), ..settled });
            record
        });
        records.collect()
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new()
    }
}
