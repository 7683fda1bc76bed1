//! From mechanisms to their discoverer.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use telemetry::Counter;
use tokio::sync::Notify;

use crate::discoverer::Discovered;
use crate::group::TargetGroup;

/// Which of a discoverer's mechanisms, those that have ended included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MechanismId(pub(crate) u64);

/// What the mechanisms of one discoverer know at the moment.
#[derive(Debug, Default)]
pub(crate) struct Board {
    known: Mutex<Known>,
    pub(crate) changed: Notify,
}

/// What one mechanism has found.
type BySource = BTreeMap<String, Arc<TargetGroup>>;

#[derive(Debug, Default)]
struct Known {
    /// The mechanisms that run, in the order of their settings, with their groups by source; `None`: it has said nothing yet.
    mechanisms: Vec<(MechanismId, Option<BySource>)>,
}

impl Board {
    /// Keeps the groups of these mechanisms, in this order, and of no others.
    pub(crate) fn set_mechanisms(&self, ids: &[MechanismId]) {
        let mut known = self.known.lock();
        let mut before: BTreeMap<_, _> = std::mem::take(&mut known.mechanisms).into_iter().collect();
        known.mechanisms = ids.iter().map(|id| (*id, before.remove(id).unwrap_or_default())).collect();
        self.changed.notify_one();
    }

    /// All groups in order.
    pub(crate) fn discovered(&self) -> Discovered {
        let known = self.known.lock();
        let groups = known.mechanisms.iter().flat_map(|(_, groups)| groups.iter().flat_map(BTreeMap::values).cloned());
        Discovered {
            groups: groups.collect(),
            is_complete: known.mechanisms.iter().all(|(_, groups)| groups.is_some()),
        }
    }
}

/// Takes what a mechanism finds.
#[derive(Clone, Debug)]
pub struct Updates {
    board: Arc<Board>,
    id: MechanismId,
    received: Counter,
}

impl Updates {
    pub(crate) fn new(board: Arc<Board>, id: MechanismId, received: Counter) -> Self {
        Self { board, id, received }
    }

    /// Puts groups in the place of those with the same sources; one without targets just removes the other. Groups that
    /// are not mentioned stay. Never waits.
    pub fn send(&self, groups: Vec<TargetGroup>) {
        self.received.inc();
        let mut known = self.board.known.lock();
        // A mechanism that was just stopped may have one last thing to say, which no longer counts.
        let Some((_, current)) = known.mechanisms.iter_mut().find(|(id, _)| *id == self.id) else { return };
        let mut has_changed = current.is_none();
        let current = current.get_or_insert_default();
        for group in groups {
            if group.targets.is_empty() {
                has_changed |= current.remove(&group.source).is_some();
            } else if current.get(&group.source).is_none_or(|before| **before != group) {
                current.insert(group.source.clone(), Arc::new(group));
                has_changed = true;
            }
        }
        if has_changed {
            self.board.changed.notify_one();
        }
    }
}
