//! Nets, disks and clocks that fail under real processes.
//!
//! One blow after the other falls on one ingester; the others go on, and afterwards everything acknowledged is there. `make chaos
//! ROUNDS=50` goes on for long.

use std::path::PathBuf;
use std::time::Duration;

use stdx::Rng;

use crate::chaos::number;
use crate::cluster::{Cluster, Options, wait_until};
use crate::fleet::Fleet;
use crate::flips::files_below;
use crate::journal::check;
use crate::net::{Link, Net, SmallDisk, enter};

const TARGETS: usize = 24;
const MACHINES: usize = 3;
/// For how many scrapes of all targets, one a second, a blow lasts at least and at most.
const LASTS: [u64; 2] = [2, 8];
const SMALL_DISK: &str = "64m";
/// Every start reads its log more often than this.
const READS: u64 = 8;

#[test]
fn what_is_acknowledged_outlives_broken_nets_disks_and_clocks() {
    if !enter("hardware::what_is_acknowledged_outlives_broken_nets_disks_and_clocks") {
        return;
    }
    let rounds = number("CHAOS_ROUNDS").unwrap_or(1);
    let seed = number("CHAOS_SEED").unwrap_or_else(|| Rng::from_entropy().u64());
    eprintln!("{rounds} rounds, CHAOS_SEED={seed}");
    let fleet = Fleet::start(TARGETS);
    let net = Net::start(MACHINES);
    let options = Options { block_window: "60s", local_retention: "0s", net: Some(net), ..Options::default() };
    let mut room = Room { cluster: Cluster::start(&fleet, options), rng: Rng::from_seed(seed) };
    room.cluster.wait_for_scrapes(2 * TARGETS);
    for round in 0..rounds {
        for (name, blow) in BLOWS {
            let machine = room.rng.below(MACHINES as u64) as usize;
            eprintln!("round {round}: {name}, ingester-{}", machine + 1);
            blow(&mut room, machine);
            room.cluster.wait_until_settled();
            room.cluster.wait_for_more_scrapes(TARGETS);
            check(&room.cluster, &fleet);
        }
    }
    eprintln!("{} blows: nothing lost, nothing doubled", rounds * BLOWS.len() as u64);
}

struct Room {
    cluster: Cluster,
    rng: Rng,
}

type Blow = fn(&mut Room, usize);

const BLOWS: [(&str, Blow); 10] = [
    ("cut off from all others", |room, machine| {
        let others = room.net().others(machine);
        room.spoil(machine, (Link::Cut, &others), (Link::Cut, &others));
    }),
    ("not heard by anybody", |room, machine| {
        let others = room.net().others(machine);
        room.spoil(machine, (Link::Cut, &others), (Link::Cut, &[]));
    }),
    ("hears nobody", |room, machine| {
        let others = room.net().others(machine);
        room.spoil(machine, (Link::Cut, &[]), (Link::Cut, &others));
    }),
    ("cut off from one other ingester", |room, machine| {
        let other = [room.net().host((machine + 1) % MACHINES)];
        room.spoil(machine, (Link::Cut, &other), (Link::Cut, &other));
    }),
    ("one of five packets is lost", |room, machine| {
        let others = room.net().others(machine);
        room.spoil(machine, (Link::Lossy(20), &others), (Link::Lossy(20), &others));
    }),
    ("the clock is an hour ahead", |room, machine| room.jump(machine, 3600)),
    ("the clock is an hour behind", |room, machine| room.jump(machine, -3600)),
    ("the disk is full", Room::fill_disk),
    ("syncs fail", Room::fail_syncs),
    ("reads fail", Room::fail_reads),
];

impl Room {
    fn net(&self) -> &Net {
        self.cluster.net.as_ref().unwrap()
    }

    /// Waits while the blow lasts. The others go on: every target is scraped and stored.
    fn last(&self) {
        let scrapes = LASTS[0] + self.rng.below(LASTS[1] - LASTS[0] + 1);
        self.cluster.wait_for_more_scrapes(scrapes as usize * TARGETS);
    }

    fn spoil(&self, machine: usize, sends: (Link, &[String]), hears: (Link, &[String])) {
        self.net().spoil(machine, sends, hears);
        self.last();
        self.net().mend(machine);
    }

    /// The clock of a running process jumps there, and back again.
    fn jump(&mut self, machine: usize, by_seconds: i64) {
        let Some(library) = faketime() else {
            return eprintln!("1 blow skipped: libfaketime is not installed");
        };
        let name = name_of(machine);
        let offset = self.cluster.path(&format!("{name}.clock"));
        std::fs::write(&offset, "+0").unwrap();
        let environment = [
            format!("LD_PRELOAD={}", library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", offset.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        self.cluster.end(&name);
        self.cluster.restart_under(&name, ["env".to_owned()].into_iter().chain(environment).collect());
        self.cluster.wait_until_settled();
        std::fs::write(&offset, format!("{by_seconds:+}")).unwrap();
        wait_until("it finds its clock wrong", Duration::from_secs(20), || {
            let ahead = self.cluster.metric(&name, "ringwood_ingester_clock_ahead_seconds")?;
            ((ahead - by_seconds as f64).abs() < 5.0).then_some(())
        });
        self.last();
        std::fs::write(&offset, "+0").unwrap();
        self.last();
        self.cluster.end(&name);
        self.cluster.restart(&name);
    }

    /// A node that can write nothing more ends, and says so; once there is room, it comes back with all it had.
    fn fill_disk(&mut self, machine: usize) {
        let name = name_of(machine);
        self.cluster.end(&name);
        let disk = SmallDisk::put_below(&self.cluster.path(&name), SMALL_DISK);
        self.cluster.restart(&name);
        self.cluster.wait_until_settled();
        disk.fill();
        self.cluster.wait_until_failed(&name);
        self.last();
        disk.make_room();
        self.cluster.restart(&name);
        self.cluster.wait_until_settled();
        self.cluster.end(&name);
        disk.remove();
        self.cluster.restart(&name);
    }

    /// A node whose disk says that a sync has failed must not go on as if it had been done.
    fn fail_syncs(&mut self, machine: usize) {
        let name = name_of(machine);
        self.cluster.end(&name);
        let after = 20 + self.rng.below(60);
        let strace = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null"].map(str::to_owned);
        let inject = [
            "--trace=fsync,fdatasync".to_owned(),
            format!("--inject=fsync,fdatasync:error=EIO:when={after}+"),
            "--".to_owned(),
        ];
        self.cluster.restart_under(&name, strace.into_iter().chain(inject).collect());
        self.cluster.wait_until_failed(&name);
        self.last();
        self.cluster.restart(&name);
    }

    /// A node that was killed and whose disk can't be read, from some read on, must not take what it could read for all there
    /// is: it ends, and is the one it was when the disk is well again.
    fn fail_reads(&mut self, machine: usize) {
        let name = name_of(machine);
        self.cluster.kill(&name);
        let trace = self.cluster.path(&format!("{name}.strace"));
        let after = 1 + self.rng.below(READS);
        let strace = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", trace.to_str().unwrap()].map(str::to_owned);
        // Sockets are read, too, and must go on to be.
        let files = files_below(&self.cluster.path(&name).join("node"));
        let files = files.iter().flat_map(|file| ["-P".to_owned(), file.to_str().unwrap().to_owned()]);
        let inject = [
            "--trace=read,pread64".to_owned(),
            format!("--inject=read,pread64:error=EIO:when={after}+"),
            "--".to_owned(),
        ];
        self.cluster.restart_under(&name, strace.into_iter().chain(files).chain(inject).collect());
        self.cluster.wait_until_failed(&name);
        let trace = std::fs::read_to_string(&trace).unwrap();
        assert!(trace.contains("(INJECTED)"), "it ended before read {after} failed: {trace}");
        self.last();
        self.cluster.restart(&name);
    }
}

fn name_of(machine: usize) -> String {
    format!("ingester-{}", machine + 1)
}

fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let libraries = folders.flatten().map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|library| library.try_exists().is_ok_and(|there| there))
}
