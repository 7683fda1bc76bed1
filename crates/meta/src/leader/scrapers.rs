//! Who scrapes: leases, and how far a change of owners has come.

use std::collections::BTreeMap;

use proto::meta;
use proto::meta::command::Command;
use tokio::time::Instant;

use super::{LEASE, Leader, Lease};
use crate::feature::level_of;
use crate::state::ClusterState;

impl Leader {
    /// Notes that a scraper lives.
    pub(crate) fn renew(&self, request: &meta::LeaseRequest) {
        let lease = Lease {
            at: self.clock.now(),
            incarnation: request.incarnation,
            targets: request.targets,
            acting_epoch: request.acting_epoch,
            feature_level: level_of(request.feature_level),
        };
        self.heard.lock().leases.insert(request.name.clone(), lease);
    }

    /// Forgets a scraper that left.
    pub(crate) fn forget(&self, name: &str) {
        self.heard.lock().leases.remove(name);
    }

    pub(crate) fn leases(&self) -> BTreeMap<String, Lease> {
        self.heard.lock().leases.clone()
    }

    /// The version of the membership up to which everything that has changed hands is scraped by whom it came to: the newest one
    /// that was the newest when all scrapers of it had acted by it. `None`: some scraper can't say how far it is.
    ///
    /// A version that is not the newest any more does not count, even if all say that they are further: what it gave to somebody
    /// may have gone on to somebody else, who has not begun, before it was taken up.
    pub(crate) fn settle(&self, state: &ClusterState) -> Option<u64> {
        let mut heard = self.heard.lock();
        let mut is_settled = true;
        for (name, member) in state.scrapers.iter().filter(|(_, member)| !member.is_leaving) {
            match heard.leases.get(name).filter(|lease| lease.incarnation == member.incarnation) {
                Some(lease) => is_settled &= lease.acting_epoch? >= state.scraper_epoch,
                // It was not heard of since this node leads.
                None => is_settled = false,
            }
        }
        if is_settled {
            heard.settled_epoch = heard.settled_epoch.max(state.scraper_epoch);
        }
        Some(heard.settled_epoch)
    }

    /// Lets those scrapers go that were silent for longer than a lease. A new leader gives everyone a full one.
    pub(super) async fn expire_leases(&self, state: &ClusterState, since: Instant) {
        let now = self.clock.now();
        for (name, member) in state.scrapers.iter() {
            let heard =
                self.heard.lock().leases.get(name).filter(|lease| lease.incarnation == member.incarnation).cloned();
            let last = heard.map_or(since, |lease| lease.at.max(since));
            if now.duration_since(last) > LEASE {
                let leave = meta::LeaveRequest { name: name.clone(), incarnation: member.incarnation };
                if self.try_propose(Command::ScraperLeave(leave)).await {
                    tracing::info!(scraper = name, "its lease ran out");
                }
            }
        }
    }
}
