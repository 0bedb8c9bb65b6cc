//! JSON-RPC over HTTP, with Bitcoin Core's manners.
//!
//! Without `"jsonrpc":"2.0"` (the 1.x manner) an answer has both `result` and `error`, and an error travels as HTTP 500,
//! an unknown method as 404, a bad request as 400. With it, an answer has one of the two and HTTP says 200. Every answer
//! is one line. Several calls may come as an array.

use super::auth::Auth;
use super::{Node, methods};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Map, Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The longest request: a whole block in hex, and some room.
const MAX_BODY: usize = 9 * 1024 * 1024;

/// An error as JSON-RPC carries it; codes are Bitcoin Core's (`rpc/protocol.h`).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// The code.
    pub code: i32,
    /// What is wrong.
    pub message: String,
}

impl RpcError {
    pub(super) const MISC: i32 = -1;
    pub(super) const TYPE: i32 = -3;
    pub(super) const NOT_FOUND: i32 = -5;
    pub(super) const PARAMETER: i32 = -8;
    pub(super) const DESERIALIZATION: i32 = -22;
    pub(super) const TRANSACTION: i32 = -25;
    pub(super) const TRANSACTION_REJECTED: i32 = -26;
    pub(super) const TRANSACTION_IN_CHAIN: i32 = -27;
    pub(super) const INVALID_REQUEST: i32 = -32600;
    pub(super) const METHOD_NOT_FOUND: i32 = -32601;
    pub(super) const PARSE: i32 = -32700;

    pub(super) fn new(code: i32, message: impl Into<String>) -> RpcError {
        RpcError { code, message: message.into() }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            RpcError::INVALID_REQUEST => StatusCode::BAD_REQUEST,
            RpcError::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What a call can reach.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) node: Node,
    /// Sent true by `stop`.
    pub(super) stop: Arc<watch::Sender<bool>>,
    /// When the server began.
    pub(super) started: Instant,
    auth: Auth,
}

/// A server that runs. Dropped, it goes on; [`RpcServer::stop`] ends it.
#[derive(Debug)]
pub struct RpcServer {
    address: SocketAddr,
    stop: Arc<watch::Sender<bool>>,
    task: JoinHandle<io::Result<()>>,
}

impl RpcServer {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until somebody calls `stop`.
    pub async fn stop_requested(&self) {
        // The sender lives as long as this does.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Answers what was asked already, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // Waiting long polls see the stop; an idle connection must not hold the program up.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.task).await;
    }
}

/// Listens for calls; port 0 takes any that is free.
pub async fn serve(node: Node, listen: SocketAddr, auth: Auth) -> io::Result<RpcServer> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let stop = Arc::new(watch::Sender::new(false));
    let context = Context { node, stop: Arc::clone(&stop), started: Instant::now(), auth };
    let router = Router::new()
        .route("/", post(answer).fallback(only_post))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(context);
    let mut stopped = stop.subscribe();
    let until = async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let task = tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(until).await });
    Ok(RpcServer { address, stop, task })
}

async fn only_post() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "JSONRPC server handles only POST requests\n").into_response()
}

async fn answer(State(context): State<Context>, headers: HeaderMap, body: Bytes) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).map(header::HeaderValue::as_bytes);
    if !context.auth.allows(authorization) {
        // Bitcoin Core makes guessing slow here; so do we.
        tokio::time::sleep(Duration::from_millis(250)).await;
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"jsonrpc\"")]).into_response();
    }
    let (status, answer) = match serde_json::from_slice(&body) {
        Ok(Value::Array(calls)) => {
            let mut answers = Vec::new();
            let only_notifications = !calls.is_empty();
            for call in calls {
                answers.extend(one(&context, call).await.map(|(_, answer)| answer));
            }
            let nothing = only_notifications && answers.is_empty();
            (!nothing).then_some((StatusCode::OK, Value::Array(answers)))
        }
        Ok(call) => one(&context, call).await,
        Err(_) => Some(reply(&Value::Null, false, Err(RpcError::new(RpcError::PARSE, "Parse error")))),
    }
    .map_or((StatusCode::NO_CONTENT, String::new()), |(status, answer)| (status, format!("{answer}\n")));
    (status, [(header::CONTENT_TYPE, "application/json")], answer).into_response()
}

/// Answers one call, unless it is a notification: 2.0 without an id.
async fn one(context: &Context, call: Value) -> Option<(StatusCode, Value)> {
    let Value::Object(mut call) = call else {
        let error = RpcError::new(RpcError::INVALID_REQUEST, "Invalid Request object");
        return Some(reply(&Value::Null, false, Err(error)));
    };
    let id = call.remove("id");
    let version_2 = call.get("jsonrpc").and_then(Value::as_str) == Some("2.0");
    let result = match parse(call) {
        Ok((method, params)) => methods::call(context, &method, params).await,
        Err(error) => Err(error),
    };
    let notification = version_2 && id.is_none();
    (!notification).then(|| reply(&id.unwrap_or_default(), version_2, result))
}

fn parse(mut call: Map<String, Value>) -> Result<(String, Vec<Value>), RpcError> {
    let invalid = |what| Err(RpcError::new(RpcError::INVALID_REQUEST, what));
    match call.remove("jsonrpc") {
        None | Some(Value::Null) => {}
        Some(Value::String(version)) if version == "1.0" || version == "2.0" => {}
        Some(Value::String(_)) => return invalid("JSON-RPC version not supported"),
        Some(_) => return invalid("jsonrpc field must be a string"),
    }
    let method = match call.remove("method") {
        Some(Value::String(method)) => method,
        None | Some(Value::Null) => return invalid("Missing method"),
        Some(_) => return invalid("Method must be a string"),
    };
    match call.remove("params") {
        None | Some(Value::Null) => Ok((method, Vec::new())),
        Some(Value::Array(params)) => Ok((method, params)),
        Some(Value::Object(named)) => methods::by_position(&method, named).map(|params| (method, params)),
        Some(_) => invalid("Params must be an array or object"),
    }
}

fn reply(id: &Value, version_2: bool, result: Result<Value, RpcError>) -> (StatusCode, Value) {
    let error = |error: &RpcError| json!({"code": error.code, "message": error.message});
    match (result, version_2) {
        (Ok(result), false) => (StatusCode::OK, json!({"result": result, "error": null, "id": id})),
        (Ok(result), true) => (StatusCode::OK, json!({"jsonrpc": "2.0", "result": result, "id": id})),
        (Err(e), false) => (e.status(), json!({"result": null, "error": error(&e), "id": id})),
        (Err(e), true) => (StatusCode::OK, json!({"jsonrpc": "2.0", "error": error(&e), "id": id})),
    }
}
