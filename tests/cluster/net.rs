//! A net of the test's own: each ingester has a namespace, and a link to all others that can be cut or lose packets.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cluster::wait_until;

/// Set for a test that already runs in namespaces of its own.
const INSIDE: &str = "RINGWOOD_TEST_HAS_A_NET";
/// What machines and the bridge between them are called by: one network for each test, as each has a namespace.
const NETWORK: &str = "10.77.0";
/// The machine that everything but ingesters runs on: the bridge's own end.
const OUTSIDE: &str = "10.77.0.1";

/// Runs a test of this program in namespaces of its own for nets and mounts, where it may do what it likes; `true` if this is
/// that run already.
///
/// Where the machine does not let anybody have one, the test is skipped, and says so.
pub(crate) fn enter(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // Root needs no namespace for users, and may be denied one.
    let ways: [&[&str]; 2] = [&["--net", "--mount"], &["--net", "--mount", "--map-root-user"]];
    let makes_links = ["sh", "-c", "ip link add lan type bridge && nft list ruleset && mount -t tmpfs none /mnt"];
    let tried = ways.map(|way| (way, Command::new("unshare").args(way).args(makes_links).output()));
    let Some((way, _)) = tried.iter().find(|(_, tried)| tried.as_ref().is_ok_and(|tried| tried.status.success()))
    else {
        eprintln!("1 test skipped: {test} needs namespaces, ip and nft: {tried:?}");
        return false;
    };
    let mut inner = Command::new("unshare");
    inner.args(*way).arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let status = inner.status().unwrap();
    assert!(status.success(), "{test}, in namespaces of its own: {status}");
    false
}

/// Machines, each with a namespace and an address, on one bridge.
pub(crate) struct Net {
    /// What keeps the namespaces.
    holders: Vec<Child>,
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Link {
    /// Nothing gets through from one to the other.
    Cut,
    /// So many of 100 packets are lost.
    Lossy(u32),
}

impl Net {
    /// So many machines that can reach each other, and this process. Only where [`enter`] says so.
    pub(crate) fn start(machines: usize) -> Self {
        run("ip", &["link", "set", "lo", "up"]);
        run("ip", &["link", "add", "lan", "type", "bridge"]);
        run("ip", &["address", "add", &format!("{OUTSIDE}/24"), "dev", "lan"]);
        run("ip", &["link", "set", "lan", "up"]);
        let mut net = Self { holders: Vec::new() };
        (0..machines).for_each(|_| net.plug_in());
        net
    }

    fn plug_in(&mut self) {
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let holder = Command::new("unshare").args(["--net", "--", "sleep", "infinity"]).spawn().unwrap();
        let pid = holder.id().to_string();
        wait_until("a namespace is there", Duration::from_secs(20), || {
            std::fs::read_link(format!("/proc/{pid}/ns/net")).ok().filter(|of| *of != own)
        });
        self.holders.push(holder);
        let machine = self.holders.len() - 1;
        let outer = format!("lan{machine}");
        run("ip", &["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        run("ip", &["link", "set", &outer, "master", "lan", "up"]);
        for arguments in [
            vec!["address", "add", &format!("{}/24", self.host(machine)), "dev", "eth0"],
            vec!["link", "set", "eth0", "up"],
            vec!["link", "set", "lo", "up"],
        ] {
            let prefix = self.prefix(machine);
            run(&prefix[0], &prefix[1..].iter().map(|word| &**word).chain(["ip"]).chain(arguments).collect::<Vec<_>>());
        }
    }

    /// The address of a machine.
    pub(crate) fn host(&self, machine: usize) -> String {
        format!("{NETWORK}.{}", 11 + machine)
    }

    /// What a command begins with that runs on a machine.
    pub(crate) fn prefix(&self, machine: usize) -> Vec<String> {
        let pid = self.holders[machine].id().to_string();
        ["nsenter", "--target", &pid, "--net", "--"].map(str::to_owned).to_vec()
    }

    /// All other machines, and where everything else runs.
    pub(crate) fn others(&self, machine: usize) -> Vec<String> {
        let others = (0..self.holders.len()).filter(|other| *other != machine);
        others.map(|other| self.host(other)).chain([OUTSIDE.to_owned()]).collect()
    }

    /// From now on something is wrong with what a machine sends to these, and with what it hears of these.
    pub(crate) fn spoil(&self, machine: usize, sends: (Link, &[String]), hears: (Link, &[String])) {
        let chain = |hook: &str, side: &str, (link, hosts): (Link, &[String])| {
            let chance = match link {
                Link::Cut => String::new(),
                Link::Lossy(percent) => format!("numgen random mod 100 < {percent}"),
            };
            let rules =
                hosts.iter().map(|host| format!("add rule inet spoilt {hook} ip {side} {host} {chance} drop\n"));
            let chain = format!("add chain inet spoilt {hook} {{ type filter hook {hook} priority 0; }}\n");
            chain + &rules.collect::<String>()
        };
        let (output, input) = (chain("output", "daddr", sends), chain("input", "saddr", hears));
        self.nft(machine, &["-f", "-"], &format!("add table inet spoilt\n{output}{input}"));
    }

    /// From now on nothing is wrong.
    pub(crate) fn mend(&self, machine: usize) {
        self.nft(machine, &["flush", "ruleset"], "");
    }

    fn nft(&self, machine: usize, arguments: &[&str], rules: &str) {
        let prefix = self.prefix(machine);
        let mut command = Command::new(&prefix[0]);
        command.args(&prefix[1..]).arg("nft").args(arguments).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{command:?}: {rules}");
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for holder in &mut self.holders {
            // It may have ended by itself.
            drop(holder.kill());
            drop(holder.wait());
        }
    }
}

/// A small disk of its own below a folder, with what was in the folder. Ends with [`SmallDisk::remove`].
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    pub(crate) fn put_below(folder: &Path, size: &str) -> Self {
        let path = folder.to_str().unwrap();
        let aside = format!("{path}.aside");
        run("mv", &[path, &aside]);
        run("mkdir", &[path]);
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "none", path]);
        run("cp", &["-a", &format!("{aside}/."), path]);
        run("rm", &["-r", &aside]);
        Self { folder: folder.to_owned() }
    }

    /// Nothing more fits on it.
    pub(crate) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.folder.join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    /// There is room again.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.folder.join("ballast")).unwrap();
    }

    /// What is on it lies on the large disk again.
    pub(crate) fn remove(self) {
        let path = self.folder.to_str().unwrap();
        let aside = format!("{path}.aside");
        run("cp", &["-a", path, &aside]);
        run("umount", &[path]);
        run("rmdir", &[path]);
        run("mv", &[&aside, path]);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}: {status}");
}
