//! Faults on command: a socket that takes lines of JSON while the pool runs, and answers each with one.
//!
//! ```text
//! {"fault": "close"}                                        {"event":"added","rule":1}
//! {"fault": {"delay": {"by": "2s"}}, "when": {"times": 3}}  {"event":"added","rule":2}
//! {"cmd": "rules"}                                          {"event":"rules","rules":[…]}
//! {"cmd": "clear"}                                          {"event":"cleared","rules":2}
//! {"cmd": "verdict"}                                        {"event":"verdict",…}
//! {"fault": "clsoe"}                                        {"event":"error","field":"fault",…}
//! ```
//!
//! A fault and its moment are written as in a scenario's rules. A deed without a moment is done at once.

use super::rule::{Class, Fault, Rule, When};
use super::{Faults, Span};
use midstate_stratum::codec::LineReader;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// The longest line that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// How much of a value an error shows, in characters.
const SHOWN: usize = 80;
/// How many may be connected at once; others wait.
const CONNECTIONS: usize = 16;
/// Who takes no answer within this is left alone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// Where the control socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAddress {
    /// An address; port 0 takes any that is free.
    Tcp(SocketAddr),
    /// A socket in the file system.
    #[cfg(unix)]
    Unix(PathBuf),
}

/// A line that asks for nothing that there is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {value}; expected {expected}")]
pub struct ControlError {
    /// Which field.
    pub field: String,
    /// What it has, cut to a readable length.
    pub value: String,
    /// What it should have.
    pub expected: String,
}

impl ControlError {
    fn new(field: &str, value: impl fmt::Display, expected: impl Into<String>) -> ControlError {
        let expected = cut(expected.into(), SHOWN * 10);
        ControlError { field: field.to_owned(), value: cut(value.to_string(), SHOWN), expected }
    }

    fn to_json(&self) -> Value {
        json!({"event": "error", "field": self.field, "value": self.value, "expected": self.expected})
    }
}

fn cut(mut text: String, length: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(length) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl ControlAddress {
    /// Whether only this host reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            ControlAddress::Tcp(address) => address.ip().is_loopback(),
            #[cfg(unix)]
            ControlAddress::Unix(_) => true,
        }
    }
}

impl FromStr for ControlAddress {
    type Err = ControlError;

    fn from_str(text: &str) -> Result<ControlAddress, ControlError> {
        if let Ok(address) = text.parse() {
            return Ok(ControlAddress::Tcp(address));
        }
        #[cfg(unix)]
        if text.contains('/') {
            return Ok(ControlAddress::Unix(text.into()));
        }
        Err(ControlError::new("address", format!("{text:?}"), "ADDRESS:PORT, or on Unix a path with a / in it"))
    }
}

impl fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlAddress::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            ControlAddress::Unix(path) => path.display().fmt(f),
        }
    }
}

/// A socket that takes commands. Dropped, it stops at once.
pub struct Control {
    address: ControlAddress,
    task: JoinHandle<()>,
}

impl Control {
    /// Takes commands for what is played.
    pub async fn listen(address: &ControlAddress, faults: Arc<Faults>) -> io::Result<Control> {
        let (address, task) = match address {
            ControlAddress::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = ControlAddress::Tcp(listener.local_addr()?);
                let next = async move |listener: &TcpListener| listener.accept().await.map(|(stream, _)| stream);
                (address, tokio::spawn(accept(faults, listener, next)))
            }
            #[cfg(unix)]
            ControlAddress::Unix(path) => {
                let listener = bind(path)?;
                let next = async move |listener: &UnixListener| listener.accept().await.map(|(stream, _)| stream);
                (address.clone(), tokio::spawn(accept(faults, listener, next)))
            }
        };
        Ok(Control { address, task })
    }

    /// Where it is.
    pub fn address(&self) -> &ControlAddress {
        &self.address
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        #[cfg(unix)]
        if let ControlAddress::Unix(path) = &self.address {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A socket in the file system, for this user only. One that nobody listens at is left from a program that ended.
#[cfg(unix)]
fn bind(path: &PathBuf) -> io::Result<UnixListener> {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::os::unix::net::UnixStream;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept<L, S: AsyncRead + AsyncWrite + Send + 'static>(
    faults: Arc<Faults>,
    listener: L,
    next: impl AsyncFn(&L) -> io::Result<S>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match next(&listener).await {
            Ok(stream) => {
                let faults = Arc::clone(&faults);
                connections.spawn(async move {
                    serve(&faults, stream).await;
                    drop(place);
                });
            }
            // Out of file descriptors, most likely: others will end.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(faults: &Faults, stream: impl AsyncRead + AsyncWrite) {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = LineReader::with_limit(read, LONGEST);
    loop {
        let answer = match lines.next_line().await {
            // A web page that a browser on this host shows could otherwise hide commands in what it posts here.
            Ok(Some(line)) if line.contains(" HTTP/") && !line.starts_with('{') => return,
            Ok(Some(line)) => answer(faults, &line),
            Err(error) if error.is_passed_over() => ControlError::new("line", error, "a line of JSON").to_json(),
            Ok(None) | Err(_) => return,
        };
        let bytes = format!("{answer}\n").into_bytes();
        if !matches!(timeout(WRITE_WITHIN, write.write_all(&bytes)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Does what a line asks for, and says what came of it.
fn answer(faults: &Faults, line: &str) -> Value {
    run(faults, line).unwrap_or_else(|error| error.to_json())
}

fn run(faults: &Faults, line: &str) -> Result<Value, ControlError> {
    let whole = "an object with \"fault\" and, if wanted, \"when\", or with \"cmd\"";
    let value = serde_json::from_str(line).map_err(|_| ControlError::new("line", line, whole))?;
    let Value::Object(mut object) = value else { return Err(ControlError::new("line", value, whole)) };
    let (command, fault, when) = (object.remove("cmd"), object.remove("fault"), object.remove("when"));
    if let Some((field, value)) = object.iter().next() {
        return Err(ControlError::new(field, value, "no such field: cmd, fault and when are all"));
    }
    match (command, fault, when) {
        (Some(command), None, None) => command_of(faults, &command),
        (None, Some(fault), when) => {
            let rule = rule(&fault, when)?;
            let expected = || "at most 1000 rules: {\"cmd\":\"clear\"} ends them";
            let number = faults.add(rule).map_err(|number| ControlError::new("rules", number, expected()))?;
            Ok(json!({"event": "added", "rule": number}))
        }
        _ => Err(ControlError::new("line", line, whole)),
    }
}

fn command_of(faults: &Faults, command: &Value) -> Result<Value, ControlError> {
    Ok(match command.as_str() {
        Some("verdict") => faults.verdict().to_json(),
        Some("rules") => json!({"event": "rules", "rules": faults.rules()}),
        Some("clear") => json!({"event": "cleared", "rules": faults.clear()}),
        _ => return Err(ControlError::new("cmd", command, "\"verdict\", \"rules\" or \"clear\"")),
    })
}

fn rule(fault: &Value, when: Option<Value>) -> Result<Rule, ControlError> {
    let what: Fault = read("fault", fault)?;
    let mut when: When = read("when", &when.unwrap_or_else(|| Value::Object(Map::new())))?;
    let has_moment = when.at.is_some() || when.every.is_some() || when.job.is_some() || when.share.is_some();
    if what.class() == Class::Deed && !has_moment {
        when.at = Some(Span(Duration::ZERO));
    }
    let rule = Rule { when, what };
    match rule.check() {
        Ok(()) => Ok(rule),
        Err((field, value, expected)) => Err(ControlError::new(field, value, expected)),
    }
}

fn read<T: DeserializeOwned>(field: &str, value: &Value) -> Result<T, ControlError> {
    T::deserialize(value)
        .map_err(|error| ControlError::new(field, value, format!("one as in a scenario's rule ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Scenario;
    use proptest::prelude::*;

    fn live() -> Faults {
        Faults::new(Scenario::empty())
    }

    #[test]
    fn rules_are_added_told_and_ended() {
        let faults = live();
        let say = |line: &str| answer(&faults, line);
        assert_eq!(say(r#"{"fault":"close"}"#), json!({"event": "added", "rule": 1}));
        let delay = json!({"delay": {"by": "1m 300ms"}});
        let when = json!({"job": 2, "lines": ["notify"], "times": 3});
        assert_eq!(say(&json!({"fault": delay, "when": when}).to_string())["rule"], 2);
        let told = say(r#"{"cmd":"rules"}"#);
        assert_eq!(told["rules"][0], json!({"rule": 1, "fault": "close", "when": {"at": "0s"}, "struck": 0}));
        // Told as it was said.
        assert_eq!((&told["rules"][1]["fault"], &told["rules"][1]["when"]), (&delay, &when));
        assert_eq!(say(r#"{"cmd":"clear"}"#), json!({"event": "cleared", "rules": 2}));
        // Numbers are not used again.
        assert_eq!(say(r#"{"fault":"drop"}"#)["rule"], 3);
        assert_eq!(say(r#"{"cmd":"verdict"}"#)["scenario"], "live");
    }

    #[test]
    fn times_and_numbers_of_a_rule_count_from_its_addition() {
        let faults = live();
        let _gate = faults.join(1);
        for _ in 0..5 {
            faults.state().counts.jobs += 1;
        }
        answer(&faults, r#"{"fault":{"clock":{"ahead":7}},"when":{"job":2}}"#);
        answer(&faults, r#"{"fault":"tip","when":{"every":"1h"}}"#);
        let ahead = || {
            let change = faults.job();
            faults.state().counts.jobs += 1;
            change.map(|change| change.ahead)
        };
        assert_eq!([ahead(), ahead(), ahead()], [None, Some(7), None]);
        assert_eq!(faults.deeds(), []);
        answer(&faults, r#"{"fault":"close"}"#);
        assert_eq!((faults.deeds(), faults.deeds()), (vec![Fault::Close], vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let faults = live();
        for (line, field, words) in [
            ("", "line", "\"fault\""),
            ("[1]", "line", "\"cmd\""),
            ("{}", "line", "\"cmd\""),
            (r#"{"cmd":"clear","fault":"drop"}"#, "line", "\"cmd\""),
            (r#"{"when":{}}"#, "line", "\"cmd\""),
            (r#"{"cmd":"dance"}"#, "cmd", "verdict"),
            (r#"{"cmd":5}"#, "cmd", "verdict"),
            (r#"{"fault":"clsoe"}"#, "fault", "`close`"),
            (r#"{"fault":{"delay":{"by":"soon"}}}"#, "fault", "soon"),
            (r#"{"fault":{"reject":{"code":30}}}"#, "reject.code", "20 to 25"),
            (r#"{"fault":"drop","when":{"att":"1s"}}"#, "when", "att"),
            (r#"{"fault":"close","when":{"at":"1s","job":1}}"#, "when", "one of them"),
            (r#"{"fault":"close","then":1}"#, "then", "when"),
            (r#"{"fault":{"corrupt":{"bytes":1000000000000}}}"#, "corrupt.bytes", "131072"),
        ] {
            let said = answer(&faults, line);
            assert_eq!((&said["event"], &said["field"]), (&json!("error"), &json!(field)), "{line}: {said}");
            assert!(said["expected"].as_str().unwrap().contains(words), "{line}: {said}");
        }
        assert_eq!(faults.rules(), []);
        for _ in 0..1000 {
            answer(&faults, r#"{"fault":"drop"}"#);
        }
        assert_eq!(answer(&faults, r#"{"fault":"drop"}"#)["field"], "rules");
    }

    #[test]
    fn addresses() {
        let tcp: ControlAddress = "127.0.0.1:1".parse().unwrap();
        assert!(tcp.is_local() && !"0.0.0.0:1".parse::<ControlAddress>().unwrap().is_local());
        let error = "here".parse::<ControlAddress>().unwrap_err().to_string();
        assert!(error.contains("\"here\"; expected ADDRESS:PORT"), "{error}");
    }

    proptest! {
        #[test]
        fn no_line_panics_and_each_has_one_line_for_an_answer(
            bytes: Vec<u8>, fault in "[a-z_]{0,12}", field in "[a-z_.]{0,8}", value in "[-0-9a-z\"{}\\[\\].]{0,12}",
        ) {
            let faults = live();
            let nearly = [
                format!("{{\"fault\":\"{fault}\",\"when\":{{\"{field}\":{value}}}}}"),
                format!("{{\"fault\":{{\"{fault}\":{{\"{field}\":{value}}}}}}}"),
                format!("{{\"{field}\":{value}}}"),
                "[".repeat(5000),
                String::from_utf8_lossy(&bytes).into_owned(),
            ];
            for line in nearly {
                let said = answer(&faults, &line).to_string();
                prop_assert!(said.starts_with('{') && !said.contains('\n') && said.len() < 10_000, "{}", said);
            }
        }
    }
}
