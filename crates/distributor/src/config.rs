//! What a distributor is bound by.

use std::time::Duration;

use stdx::ByteSize;

/// What a distributor is bound by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How much memory records may take in all, waiting or on their way.
    pub buffer: ByteSize,
    /// How large a batch may become. A larger record travels alone.
    pub batch: ByteSize,
    /// How long the first record of a batch waits for company.
    pub linger: Duration,
    /// How long a batch may take to be answered before its outcome counts as unknown and it is sent again.
    pub deadline: Duration,
    /// After how long a record that could not be sent is no longer news.
    pub backlog_after: Duration,
}

impl Config {
    /// About ten minutes of 100,000 samples a second, at 3 bytes each in records of 800.
    pub const BUFFER: ByteSize = ByteSize::mib(256);
    /// What a leader makes an entry of.
    pub const BATCH: ByteSize = ByteSize::kib(256);
    /// Short beside the 20 ms for which a leader waits: it costs no freshness.
    pub const LINGER: Duration = Duration::from_millis(5);
    /// Well above an election with its fsyncs, well below the shortest sensible scrape interval.
    pub const DEADLINE: Duration = Duration::from_secs(2);
    /// Longer than a change of leaders takes, so that it does not turn rows of one target around.
    pub const BACKLOG_AFTER: Duration = Duration::from_secs(10);
}

impl Default for Config {
    fn default() -> Self {
        Self {
            buffer: Self::BUFFER,
            batch: Self::BATCH,
            linger: Self::LINGER,
            deadline: Self::DEADLINE,
            backlog_after: Self::BACKLOG_AFTER,
        }
    }
}
