//! A little HTTP server on a free port of this machine.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use stdx::Tasks;
use tokio::net::TcpListener;

/// What a server answers.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// It never comes.
    pub(crate) is_silent: bool,
}

impl Answer {
    pub(crate) fn page(body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", "text/plain; version=0.0.4".to_owned())];
        Self { status: 200, headers, body: body.into(), is_silent: false }
    }
}

/// A server with one page, which counts and keeps what it is asked.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<Mutex<Vec<Request<()>>>>,
}

impl Server {
    pub(crate) async fn start(answer: Answer, tasks: &Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Self { address, answer: Arc::new(Mutex::new(answer)), asked: Arc::default() };
        let (serving, connections) = (server.clone(), tasks.clone());
        tasks.spawn_until_stopped("http-server", async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let server = serving.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn_until_stopped("http-connection", async move {
                    let _ = connection.await;
                });
            }
        });
        server
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        self.asked.lock().push(request.map(drop));
        let answer = self.answer.lock().clone();
        if answer.is_silent {
            std::future::pending::<()>().await;
        }
        let mut response = Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(*name, value);
        }
        Ok(response.body(Full::new(answer.body)).unwrap())
    }

    pub(crate) fn set(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    pub(crate) fn asked(&self) -> Vec<Request<()>> {
        self.asked.lock().clone()
    }
}
