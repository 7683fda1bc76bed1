//! Which methods paths have.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode, header};

/// What load balancers ask with `HEAD`.
const WITH_HEAD: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Refuses `HEAD` where Prometheus does, and lists the methods of a path as it does.
pub(crate) async fn methods(mut request: Request, next: Next) -> Response {
    let has_head = WITH_HEAD.iter().any(|path| request.uri().path().ends_with(path));
    if request.method() == Method::HEAD && !has_head {
        // The router takes it for a GET whose body nobody wants. This is a method that no path has.
        *request.method_mut() = Method::TRACE;
    }
    let is_head = request.method() == Method::HEAD;
    let mut response = next.run(request).await;
    if is_head {
        // Go finds out what a text is when it sends it.
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    if response.status() == StatusCode::NO_CONTENT {
        // Below the API, `OPTIONS` speaks of origins alone, and of any path.
        response.headers_mut().remove(header::ALLOW);
    }
    if let Some(allowed) = response.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok()) {
        let mut methods: Vec<&str> = allowed.split(',').filter(|method| has_head || *method != "HEAD").collect();
        methods.push("OPTIONS");
        methods.sort_unstable();
        let methods = HeaderValue::try_from(methods.join(", ")).expect("names of methods are valid in headers");
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}
