use super::*;
use crate::testing::share;

#[test]
fn urls_round_trip_and_secrets_stay_out_of_sight() {
    for url in ["http://127.0.0.1:18443", "http://[::1]:8332", "http://node.example:80"] {
        assert_eq!(url.parse::<NodeUrl>().unwrap().to_string(), url);
    }
    for wrong in ["https://node:1", "node:1", "http://node", "http://:1", "http://node:0", "http://a/b:1"] {
        assert!(wrong.parse::<NodeUrl>().is_err(), "{wrong}");
    }
    let login = Login::Password { user: "u".to_owned(), password: "correct horse".to_owned() };
    let pay_to = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h".parse().unwrap();
    let node = Node { url: "http://n:1".parse().unwrap(), login, pay_to, tag: Vec::new(), quota: None, zmq: None };
    assert!(!format!("{node:?}").contains("horse"));
}

/// Runs a test in a session whose block is on its way, with this for its answer.
fn submitting(answer: impl Future<Output = Result<Value, NodeError>> + Send + 'static, leave: bool) -> Event {
    let pay_to = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h".parse().unwrap();
    let login = Login::Password { user: "u".to_owned(), password: "p".to_owned() };
    let node = Node { url: "http://n:1".parse().unwrap(), login, pay_to, tag: Vec::new(), quota: None, zmq: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (events, mut said) = tokio::sync::mpsc::channel(8);
        let (_, mut no_more) = tokio::sync::mpsc::unbounded_channel();
        let mut session = NodeSession {
            client: Client::new(&node.url, &node.login).unwrap(),
            outbox: Outbox::new(events),
            pay_to: ScriptBuf::new(),
            demand: Demand::of_all(node.pay_to.clone(), Network::Regtest),
            extranonce1: [0; EXTRANONCE1_SIZE],
            templates: VecDeque::new(),
            submission: Some(Submission { share: share(1), sent: Instant::now(), answer: Box::pin(answer) }),
            jobs: 0,
            number: 0,
            worked: true,
            node: &node,
        };
        if leave {
            session.leave().await;
        }
        session.give_up(&mut no_more).await;
        drop(session);
        let event = said.recv().await.unwrap();
        assert!(said.recv().await.is_none(), "its fate was told twice");
        event
    })
}

#[test]
fn a_blocks_fate_is_told_however_its_session_ends() {
    let taken = || async { Ok(Value::Null) };
    assert!(matches!(submitting(taken(), true), Event::Answered { verdict: Ok(()), .. }));
    assert!(matches!(submitting(taken(), false), Event::Lost(shares) if shares.len() == 1));
    let silent = async { Err(NodeError::Silent { method: "submitblock" }) };
    assert!(matches!(submitting(silent, true), Event::Lost(shares) if shares.len() == 1));
    assert!(matches!(submitting(pending(), false), Event::Lost(shares) if shares.len() == 1));
}

#[test]
fn every_word_is_explained() {
    for word in ["duplicate", "inconclusive", "high-hash", "bad-version(0x00000001)", "bad-something-new"] {
        let RpcError { message, .. } = explained(word);
        assert!(message.starts_with(word) && message.len() > word.len() + 5, "{message}");
    }
}
