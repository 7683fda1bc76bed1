//! What is asked: every path, with what clients send and with what they should not.

mod expressions;
mod http;
mod labels;
mod search;
mod times;

use crate::Request;

/// Every request of the sweep. `time` is that of the newest samples, in seconds.
pub fn all(time: i64) -> Vec<Request> {
    let mut cases = Cases { time, requests: Vec::new() };
    expressions::add(&mut cases);
    times::add(&mut cases);
    labels::add(&mut cases);
    http::add(&mut cases);
    search::add(&mut cases);
    cases.requests
}

/// What is below the API's root.
const API: &str = "/api/v1/";

/// Requests as they are listed.
struct Cases {
    time: i64,
    requests: Vec<Request>,
}

impl Cases {
    /// A `GET` request below the API's root.
    fn get(&mut self, path: &str, params: &[(&str, &str)]) {
        self.requests.push(Request::get(&format!("{API}{path}"), params));
    }

    /// A `GET` request for a path that is escaped already.
    fn raw(&mut self, path: &str) {
        self.requests.push(Request::new("GET", path));
    }

    /// Some seconds before the newest samples.
    fn before(&self, seconds: i64) -> String {
        (self.time - seconds).to_string()
    }

    /// Long after the newest samples, and after what a scrape says about itself, which has its own time.
    fn after(&self) -> String {
        (self.time + 3600).to_string()
    }

    /// An instant query at the time of the newest samples.
    fn query(&mut self, expression: &str, more: &[(&str, &str)]) {
        let time = self.time.to_string();
        let params = [&[("query", expression), ("time", &*time)], more].concat();
        self.get("query", &params);
    }

    /// A range query up to the time of the newest samples.
    fn query_range(&mut self, expression: &str, more: &[(&str, &str)]) {
        let (start, end) = (self.before(20), self.before(0));
        let params = [&[("query", expression), ("start", &*start), ("end", &*end), ("step", "10")], more].concat();
        self.get("query_range", &params);
    }
}
