//! What the target `templates` does with its input. The pool's own tests run it too (`pool-sim/tests/templates/fuzz.rs`); it is no part of
//! the library here, for the same reason as `coinbase.rs`.

use bitcoin::ScriptBuf;
use midstate_stratum::v2::{Frame, TemplateServerMessage};
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::node::templates::{Heard, Talk};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Types from here on are no messages, but what the node does: the template of now is given, and a block comes.
const OFFER: u8 = 0xf8;
const BLOCK: u8 = 0xf9;
/// The first template's id.
const FIRST: u64 = 1;

/// Hears frames, each of them a type, an extension, a length of two bytes and so many of payload, and does what the node does between them.
/// Whatever comes, what is said is well formed and in order, nothing is given before it is asked for, and errors are short.
///
/// # Panics
/// When that does not hold.
pub fn templates(mut script: &[u8]) {
    let node = Node::new(Params::regtest());
    let mut pool = Pool { talk: Talk::default(), is_set_up: false, given: BTreeSet::new(), next: FIRST };
    while let [kind, extension, low, high, rest @ ..] = script {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        script = rest;
        match *kind {
            OFFER if pool.talk.is_open() => pool.offer(&node),
            OFFER => {}
            BLOCK => {
                node.generate(1, &ScriptBuf::new()).expect("it builds on the tip");
            }
            kind => {
                let frame = Frame { extension: u16::from(*extension), kind, payload: payload.to_vec() };
                if !pool.hear(frame, &node) {
                    return;
                }
            }
        }
    }
}

struct Pool {
    talk: Talk,
    is_set_up: bool,
    given: BTreeSet<u64>,
    next: u64,
}

impl Pool {
    /// Whether the talk goes on.
    fn hear(&mut self, frame: Frame, node: &Node) -> bool {
        match self.talk.hear(frame) {
            Ok(Heard::Answer(message)) => {
                match &message {
                    TemplateServerMessage::SetupSuccess(_) => assert!(!std::mem::replace(&mut self.is_set_up, true)),
                    TemplateServerMessage::Transactions(success) => assert!(self.given.contains(&success.template_id)),
                    TemplateServerMessage::TransactionsError(_) => assert!(self.talk.is_open()),
                    other => panic!("{other}"),
                }
                well_formed(message);
            }
            Ok(Heard::Refusal(message)) => {
                assert!(!self.is_set_up);
                well_formed(message);
                return false;
            }
            Ok(Heard::Constraints) => {
                assert!(self.is_set_up && self.talk.is_open());
                self.offer(node);
            }
            Ok(Heard::Solution(solution)) => match solution.block {
                Ok(block) => {
                    assert!(self.given.contains(&solution.template_id) && solution.hash == Some(block.block_hash()));
                    // Most are refused, and none stops the node.
                    let _ = node.submit_block(&block);
                }
                Err(error) => short(&error.to_string()),
            },
            Ok(Heard::Nothing(error)) => short(&error.to_string()),
            Err(error) => {
                short(&error.to_string());
                return false;
            }
        }
        true
    }

    fn offer(&mut self, node: &Node) {
        let template = Arc::new(node.template());
        let is_new = self.talk.last().is_none_or(|last| last.previous_block_hash != template.previous_block_hash);
        let said = self.talk.offer(self.next, template).expect("it can be said");
        let (future, count) = match &said[..] {
            [TemplateServerMessage::Template(template)] => (template.future_template, 1),
            [TemplateServerMessage::Template(template), TemplateServerMessage::SetNewPrevHash(tip)] => {
                assert_eq!((template.template_id, tip.template_id), (self.next, self.next));
                (template.future_template, 2)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!((future, count == 2), (is_new, is_new));
        said.into_iter().for_each(well_formed);
        self.given.insert(self.next);
        self.next += 1;
    }
}

fn well_formed(message: TemplateServerMessage) {
    let shown = message.to_string();
    let bytes = message.into_bytes().expect("it is short");
    let [0, 0, kind, a, b, c, payload @ ..] = &bytes[..] else { panic!("no header: {bytes:?}") };
    assert_eq!(u32::from_le_bytes([*a, *b, *c, 0]) as usize, payload.len());
    let frame = Frame { extension: 0, kind: *kind, payload: payload.to_vec() };
    assert_eq!(TemplateServerMessage::read(frame).expect("it is one of the node's").to_string(), shown);
}

fn short(said: &str) {
    assert!(!said.is_empty() && said.len() < 1200, "{said}");
}
