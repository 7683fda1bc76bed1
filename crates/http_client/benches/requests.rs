//! What a request costs when the server does nothing, over connections that are kept.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where something fails")]

use std::time::Duration;

use http_client::{HttpClient, HttpClientConfig, Request};
use stdx::{Clock, Tasks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// The address of a server that answers every request with a page of this many bytes.
async fn serve(tasks: &Tasks, size: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size));
    let connections = tasks.clone();
    tasks.spawn_until_stopped("server", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            connections.spawn_until_stopped("connection", async move {
                let mut received = Vec::new();
                while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
                    if received.ends_with(b"\r\n\r\n") {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        received.clear();
                    }
                }
            });
        }
    });
    address
}

/// Pages of a small exporter and of a large one.
#[divan::bench(args = [10_000, 1_000_000])]
fn page(bencher: divan::Bencher<'_, '_>, size: usize) {
    let runtime = Runtime::new().unwrap();
    let client = HttpClient::new(HttpClientConfig::default(), Clock::system()).unwrap();
    let tasks = Tasks::new();
    let uri: http_client::Uri = format!("http://{}/metrics", runtime.block_on(serve(&tasks, size))).parse().unwrap();
    bencher.bench_local(|| {
        let request = Request::get(uri.clone(), Duration::from_secs(10));
        assert_eq!(runtime.block_on(client.send(request)).unwrap().body.len(), size);
    });
}
