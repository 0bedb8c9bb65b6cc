//! Alone on a node: block templates in place of a pool's jobs, blocks in place of shares (BIP 22, BIP 23).

mod rpc;
mod template;
mod zmq;

pub use template::{MAX_TAG, Template, TemplateError};
pub use zmq::{ZmqError, ZmqUrl};

use super::error::SessionError;
use super::outbox::Outbox;
use super::payout::Demand;
use super::session::LEAVE;
use super::url::{UrlError, host_and_port, without_userinfo, write_url};
use super::{Event, VERSION_MASK, next_number};
use crate::job::Share;
use crate::sha256::Hash;
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network, ScriptBuf};
use midstate_stratum::Difficulty;
use midstate_stratum::message::RpcError;
use rpc::Client;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use template::{EXTRANONCE1_SIZE, EXTRANONCE2_SIZE};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout};
use zmq::{Announcements, Heard};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// A long poll that brings nothing for so long is asked anew, for a template with the present time.
const LONG_POLL: Duration = Duration::from_secs(90);
/// How often a node is asked that knows no long poll.
const POLL: Duration = Duration::from_secs(2);
/// Templates that shares may still come of.
const KEPT: usize = 8;

/// A node to mine on alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    /// Where its JSON-RPC is.
    pub url: NodeUrl,
    /// How it knows its user.
    pub login: Login,
    /// Whom blocks pay.
    pub pay_to: Address<NetworkUnchecked>,
    /// What else stands in a block's coinbase, up to [`MAX_TAG`] bytes.
    pub tag: Vec<u8>,
    /// As a pool's.
    pub quota: Option<NonZeroU32>,
    /// Where it announces new tips (`hashblock`), which are else heard of by long poll alone.
    pub zmq: Option<ZmqUrl>,
}

/// How a node knows its user.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// By a file that the node writes when it starts.
    Cookie(PathBuf),
    /// By name and password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords have no business in logs.
        f.debug_struct("Node").field("url", &self.url).field("pay_to", &self.pay_to).finish_non_exhaustive()
    }
}

/// Where a node's JSON-RPC is: `http://HOST:PORT`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeUrl {
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl FromStr for NodeUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<NodeUrl, UrlError> {
        let rest = url.strip_prefix("http://").ok_or_else(|| UrlError::Scheme(without_userinfo(url)))?;
        host_and_port(url, rest).map(|(host, port)| NodeUrl { host, port })
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeUrl { host, port } = self;
        write_url(f, "http", host, *port)
    }
}

/// What went wrong with a node.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The cookie.
    #[error("cookie {path:?}: {source}; the node writes it when it starts")]
    Cookie {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No connection, or none that is HTTP.
    #[error("the node cannot be asked: {0}")]
    Http(String),
    /// No answer.
    #[error("the node did not answer {method}")]
    Silent {
        /// What it was asked.
        method: &'static str,
    },
    /// The user or the password.
    #[error("the node refused the login (HTTP {0}): check the user and password, or the cookie")]
    Login(u16),
    /// Something else than JSON-RPC.
    #[error("the answer is no JSON-RPC (HTTP {status}): is this a node's RPC port?")]
    NotJson {
        /// The answer's status.
        status: u16,
    },
    /// The node said no.
    #[error("the node refused {method}: {message} ({code})")]
    Refused {
        /// What it was asked.
        method: &'static str,
        /// Its code.
        code: i64,
        /// Its reason.
        message: String,
    },
    /// The address is for another network.
    #[error("pay-to: the address is not for the node's chain, {chain}")]
    Network {
        /// The chain, as the node calls it.
        chain: String,
    },
    /// The template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// A node's answers, from its first to its end.
pub(super) struct NodeSession<'a> {
    node: &'a Node,
    client: Client,
    outbox: Outbox,
    pay_to: ScriptBuf,
    /// That our own jobs pay it.
    demand: Demand,
    extranonce1: [u8; EXTRANONCE1_SIZE],
    /// The newest last.
    templates: VecDeque<Template>,
    /// The block that the node is asked about, if any.
    submission: Option<Submission>,
    jobs: u64,
    /// Jobs carry it.
    pub(super) number: u64,
    pub(super) worked: bool,
}

/// A block on its way. It outlives a session's `run`, which may be dropped at any wait: a block's fate is always told.
struct Submission {
    share: Share,
    sent: Instant,
    answer: Answer,
}

/// What a node answers, when it does.
type Answer = Pin<Box<dyn Future<Output = Result<Value, NodeError>> + Send>>;

impl<'a> NodeSession<'a> {
    /// Asks a node for its chain.
    pub(super) async fn open(node: &'a Node, outbox: Outbox) -> Result<Self, NodeError> {
        let client = Client::new(&node.url, &node.login)?;
        let info = client.call("getblockchaininfo", json!([]), PATIENCE).await?;
        let chain = info["chain"].as_str().unwrap_or_default();
        let network = Network::from_core_arg(chain).ok();
        let network = network.filter(|network| node.pay_to.is_valid_for_network(*network));
        let network = network.ok_or_else(|| NodeError::Network { chain: chain.to_owned() })?;
        let pay_to = node.pay_to.assume_checked_ref().script_pubkey();
        let demand = Demand::of_all(node.pay_to.clone(), network);
        let mut extranonce1 = [0; EXTRANONCE1_SIZE];
        // Only so that two miners on one node, for one address, do not search the same headers.
        let _ = getrandom::fill(&mut extranonce1);
        let (templates, submission, jobs) = (VecDeque::new(), None, 0);
        Ok(NodeSession {
            node,
            client,
            outbox,
            pay_to,
            demand,
            extranonce1,
            templates,
            submission,
            jobs,
            number: next_number(),
            worked: false,
        })
    }

    /// Until the session ends; `Ok` when the miner dropped its handle.
    pub(super) async fn run(&mut self, shares: &mut UnboundedReceiver<Share>) -> Result<(), SessionError> {
        let first = self.client.call("getblocktemplate", request(None), PATIENCE).await.map_err(SessionError::Node)?;
        self.outbox.say(Event::Connected {
            url: self.node.url.to_string(),
            extranonce1: self.extranonce1.to_vec(),
            extranonce2_size: EXTRANONCE2_SIZE,
            version_mask: VERSION_MASK,
            resumed: false,
        });
        self.begin(first)?;
        let mut announcements = Announcements::new(self.node.zmq.as_ref(), self.client.clone());
        loop {
            let long_poll = self.templates.back().and_then(|template| template.long_poll.clone());
            let mut next = std::pin::pin!(next_template(self.client.clone(), long_poll));
            loop {
                self.outbox.deliver().await;
                tokio::select! {
                    template = &mut next => {
                        if let Some(template) = template.map_err(SessionError::Node)? {
                            self.begin(template)?;
                        }
                        break;
                    }
                    heard = announcements.next(self.tip()) => match heard.map_err(SessionError::Node)? {
                        // What the long poll answers now may be older, so it is asked anew.
                        Heard::Template(template) if !self.is_on_tip(&template) => {
                            self.begin(template)?;
                            break;
                        }
                        Heard::Template(_) => {}
                        Heard::Nothing { url, error } => self.outbox.say(Event::Unheard { url, error }),
                    },
                    answer = answer(&mut self.submission) => self.on_answer(answer)?,
                    // One block after the other: the next may build on what became of this.
                    share = shares.recv(), if self.submission.is_none() => match share {
                        Some(share) => self.submit(share),
                        None => return Ok(()),
                    },
                }
            }
        }
    }

    /// Waits a little for the node's word on the block it has, as the session is going to be left.
    pub(super) async fn leave(&mut self) {
        if self.submission.is_some()
            && let Ok(answer) = timeout(LEAVE, answer(&mut self.submission)).await
        {
            // What ends the session ends it anyway.
            let _ = self.on_answer(answer);
        }
    }

    /// The session ended: what waits to be sent is lost, and whether the node has what was sent nobody knows.
    pub(super) async fn give_up(&mut self, shares: &mut UnboundedReceiver<Share>) {
        let submitted = self.submission.take().map(|submission| submission.share);
        let lost = submitted.into_iter().chain(std::iter::from_fn(|| shares.try_recv().ok())).collect();
        self.outbox.lose(lost);
        self.outbox.deliver().await;
    }

    /// What the newest template's block comes after.
    fn tip(&self) -> [u8; 32] {
        self.templates.back().map_or([0; 32], |template| template.job.previous_block_hash)
    }

    fn is_on_tip(&self, template: &Value) -> bool {
        template["previousblockhash"] == Hash(self.tip()).to_string()
    }

    fn begin(&mut self, template: Value) -> Result<(), SessionError> {
        self.jobs += 1;
        let (id, Node { tag, .. }) = (self.jobs.to_string(), self.node);
        let template = Template::read(template, id, &self.pay_to, tag, self.extranonce1);
        let mut template = template.map_err(|error| SessionError::Node(error.into()))?;
        Arc::make_mut(&mut template.job).session = self.number;
        let job = template.job.clone();
        // A mistake here would give a block's reward away.
        let checked = self.demand.check(&job);
        checked.map_err(|error| SessionError::Payout { job: job.id.clone(), error })?;
        let tip = self.templates.back().map(|template| template.job.previous_block_hash);
        let clean = tip != Some(job.previous_block_hash);
        if clean {
            self.templates.clear();
        }
        self.templates.push_back(template);
        if self.templates.len() > KEPT {
            self.templates.pop_front();
        }
        let difficulty = Difficulty::new(job.target.difficulty()).unwrap_or(Difficulty::ONE);
        self.outbox.say(Event::Job { job, difficulty, clean, beside: Vec::new() });
        self.worked = true;
        Ok(())
    }

    fn submit(&mut self, share: Share) {
        let Some(template) = self.templates.iter().find(|template| template.job == share.origin.job) else {
            self.outbox.say(Event::Lost(vec![share]));
            return;
        };
        let (client, block) = (self.client.clone(), template.block(&share));
        let answer = Box::pin(async move { client.call("submitblock", json!([block]), PATIENCE).await });
        self.submission = Some(Submission { share, sent: Instant::now(), answer });
    }

    /// What the node says of the block that it was sent.
    fn on_answer(&mut self, answer: Result<Value, NodeError>) -> Result<(), SessionError> {
        let Some(Submission { share, sent, .. }) = self.submission.take() else { return Ok(()) };
        let verdict = match answer {
            Ok(Value::Null) => Ok(()),
            Ok(word) => Err(explained(word.as_str().unwrap_or("an answer that is no word"))),
            Err(NodeError::Refused { code, message, .. }) => Err(RpcError { code, message }),
            Err(error) => {
                // Whether it has the block nobody knows.
                self.outbox.say(Event::Lost(vec![share]));
                return Err(SessionError::Node(error));
            }
        };
        self.outbox.say(Event::Answered { share: Box::new(share), verdict, round_trip: sent.elapsed() });
        Ok(())
    }
}

/// The node's answer to a submission; never, where there is none.
async fn answer(submission: &mut Option<Submission>) -> Result<Value, NodeError> {
    match submission {
        Some(submission) => submission.answer.as_mut().await,
        None => pending().await,
    }
}

fn request(long_poll: Option<&str>) -> Value {
    match long_poll {
        None => json!([{"rules": ["segwit"]}]),
        Some(id) => json!([{"rules": ["segwit"], "longpollid": id}]),
    }
}

/// The next template, when there is something new; `None` where the time has come to ask again.
async fn next_template(client: Client, long_poll: Option<String>) -> Result<Option<Value>, NodeError> {
    let Some(id) = long_poll else {
        tokio::time::sleep(POLL).await;
        return client.call("getblocktemplate", request(None), PATIENCE).await.map(Some);
    };
    match client.call("getblocktemplate", request(Some(&id)), LONG_POLL).await {
        Ok(template) => Ok(Some(template)),
        // Nothing new, or a node that is gone: which of the two, this tells.
        Err(NodeError::Silent { .. }) => client.call("getblocktemplate", request(None), PATIENCE).await.map(Some),
        Err(error) => Err(error),
    }
}

/// What a word of `submitblock` means (BIP 22).
fn explained(word: &str) -> RpcError {
    let (code, meaning) = match word {
        "duplicate" => (22, "the node has this block already"),
        "duplicate-invalid" => (22, "the node has seen this block, and found it invalid"),
        "duplicate-inconclusive" => (22, "the node has this block, and has not judged it yet"),
        "inconclusive" => (21, "it is valid, but another block of its height came first"),
        "bad-prevblk" | "prev-blk-not-found" | "stale-prevblk" => (21, "the block before it is not the node's best"),
        "high-hash" => (23, "its hash does not meet the target"),
        "bad-cb-height" => (20, "its coinbase does not begin with the height (BIP 34)"),
        "bad-cb-amount" => (20, "its coinbase pays more than the subsidy and the fees"),
        "bad-txnmrklroot" => (20, "its merkle root is not that of its transactions"),
        "bad-witness-merkle-match" => (20, "its witness commitment is not that of its witnesses"),
        "time-too-old" => (20, "its time is not after the median of the last eleven blocks"),
        "time-too-new" => (20, "its time is more than two hours ahead of the node's clock"),
        word if word.starts_with("bad-version") => (20, "the chain takes no blocks of its version any more"),
        _ => (20, "the node refused it"),
    };
    RpcError { code, message: format!("{word}: {meaning}") }
}

#[cfg(test)]
mod tests;
