//! What a server says about itself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use crate::answer::success;
use crate::app::App;
use crate::backend::{BuildInfo, RuntimeInfo};
use crate::error::{ApiError, ErrorKind};
use crate::json::{Json, Raw, ToJson, to_bytes};
use crate::params::rfc3339;
use crate::targets::Yaml;

/// `/status/config`
pub(crate) async fn config(State(app): State<Arc<App>>) -> Response {
    success(Yaml(app.backend.config_yaml()))
}

/// `/status/flags`
pub(crate) async fn flags(State(app): State<Arc<App>>) -> Response {
    success(Texts(app.backend.flags().into_iter().collect()))
}

/// `/status/runtimeinfo`
pub(crate) async fn runtime_info(State(app): State<Arc<App>>) -> Response {
    success(Runtime { info: app.backend.runtime_info(), server_time: rfc3339(app.now()) })
}

/// `/status/buildinfo`
pub(crate) async fn build_info(State(app): State<Arc<App>>) -> Response {
    success(&app.config.build)
}

/// `/version`
pub(crate) async fn version(State(app): State<Arc<App>>) -> Response {
    // It says that it is text, and ends as a line.
    let mut line = to_bytes(&app.config.build);
    line.push(b'\n');
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], line).into_response()
}

/// `/status/tsdb/blocks`: blocks are not a server's own here.
pub(crate) async fn blocks() -> Response {
    success(Raw(r#"{"blocks":[]}"#))
}

/// `/status/walreplay`: a server that answers has nothing to replay.
pub(crate) async fn wal_replay() -> Response {
    success(Raw(r#"{"min":0,"max":0,"current":0}"#))
}

/// `/status/cluster`: what operators want to know about the cluster. Prometheus has no such thing.
pub(crate) async fn cluster(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let status = app.backend.cluster_status().await?;
    Ok(success(Raw(&status)))
}

/// `/notifications`
pub(crate) async fn notifications() -> Response {
    success(Raw("[]"))
}

/// `/notifications/live`: nobody may subscribe, which is what Prometheus answers when its limit is reached.
pub(crate) async fn live_notifications() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// Administration, which is off.
pub(crate) async fn admin() -> ApiError {
    ApiError::new(ErrorKind::Unavailable, "admin APIs disabled")
}

/// An object of texts.
struct Texts(Vec<(String, String)>);

impl ToJson for Texts {
    fn write(&self, json: &mut Json) {
        json.open_object();
        for (key, value) in &self.0 {
            json.key_text(key).text(value);
        }
        json.close_object();
    }
}

struct Runtime {
    info: RuntimeInfo,
    server_time: String,
}

impl ToJson for Runtime {
    fn write(&self, json: &mut Json) {
        let info = &self.info;
        json.object(|json| {
            json.member("startTime", rfc3339(info.start_time));
            json.member("CWD", &info.working_directory);
            json.member("hostname", &info.hostname);
            json.member("serverTime", &self.server_time);
            json.member("reloadConfigSuccess", info.config_is_loaded);
            json.member("lastConfigTime", rfc3339(info.config_time));
            json.member("corruptionCount", info.corruption_count);
            json.member("goroutineCount", info.task_count);
            json.member("GOMAXPROCS", info.thread_count);
            // What Go says if nothing is limited or set.
            json.member("GOMEMLIMIT", i64::MAX);
            json.member("GOGC", "");
            json.member("GODEBUG", "");
            json.member("storageRetention", &info.storage_retention);
        });
    }
}

impl ToJson for BuildInfo {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("version", &self.version);
            json.member("revision", &self.revision);
            json.member("branch", &self.branch);
            json.member("buildUser", &self.build_user);
            json.member("buildDate", &self.build_date);
            json.member("goVersion", &self.compiler);
        });
    }
}
