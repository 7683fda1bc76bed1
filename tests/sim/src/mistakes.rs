//! Mistakes on purpose: of the hardware, and of the code, to know that each would be noticed.

use raftlog::Write;

/// A mistake. Those of the code are only made in a build with the feature `mistakes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake(&'static str);

/// What a log device can do wrong.
const HARDWARE: [&str; 5] = [
    "report writes before they are synced",
    "report votes before they are synced",
    "report entries before they are synced",
    "forget truncations",
    "forget votes",
];

/// What code can do wrong: the names that it asks [`stdx::makes_mistake`] for.
#[cfg(feature = "mistakes")]
const CODE: &[&str] = &[
    "acknowledge before the commit",
    "adopt without ticks",
    "apply in another order",
    "apply twice",
    "believe in the last leader",
    "call what a former leader committed all",
    "close on hearsay",
    "drop before the catalog knows",
    "drop by an old catalog",
    "forget what was promised",
    "forget who was to join",
    "found again",
    "give before the adoption",
    "give without a fence",
    "lead on after a restart",
    "leave changes of members half done",
    "list blocks without a condition",
    "mistake a tick for the one before",
    "purge before the snapshot is there",
    "read no blocks",
    "read without a quorum",
    "read without the index",
    "refuse before birth",
    "save all files but the last",
    "skip entries on followers",
    "take a late pulse for a young one",
    "take a tick twice",
    "take unknown for stored",
    "take what was given away",
];
#[cfg(not(feature = "mistakes"))]
const CODE: &[&str] = &[];

impl Mistake {
    /// None at all.
    pub const NONE: Self = Self("");

    /// All that this build can make.
    pub fn all() -> impl Iterator<Item = Self> {
        HARDWARE.iter().chain(CODE).copied().map(Self)
    }

    /// The one of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|mistake| mistake.0 == name)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Has the code of this thread make it.
    pub(crate) fn begin(self) {
        #[cfg(feature = "mistakes")]
        stdx::make_mistake(self.0);
    }

    pub(crate) fn reports_before_sync(self, write: &Write) -> bool {
        match self.0 {
            "report writes before they are synced" => true,
            "report votes before they are synced" => matches!(write, Write::Vote { .. }),
            "report entries before they are synced" => matches!(write, Write::Append { .. }),
            _ => false,
        }
    }

    pub(crate) fn forgets(self, write: &Write) -> bool {
        match self.0 {
            "forget truncations" => matches!(write, Write::Truncate { .. }),
            "forget votes" => matches!(write, Write::Vote { .. }),
            _ => false,
        }
    }
}
