//! The fuzz target `templates` as an ordinary test: on random bytes, and on a talk with a few bytes or frames changed, which reach further.

#[path = "../../../fuzz/src/templates.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's")]
mod body;

use crate::client::{Choice, Work, text};
use crate::script::{act, frame, moved};
use bitcoin::hashes::Hash;
use body::templates;
use common_messages_sv2::{MESSAGE_TYPE_SETUP_CONNECTION, Protocol, SetupConnectionOwned};
use pool_sim::chain::Params;
use pool_sim::node::Node;
use proptest::prelude::*;
use proptest::sample::Index;
use template_distribution_sv2::{
    CoinbaseOutputConstraints, MESSAGE_TYPE_COINBASE_OUTPUT_CONSTRAINTS, MESSAGE_TYPE_REQUEST_TRANSACTION_DATA,
    MESSAGE_TYPE_SUBMIT_SOLUTION, NewTemplateOwned, RequestTransactionData, SetNewPrevHashOwned,
};

/// What a pool is given first on a new chain.
fn work() -> Work {
    let template = Node::new(Params::regtest()).template();
    let commitment = template.witness_commitment.as_bytes();
    Work {
        template: NewTemplateOwned {
            template_id: 1,
            future_template: true,
            version: 0x2000_0000,
            coinbase_tx_version: 2,
            coinbase_prefix: vec![0x51].try_into().unwrap(),
            coinbase_tx_input_sequence: u32::MAX,
            coinbase_tx_value_remaining: template.coinbase_value.to_sat(),
            coinbase_tx_outputs_count: 1,
            coinbase_tx_outputs: [&[0; 8][..], &[38], commitment].concat().try_into().unwrap(),
            coinbase_tx_locktime: 0,
            merkle_path: Vec::new().try_into().unwrap(),
        },
        tip: SetNewPrevHashOwned {
            template_id: 1,
            prev_hash: template.previous_block_hash.to_byte_array().into(),
            header_timestamp: template.current_time,
            n_bits: template.bits.to_consensus(),
            target: bitcoin::Target::from_compact(template.bits).to_le_bytes().into(),
        },
    }
}

/// A whole talk, frame by frame.
fn talk() -> Vec<Vec<u8>> {
    let setup = SetupConnectionOwned {
        protocol: Protocol::TemplateDistributionProtocol,
        min_version: 2,
        max_version: 2,
        flags: 0,
        endpoint_host: text("node.example"),
        endpoint_port: 8442,
        vendor: text("v"),
        hardware_version: text("h"),
        firmware: text("f"),
        device_id: text("d"),
    };
    let constraints = |size| {
        let constraints = CoinbaseOutputConstraints {
            coinbase_output_max_additional_size: size,
            coinbase_output_max_additional_sigops: 4,
        };
        frame(MESSAGE_TYPE_COINBASE_OUTPUT_CONSTRAINTS, constraints)
    };
    let ask = |template_id| frame(MESSAGE_TYPE_REQUEST_TRANSACTION_DATA, RequestTransactionData { template_id });
    let claimed = work().template.coinbase_tx_value_remaining;
    let solution = |script: &[u8], met| {
        let choice = Choice { script: script.to_vec(), claimed, witness: true };
        frame(MESSAGE_TYPE_SUBMIT_SOLUTION, work().search(&choice, met))
    };
    vec![
        frame(MESSAGE_TYPE_SETUP_CONNECTION, setup),
        constraints(100),
        ask(1),
        solution(&[1], false),
        solution(&[2], true),
        act(0xf8),
        ask(1),
        ask(2),
        act(0xf9),
        act(0xf8),
        solution(&[3], true),
        constraints(200),
        ask(9),
    ]
}

#[test]
fn a_right_talk() {
    templates(&talk().concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes(bytes: Vec<u8>) {
        templates(&bytes);
    }

    #[test]
    fn frames_changed(changes in proptest::collection::vec((any::<Index>(), any::<Index>(), 0u8..3), 1..5)) {
        templates(&moved(talk(), changes));
    }

    #[test]
    fn bytes_changed(changes in proptest::collection::vec((any::<Index>(), 0usize..2, any::<u8>()), 1..5)) {
        let mut bytes = talk().concat();
        for (at, removed, put) in changes {
            let at = at.index(bytes.len() - 1);
            bytes.splice(at..at + removed, [put]);
        }
        templates(&bytes);
    }
}
