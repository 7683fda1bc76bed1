//! The times of a group.

use std::time::Duration;

/// How many entries logs usually keep of those that a snapshot has as well.
pub const LOG_TAIL: u64 = 256;

/// How fast a group notices that its leader is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A leader lets its followers hear from it this often.
    pub heartbeat: Duration,
    /// A follower that hears nothing for this long, up to twice as long, stands for election.
    ///
    /// It must stay well above the longest stall of an fsync: a leader that can't write can't lead.
    pub election_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(200), election_timeout: Duration::from_millis(800) }
    }
}

impl Timing {
    /// openraft's configuration. Logs keep `log_tail` entries that their snapshot has as well.
    pub(crate) fn to_openraft(self, log_tail: u64) -> openraft::Config {
        let heartbeat = self.heartbeat.as_millis() as u64;
        let election = self.election_timeout.as_millis() as u64;
        openraft::Config {
            cluster_name: "ringwood".to_owned(),
            heartbeat_interval: heartbeat,
            // An append that was acknowledged a moment ago proves as much as a heartbeat.
            heartbeat_min_interval: Some(heartbeat / 2),
            election_timeout_min: election,
            election_timeout_max: election * 2,
            // Size limits a message, not the number of entries: see raftlog's reads.
            max_payload_entries: 4096,
            // Snapshots are taken when the log has grown by so many bytes, which openraft does not count.
            snapshot_policy: openraft::SnapshotPolicy::Never,
            // A snapshot costs a follower only the files it lacks, so nothing is kept for those that are far behind.
            replication_lag_threshold: 20_000,
            max_in_snapshot_log_to_keep: log_tail,
            install_snapshot_timeout: Duration::from_secs(600).as_millis() as u64,
            enable_pre_vote: Some(true),
            ..openraft::Config::default()
        }
    }
}
