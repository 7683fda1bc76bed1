//! Connections.

mod stall;

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use futures::{Stream, StreamExt};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use stdx::{Clock, Tasks};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::config::ServeConfig;

/// The largest head of a request. Dashboards put long expressions into URLs.
const MAX_HEAD_BYTES: u32 = 1 << 20;

/// Serves `router` on all connections, in HTTP/1.1 or HTTP/2 as clients like, until the owner of the tasks is told to stop.
///
/// Requests that are under way may then go on for [`ServeConfig::grace`]; no more are taken in.
pub fn serve<C>(
    connections: impl Stream<Item = C> + Send + 'static,
    router: Router,
    config: ServeConfig,
    clock: &Clock,
    tasks: &Tasks,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stall_clock, stall_tasks) = (clock.clone(), tasks.clone());
    let end_stalled = move |response| stall::end_stalled(response, config.stall_timeout, &stall_clock, &stall_tasks);
    let router = router
        .layer(RequestBodyTimeoutLayer::new(config.read_timeout))
        .layer(map_response(move |response| std::future::ready(end_stalled(response))));
    let server = Server { router, config, clock: clock.clone(), tasks: tasks.clone() };
    tasks.spawn_until_stopped("http-server", server.take_in(connections));
}

#[derive(Clone)]
struct Server {
    router: Router,
    config: ServeConfig,
    clock: Clock,
    tasks: Tasks,
}

impl Server {
    async fn take_in<C>(self, connections: impl Stream<Item = C> + Send)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(self.config.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let mut connections = std::pin::pin!(connections);
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            let Some(connection) = connections.next().await else { return };
            let server = self.clone();
            self.tasks.spawn("http-connection", async move {
                server.serve(connection).await;
                drop(place);
            });
        }
    }

    async fn serve<C>(self, connection: C)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = auto::Builder::new(InTasks(self.tasks.clone()));
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.config.read_timeout);
        builder.http1().max_buf_size(MAX_HEAD_BYTES as usize);
        builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEAD_BYTES);
        let service = TowerToHyperService::new(self.router);
        let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(connection), service));
        let ended = tokio::select! {
            ended = serving.as_mut() => Some(ended),
            () = self.tasks.stopped() => {
                serving.as_mut().graceful_shutdown();
                self.clock.timeout(self.config.grace, serving).await
            }
        };
        if let Some(Err(error)) = ended {
            // A client that went away, or never spoke HTTP: its trouble.
            tracing::debug!(%error, "a connection broke");
        }
    }
}

/// Makes what a connection spawns tasks of the server's owner.
#[derive(Clone)]
struct InTasks(Tasks);

impl<F> hyper::rt::Executor<F> for InTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        self.0.spawn("http-stream", work);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    /// The client's end of a connection to a server whose answer takes so long, and the server's tasks.
    fn connect(answer_takes: Duration) -> (DuplexStream, Tasks) {
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let (client, connection) = tokio::io::duplex(1 << 16);
        let answer = {
            let clock = clock.clone();
            move || async move {
                clock.sleep(answer_takes).await;
                "done"
            }
        };
        let router = Router::new().route("/", get(answer));
        let connections = futures::stream::iter([connection]).chain(futures::stream::pending());
        serve(connections, router, ServeConfig::default(), &clock, &tasks);
        (client, tasks)
    }

    async fn answer_of_a_stopping_server(answer_takes: Duration) -> String {
        let (mut client, tasks) = connect(answer_takes);
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        Clock::system().sleep(Duration::from_millis(1)).await;
        tasks.stop();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        tasks.wait().await;
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn requests_under_way_may_end_when_the_server_stops() {
        let answer = answer_of_a_stopping_server(Duration::from_secs(3)).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ndone"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_take_too_long_do_not_keep_it() {
        assert_eq!(answer_of_a_stopping_server(Duration::from_secs(30)).await, "");
    }
}
