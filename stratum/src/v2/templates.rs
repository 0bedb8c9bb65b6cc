//! The messages of the template distribution protocol (specification, sections 3 and 7).

use super::Frame;
use super::messages::messages;
use crate::message::MessageError;
use common_messages_sv2 as common;
use common_messages_sv2::{
    SetupConnection, SetupConnectionError, SetupConnectionErrorOwned, SetupConnectionOwned, SetupConnectionSuccess,
};
use template_distribution_sv2 as templates;
use template_distribution_sv2::{
    CoinbaseOutputConstraints, NewTemplate, NewTemplateOwned, RequestTransactionData, RequestTransactionDataError,
    RequestTransactionDataErrorOwned, RequestTransactionDataSuccess, RequestTransactionDataSuccessOwned,
    SetNewPrevHash, SetNewPrevHashOwned, SubmitSolution, SubmitSolutionOwned,
};

messages! {
    /// What a node says to a pool.
    pub enum TemplateServerMessage, "a message of the template distribution protocol, from a node to a pool" {
        SetupSuccess(SetupConnectionSuccess) "SetupConnection.Success"
            common::MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, common::CHANNEL_BIT_SETUP_CONNECTION_SUCCESS;
        SetupError(SetupConnectionErrorOwned: SetupConnectionError) "SetupConnection.Error"
            common::MESSAGE_TYPE_SETUP_CONNECTION_ERROR, common::CHANNEL_BIT_SETUP_CONNECTION_ERROR;
        Template(NewTemplateOwned: NewTemplate) "NewTemplate"
            templates::MESSAGE_TYPE_NEW_TEMPLATE, templates::CHANNEL_BIT_NEW_TEMPLATE;
        SetNewPrevHash(SetNewPrevHashOwned: SetNewPrevHash) "SetNewPrevHash"
            templates::MESSAGE_TYPE_SET_NEW_PREV_HASH, templates::CHANNEL_BIT_SET_NEW_PREV_HASH;
        Transactions(RequestTransactionDataSuccessOwned: RequestTransactionDataSuccess) "RequestTransactionData.Success"
            templates::MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_SUCCESS, templates::CHANNEL_BIT_REQUEST_TRANSACTION_DATA_SUCCESS;
        TransactionsError(RequestTransactionDataErrorOwned: RequestTransactionDataError) "RequestTransactionData.Error"
            templates::MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_ERROR, templates::CHANNEL_BIT_REQUEST_TRANSACTION_DATA_ERROR;
    }
}

messages! {
    /// What a pool says to a node.
    pub enum TemplateClientMessage, "a message of the template distribution protocol, from a pool to a node" {
        Setup(SetupConnectionOwned: SetupConnection) "SetupConnection"
            common::MESSAGE_TYPE_SETUP_CONNECTION, common::CHANNEL_BIT_SETUP_CONNECTION;
        Constraints(CoinbaseOutputConstraints) "CoinbaseOutputConstraints"
            templates::MESSAGE_TYPE_COINBASE_OUTPUT_CONSTRAINTS, templates::CHANNEL_BIT_COINBASE_OUTPUT_CONSTRAINTS;
        RequestTransactions(RequestTransactionData) "RequestTransactionData"
            templates::MESSAGE_TYPE_REQUEST_TRANSACTION_DATA, templates::CHANNEL_BIT_REQUEST_TRANSACTION_DATA;
        Solution(SubmitSolutionOwned: SubmitSolution) "SubmitSolution"
            templates::MESSAGE_TYPE_SUBMIT_SOLUTION, templates::CHANNEL_BIT_SUBMIT_SOLUTION;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::{Hash, sha256d};
    use common_messages_sv2::Protocol;

    const ID: &str = "0807060504030201";

    fn read(hex: &str) -> Frame {
        let bytes = hex::decode_to_vec(hex).unwrap();
        let [0, 0, kind, a, b, c, payload @ ..] = &bytes[..] else { panic!("{hex}") };
        assert_eq!(u32::from_le_bytes([*a, *b, *c, 0]) as usize, payload.len(), "{hex}");
        Frame { extension: 0, kind: *kind, payload: payload.to_vec() }
    }

    fn text(text: &str) -> binary_sv2::Str0255Owned {
        text.try_into().unwrap()
    }

    /// Put together by hand from the specification's tables (section 7, and 3.2 for the header): little-endian numbers; a byte of length
    /// before a text, two before `B0_64K`, three before `B0_16M`, and the count before a sequence.
    #[test]
    fn what_a_node_says_is_as_the_specification_has_it() {
        let template_id = 0x0102_0304_0506_0708;
        let hash = |last: u8| -> [u8; 32] { std::array::from_fn(|i| if i == 31 { last } else { 0x11 }) };
        let hash_hex = |last: u8| format!("{}{last:02x}", "11".repeat(31));
        for (message, expected) in [
            (
                TemplateServerMessage::SetupSuccess(SetupConnectionSuccess { used_version: 2, flags: 0 }),
                "000001060000 0200 00000000".to_owned(),
            ),
            (
                TemplateServerMessage::SetupError(SetupConnectionErrorOwned {
                    flags: 4,
                    error_code: text("unsupported-feature-flags"),
                }),
                "0000021e0000 04000000 19 756e737570706f727465642d666561747572652d666c616773".to_owned(),
            ),
            (
                TemplateServerMessage::Template(NewTemplateOwned {
                    template_id,
                    future_template: true,
                    version: 0x2000_0000,
                    coinbase_tx_version: 2,
                    coinbase_prefix: vec![0x01, 0x11].try_into().unwrap(),
                    coinbase_tx_input_sequence: 0xffff_fffe,
                    coinbase_tx_value_remaining: 5_000_000_000,
                    coinbase_tx_outputs_count: 1,
                    coinbase_tx_outputs: vec![0xaa, 0xbb, 0xcc].try_into().unwrap(),
                    coinbase_tx_locktime: 16,
                    merkle_path: vec![hash(1).into(), hash(2).into()].try_into().unwrap(),
                }),
                format!(
                    "0000716e0000 {ID} 01 00000020 02000000 02 0111 feffffff 00f2052a01000000 01000000 0300 aabbcc 10000000 02 {}{}",
                    hash_hex(1),
                    hash_hex(2)
                ),
            ),
            (
                TemplateServerMessage::SetNewPrevHash(SetNewPrevHashOwned {
                    template_id,
                    prev_hash: hash(3).into(),
                    header_timestamp: 0x6553_f100,
                    n_bits: 0x207f_ffff,
                    target: hash(0x7f).into(),
                }),
                format!("000072500000 {ID} {} 00f15365 ffff7f20 {}", hash_hex(3), hash_hex(0x7f)),
            ),
            (
                TemplateServerMessage::Transactions(RequestTransactionDataSuccessOwned {
                    template_id,
                    excess_data: vec![7].try_into().unwrap(),
                    transaction_list: vec![vec![1, 2].try_into().unwrap(), vec![3].try_into().unwrap()]
                        .try_into()
                        .unwrap(),
                }),
                format!("000074160000 {ID} 0100 07 0200 020000 0102 010000 03"),
            ),
            (
                TemplateServerMessage::TransactionsError(RequestTransactionDataErrorOwned {
                    template_id,
                    error_code: text("stale-template-id"),
                }),
                format!("0000751a0000 {ID} 11 7374616c652d74656d706c6174652d6964"),
            ),
        ] {
            let expected = expected.replace(' ', "");
            let (name, shown) = (message.name(), message.to_string());
            assert_eq!(message.into_bytes().unwrap(), hex::decode_to_vec(&expected).unwrap(), "{name}");
            let again = TemplateServerMessage::read(read(&expected)).unwrap();
            assert_eq!((again.name(), again.to_string()), (name, shown));
        }
    }

    #[test]
    fn what_a_pool_says_is_as_the_specification_has_it() {
        let template_id = 0x0102_0304_0506_0708;
        for (message, expected) in [
            (
                TemplateClientMessage::Setup(SetupConnectionOwned {
                    protocol: Protocol::TemplateDistributionProtocol,
                    min_version: 2,
                    max_version: 2,
                    flags: 0,
                    endpoint_host: text("h"),
                    endpoint_port: 8442,
                    vendor: text("ab"),
                    hardware_version: text(""),
                    firmware: text(""),
                    device_id: text(""),
                }),
                "000000130000 02 0200 0200 00000000 01 68 fa20 02 6162 00 00 00".to_owned(),
            ),
            (
                TemplateClientMessage::Constraints(CoinbaseOutputConstraints {
                    coinbase_output_max_additional_size: 0x0102,
                    coinbase_output_max_additional_sigops: 4,
                }),
                "000070060000 02010000 0400".to_owned(),
            ),
            (
                TemplateClientMessage::RequestTransactions(RequestTransactionData { template_id }),
                format!("000073080000 {ID}"),
            ),
            (
                TemplateClientMessage::Solution(SubmitSolutionOwned {
                    template_id,
                    version: 0x2000_2000,
                    header_timestamp: 0x6553_f100,
                    header_nonce: 0x0a0b_0c0d,
                    coinbase_tx: vec![0xca, 0xfe].try_into().unwrap(),
                }),
                format!("000076180000 {ID} 00200020 00f15365 0d0c0b0a 0200 cafe"),
            ),
        ] {
            let expected = expected.replace(' ', "");
            let (name, shown) = (message.name(), message.to_string());
            assert_eq!(message.into_bytes().unwrap(), hex::decode_to_vec(&expected).unwrap(), "{name}");
            let again = TemplateClientMessage::read(read(&expected)).unwrap();
            assert_eq!((again.name(), again.to_string()), (name, shown));
        }
    }

    #[test]
    fn what_is_neither_said_by_one_nor_whole_is_refused() {
        let error = |hex: &str| TemplateClientMessage::read(read(hex)).unwrap_err().to_string();
        assert!(error("000071000000").contains("message type"));
        assert!(
            error("000020000000").contains("a message of the template distribution protocol, from a pool to a node")
        );
        assert!(error("000070050000 0100000004".replace(' ', "").as_str()).contains("CoinbaseOutputConstraints"));
        let mut of_extension = read("0000700600000100000004 00".replace(' ', "").as_str());
        of_extension.extension = 0x4000;
        assert!(TemplateClientMessage::read(of_extension).unwrap_err().to_string().contains("extension_type"));
    }

    /// A frame is as long as a node's block may be, and no message of a pool's is.
    #[test]
    fn a_block_of_transactions_fits_in_a_frame() {
        let megabyte = vec![9; 1_000_000];
        let list: Vec<binary_sv2::B016MOwned> = (0..4).map(|_| megabyte.clone().try_into().unwrap()).collect();
        let message = TemplateServerMessage::Transactions(RequestTransactionDataSuccessOwned {
            template_id: 1,
            excess_data: Vec::new().try_into().unwrap(),
            transaction_list: list.try_into().unwrap(),
        });
        let bytes = message.into_bytes().unwrap();
        assert_eq!(bytes.len(), 6 + 8 + 2 + 2 + 4 * (3 + 1_000_000));
        let hash = sha256d::Hash::hash(&bytes[bytes.len() - 1_000_000..]);
        assert_eq!(hash, sha256d::Hash::hash(&megabyte));
    }
}
