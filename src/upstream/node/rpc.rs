//! A node's JSON-RPC over HTTP, as Bitcoin Core has it.

use super::{Login, NodeError, NodeUrl};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// The largest answer: a template of four million weight units, twice that in hex, and all that is said of each transaction.
const LARGEST_ANSWER: usize = 64 << 20;
/// How long a node may take to be connected to.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Clones share their connections.
#[derive(Clone)]
pub(super) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    url: NodeUrl,
    authorization: HeaderValue,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
}

impl Client {
    /// Reads the cookie, if that is the login: a node writes a new one each time that it starts.
    pub(super) fn new(url: &NodeUrl, login: &Login) -> Result<Client, NodeError> {
        let credentials = match login {
            Login::Password { user, password } => format!("{user}:{password}"),
            Login::Cookie(path) => {
                let read = std::fs::read_to_string(path);
                read.map_err(|source| NodeError::Cookie { path: path.clone(), source })?.trim().to_owned()
            }
        };
        // Base 64 is made of characters that a header may have.
        let authorization = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)));
        let mut authorization = authorization.unwrap_or(HeaderValue::from_static(""));
        authorization.set_sensitive(true);
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_keepalive(Some(Duration::from_secs(30)));
        let http = Http::builder(TokioExecutor::new()).build(connector);
        Ok(Client { http, url: url.clone(), authorization })
    }

    /// Calls a method, and waits for its answer no longer than this.
    pub(super) async fn call(
        &self,
        method: &'static str,
        params: Value,
        patience: Duration,
    ) -> Result<Value, NodeError> {
        timeout(patience, self.ask(method, params)).await.unwrap_or(Err(NodeError::Silent { method }))
    }

    async fn ask(&self, method: &'static str, params: Value) -> Result<Value, NodeError> {
        let body = json!({"jsonrpc": "1.0", "id": method, "method": method, "params": params}).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.to_string())
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| NodeError::Http(error.to_string()))?;
        let response = self.http.request(request).await.map_err(|error| NodeError::Http(chain(&error)))?;
        let status = response.status();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return Err(NodeError::Login(status.as_u16()));
        }
        let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
        let body = body.map_err(|error| NodeError::Http(chain(error.as_ref())))?.to_bytes();
        // Errors come with a status of their own, and an answer that says more.
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| NodeError::NotJson { status: status.as_u16() })?;
        match answer.error {
            Some(Refusal { code, message }) => Err(NodeError::Refused { method, code, message }),
            None => Ok(answer.result),
        }
    }
}

/// An error with what caused it: the outermost says the least.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
