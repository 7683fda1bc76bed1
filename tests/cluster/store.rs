//! A real S3 server, and a proxy before it that answers as a store does on a bad day.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use processes::free_ports;
use tempfile::TempDir;

use crate::cluster::wait_until;

const ACCESS_KEY: &str = "a-key-to-test-with";
const SECRET_KEY: &str = "a-secret-to-test-with";
const BUCKET: &str = "bucket";
/// By how much a slow store is late.
const LATE: Duration = Duration::from_secs(2);
/// No request of a test is longer.
const LONGEST_BYTES: usize = 64 << 20;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Nothing,
    /// Whoever comes is hung up on.
    Away,
    /// Everything is done, late.
    Slow,
    /// Nothing is done, and every answer is 503.
    Refuses,
    /// Of every answer that has a body the second half is missing.
    CutsShort,
    /// Everything is done, and nobody hears of it.
    LosesAnswers,
}

/// An S3 server over a folder, and the proxy before it. Both end with the test.
pub(crate) struct Store {
    _folder: TempDir,
    server: Child,
    port: u16,
    trouble: Arc<Mutex<(Trouble, usize)>>,
}

impl Store {
    /// Starts them; `None`, and a word about it, where the server is not there.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("1 test skipped: versitygw is not there (make s3-server)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let behind = SocketAddr::from(([127, 0, 0, 1], free_ports(1)[0]));
        let server = Command::new(program)
            .args(["--port", &behind.to_string(), "posix"])
            .arg(folder.path())
            .env("ROOT_ACCESS_KEY", ACCESS_KEY)
            .env("ROOT_SECRET_KEY", SECRET_KEY)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the S3 server listens", Duration::from_secs(20), || TcpStream::connect(behind).ok());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let trouble = Arc::new(Mutex::new((Trouble::Nothing, 0)));
        let proxy = Proxy { behind, trouble: trouble.clone() };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let proxy = proxy.clone();
                std::thread::spawn(move || proxy.serve(client));
            }
        });
        Some(Self { _folder: folder, server, port, trouble })
    }

    /// Where processes keep their blocks then.
    pub(crate) fn url(&self) -> String {
        format!("s3://{BUCKET}")
    }

    /// The flag by which they reach it.
    pub(crate) fn setting(&self) -> String {
        let endpoint = format!("aws_endpoint=http://127.0.0.1:{}", self.port);
        let keys = format!("aws_access_key_id={ACCESS_KEY},aws_secret_access_key={SECRET_KEY}");
        format!("--bucket.setting={endpoint},aws_region=us-east-1,{keys}")
    }

    /// From now on this is wrong; returns how many requests were struck by what was wrong before.
    pub(crate) fn set(&self, trouble: Trouble) -> usize {
        let (_, struck) = std::mem::replace(&mut *self.trouble.lock().unwrap(), (trouble, 0));
        struck
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

#[derive(Clone)]
struct Proxy {
    behind: SocketAddr,
    trouble: Arc<Mutex<(Trouble, usize)>>,
}

impl Proxy {
    /// What is wrong with this request.
    fn trouble(&self) -> Trouble {
        self.trouble.lock().unwrap().0
    }

    /// Counts a request that was struck, as long as that is wrong still.
    fn struck(&self, by: Trouble) {
        let mut trouble = self.trouble.lock().unwrap();
        trouble.1 += usize::from(trouble.0 == by);
    }

    /// Answers one request: each has a connection of its own.
    fn serve(&self, mut client: TcpStream) {
        let trouble = self.trouble();
        if trouble == Trouble::Away {
            return self.struck(trouble);
        }
        let Some(request) = read_request(&mut client) else { return };
        if trouble == Trouble::Refuses {
            self.struck(trouble);
            let refusal = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            // Whoever has gone does not want to know.
            drop(client.write_all(refusal));
            return;
        }
        if trouble == Trouble::Slow {
            self.struck(trouble);
            #[expect(clippy::disallowed_methods, reason = "a slow store is slow in real time")]
            std::thread::sleep(LATE);
        }
        let Some(mut answer) = self.forward(&request) else { return };
        match trouble {
            Trouble::LosesAnswers => return self.struck(trouble),
            Trouble::CutsShort if body_start(&answer).is_some_and(|start| start < answer.len()) => {
                self.struck(trouble);
                let start = body_start(&answer).unwrap_or(0);
                answer.truncate(start + (answer.len() - start) / 2);
            }
            _ => {}
        }
        drop(client.write_all(&answer));
        drop(client.shutdown(Shutdown::Write));
    }

    /// What the server answers; it is asked to hang up behind it.
    fn forward(&self, request: &[u8]) -> Option<Vec<u8>> {
        let line = request.windows(2).position(|bytes| bytes == b"\r\n")? + 2;
        let mut server = TcpStream::connect(self.behind).ok()?;
        server.write_all(&[&request[..line], b"Connection: close\r\n", &request[line..]].concat()).ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        Some(answer)
    }
}

/// A request with its body; `None` if the client went away.
fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        if let Some(start) = body_start(&request) {
            let head = String::from_utf8_lossy(&request[..start]).to_ascii_lowercase();
            assert!(!head.contains("transfer-encoding:"), "this proxy knows of lengths only: {head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length = length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
            assert!(length < LONGEST_BYTES, "{length} bytes are more than a test sends");
            if request.len() >= start + length {
                return Some(request);
            }
        }
        let read = client.read(&mut piece).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
    }
}

/// Where the body begins, if the head is whole.
fn body_start(message: &[u8]) -> Option<usize> {
    message.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|end| end + 4)
}

/// The server's program, where it was built.
fn program() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = || package.ancestors().map(|folder| folder.join("target/tools/versitygw")).find(|path| path.is_file());
    std::env::var_os("RINGWOOD_VERSITYGW").map(PathBuf::from).or_else(built)
}
