//! S3 servers: one in this process, and a real one where there is one.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const ACCESS_KEY: &str = "a-key-to-test-with";
pub(crate) const SECRET_KEY: &str = "a-secret-to-test-with";

/// An S3 server in this process, over a folder whose folders are its buckets. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start(folder: &Path) -> Self {
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let connection = server.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
                connections.spawn(async move { drop(connection.await) });
            }
        });
        Self { address, _tasks: tasks }
    }
}

/// A real S3 server over a folder, if its program is there. It ends when it is dropped.
pub(crate) struct RealServer {
    pub(crate) address: SocketAddr,
    process: Child,
}

impl RealServer {
    pub(crate) async fn start(folder: &Path) -> Option<Self> {
        let program = program()?;
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let process = Command::new(program)
            .args(["--port", &address.to_string(), "posix"])
            .arg(folder)
            .env("ROOT_ACCESS_KEY", ACCESS_KEY)
            .env("ROOT_SECRET_KEY", SECRET_KEY)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { address, process };
        let listening = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), listening).await.expect("versitygw does not listen");
        Some(server)
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn program() -> Option<PathBuf> {
    let built = || {
        let package = env::current_dir().expect("cargo runs tests in the folder of their package");
        package.ancestors().map(|folder| folder.join("target/tools/versitygw")).find(|program| program.is_file())
    };
    let program = env::var_os("RINGWOOD_VERSITYGW").map(PathBuf::from).or_else(built);
    if program.is_none() {
        eprintln!("skipped: there is no versitygw, neither in RINGWOOD_VERSITYGW nor in target/tools");
    }
    program
}
