//! What goes wrong in a universe, and when: made from a seed, and nothing else.

use std::fmt;
use std::time::Duration;

use stdx::Rng;

/// A fault with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// When it begins, after the start.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it is.
    pub fault: Fault,
}

/// Something that goes wrong. Machines are numbered from 0.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Fault {
    /// The process of a machine ends; it is started again afterwards. Silent: nobody is told, as if the power went.
    Crash { machine: usize, silent: bool },
    /// All machines lose power at once.
    Blackout,
    /// These machines are cut off from all others; with `one_way` they hear, and are not heard.
    Partition { machines: Vec<usize>, one_way: bool },
    /// These two can't speak with each other, and both can with everybody else.
    Split { machines: [usize; 2] },
    /// All links of a machine are slow; with `one_way` only what it hears from the other ones is late, and whoever asks it is
    /// answered at once.
    Slow { machine: usize, one_way: bool, delay: Duration },
    /// All connections of a machine are reset.
    Reset { machine: usize },
    /// The clock of a machine jumps, and back again afterwards.
    ClockJump { machine: usize, by_ms: i64 },
    /// Nothing fits on the disk of a machine any more.
    DiskFull { machine: usize },
    /// Syncs of a machine fail; its process is ended afterwards.
    SyncError { machine: usize },
    /// The bucket is out of reach.
    BucketDown,
    /// So many of 100 operations of the bucket go wrong.
    BucketFaults { percent: u64 },
    /// A node is emptied, and taken back afterwards.
    Drain { machine: usize },
    /// A machine loses its disk for ever, and comes back as another node.
    Wipe { machine: usize },
    /// A machine loses power, and bits of its files turn over while it is off.
    Rot { machine: usize },
    /// An operator has the slot of a target moved to a shard.
    MoveSlot { target: u32, shard: u32 },
}

/// All that is decided beforehand.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The seed of everything.
    pub seed: u64,
    /// How many ingesters there are.
    pub machines: usize,
    /// For how long faults come, and writes.
    pub lasts: Duration,
    /// The slowest sync.
    pub sync_latency: Duration,
    /// The slowest link, as long as nothing is wrong.
    pub net_latency: Duration,
    /// For how long shards keep what is in the bucket.
    pub local_retention: Duration,
    /// What goes wrong.
    pub faults: Vec<Planned>,
}

/// The shortest pause between the ends and beginnings of faults: room for an election.
const CALM: Duration = Duration::from_secs(3);
/// How many targets there are, and how many shards.
pub(crate) const TARGETS: u32 = 5;
pub(crate) const SHARDS: u32 = 3;

impl Planned {
    /// Whether a machine loses what it has synced.
    fn loses_data(&self) -> bool {
        matches!(self.fault, Fault::Wipe { .. } | Fault::Rot { .. })
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn from_seed(seed: u64) -> Self {
        let rng = Rng::from_seed(seed);
        let machines = if rng.below(4) == 0 { 4 } else { 3 };
        let lasts = Duration::from_secs(30 + rng.below(40));
        let mut faults = Vec::new();
        for _ in 0..1 + rng.below(6) {
            let at = rng.duration(Duration::from_secs(2), lasts - CALM);
            let lasts = rng.duration(Duration::from_millis(50), Duration::from_secs(1 + rng.below(15)));
            let fault = Fault::any(&rng, machines);
            faults.push(Planned { at: whole_ms(at), lasts: whole_ms(lasts), fault });
        }
        // Where a node of three is emptied, two replicas are left of each shard: none of them may be lost.
        let spares = machines > 3 || !faults.iter().any(|planned| matches!(planned.fault, Fault::Drain { .. }));
        if spares && rng.below(2) == 0 {
            let at = rng.duration(Duration::from_secs(2), lasts - CALM);
            let machine = rng.below(machines as u64) as usize;
            let fault = if rng.below(2) == 0 { Fault::Wipe { machine } } else { Fault::Rot { machine } };
            // One at most: what was acknowledged is on two disks at least, as long as no new replica has it.
            faults.push(Planned { at: whole_ms(at), lasts: whole_ms(rng.duration(CALM / 30, 5 * CALM)), fault });
        }
        faults.sort_by_key(|planned| planned.at);
        one_wrong_clock_at_a_time(&mut faults);
        let sync_latency = Duration::from_millis(rng.below(30));
        let net_latency = Duration::from_micros(100 + rng.below(5000));
        for _ in 0..rng.below(5) {
            let at = rng.duration(Duration::from_secs(2), lasts - CALM);
            let (target, shard) = (rng.below(TARGETS.into()) as u32, 1 + rng.below(SHARDS.into()) as u32);
            faults.push(Planned { at: whole_ms(at), lasts: CALM, fault: Fault::MoveSlot { target, shard } });
        }
        faults.extend(Self::moves_in_a_bad_net(&rng, machines, lasts, &faults));
        one_spare_at_a_time(&mut faults);
        faults.extend(Self::second_thoughts(&rng, &faults));
        faults.sort_by_key(|planned| planned.at);
        let local_retention = Duration::from_secs([0, 1, 3, 10, 20][rng.below(5) as usize]);
        Self { seed, machines, lasts, sync_latency, net_latency, local_retention, faults }
    }

    /// In some universes: replicas come and go while some machines have not heard of it.
    fn moves_in_a_bad_net(rng: &Rng, machines: usize, lasts: Duration, others: &[Planned]) -> Vec<Planned> {
        let mut faults = Vec::new();
        if rng.below(3) != 0 {
            return faults;
        }
        let mut plan = |fault: Fault| {
            let at = rng.duration(Duration::from_secs(2), lasts - CALM);
            let lasts = rng.duration(Duration::from_secs(1), Duration::from_secs(20));
            faults.push(Planned { at: whole_ms(at), lasts: whole_ms(lasts), fault });
        };
        let machine = || rng.below(machines as u64) as usize;
        if machines > 3 || !others.iter().any(Planned::loses_data) {
            plan(Fault::Drain { machine: machine() });
        }
        for _ in 0..1 + rng.below(3) {
            let one = machine();
            plan(Fault::Split { machines: [one, (one + 1 + rng.below(machines as u64 - 1) as usize) % machines] });
        }
        faults
    }

    /// Some nodes that were emptied and taken back are emptied once more before they have their replicas again.
    fn second_thoughts(rng: &Rng, others: &[Planned]) -> Vec<Planned> {
        let drains = others.iter().filter(|planned| matches!(planned.fault, Fault::Drain { .. }));
        let again = drains.filter(|_| rng.below(2) == 0).map(|first| {
            let pause = rng.duration(Duration::ZERO, Duration::from_secs(2));
            Planned { at: whole_ms(first.at + first.lasts + pause), ..first.clone() }
        });
        again.collect()
    }

    /// The same without one of the faults.
    pub fn without(&self, index: usize) -> Self {
        let mut plan = self.clone();
        plan.faults.remove(index);
        plan
    }

    /// Only these of the faults, by their numbers.
    pub fn only(&self, numbers: &[usize]) -> Self {
        let faults = numbers.iter().filter_map(|number| self.faults.get(*number).cloned()).collect();
        Self { faults, ..self.clone() }
    }
}

/// The cluster goes by the middle of its ingesters' clocks, so that no more than a minority may be wrong: a clock that
/// jumps while another machine's is wrong becomes another jump of that machine's.
fn one_wrong_clock_at_a_time(faults: &mut [Planned]) {
    let mut wrong: Option<(usize, Duration)> = None;
    for planned in faults {
        let ends = planned.at + planned.lasts;
        let Fault::ClockJump { machine, .. } = &mut planned.fault else { continue };
        match &mut wrong {
            Some((other, until)) if planned.at <= *until + CALM => {
                *machine = *other;
                *until = ends.max(*until);
            }
            _ => wrong = Some((*machine, ends)),
        }
    }
}

/// Where two nodes of four are emptied, two replicas are left of each shard. Where data are lost as well, it is always the same
/// node that is emptied.
fn one_spare_at_a_time(faults: &mut [Planned]) {
    if !faults.iter().any(Planned::loses_data) {
        return;
    }
    let mut spare = None;
    for planned in faults {
        if let Fault::Drain { machine } = &mut planned.fault {
            *machine = *spare.get_or_insert(*machine);
        }
    }
}

fn whole_ms(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis() as u64)
}

impl Fault {
    fn any(rng: &Rng, machines: usize) -> Self {
        let machine = rng.below(machines as u64) as usize;
        match rng.below(24) {
            0..=5 => Self::Crash { machine, silent: rng.below(2) == 0 },
            6..=7 => Self::Blackout,
            8..=12 => {
                let mut machines: Vec<usize> = vec![machine];
                if rng.below(3) == 0 {
                    machines.push((machine + 1) % 3);
                }
                Self::Partition { machines, one_way: rng.below(3) == 0 }
            }
            13..=14 => {
                let delay = Duration::from_millis(50 + rng.below(1500));
                Self::Slow { machine, one_way: rng.below(2) == 0, delay }
            }
            15..=16 => Self::Reset { machine },
            17..=18 => {
                let far = rng.below(2) == 0;
                let size = if far { 3_600_000 } else { 5_000 };
                let by_ms = rng.below(2 * size) as i64 - size as i64;
                Self::ClockJump { machine, by_ms }
            }
            19 => Self::DiskFull { machine },
            20 => Self::SyncError { machine },
            21 => Self::BucketDown,
            22 => Self::BucketFaults { percent: 10 + rng.below(60) },
            _ => Self::Drain { machine },
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [at, lasts] = [self.at, self.lasts].map(|time| time.as_secs_f64());
        write!(f, "{at:.3} s, for {lasts:.3} s: {:?}", self.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_plan_and_seeds_differ() {
        assert_eq!(Plan::from_seed(7), Plan::from_seed(7));
        let kinds: std::collections::BTreeSet<_> = (0..200)
            .flat_map(|seed| Plan::from_seed(seed).faults)
            .map(|planned| std::mem::discriminant(&planned.fault))
            .map(|kind| format!("{kind:?}"))
            .collect();
        assert_eq!(kinds.len(), 15, "every kind of fault comes");
    }
}
