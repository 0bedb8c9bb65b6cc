//! The small print of Bitcoin Core's JSON-RPC over HTTP, read byte by byte.

use pool_sim::chain::Params;
use pool_sim::node::{Auth, Node, RpcServer, serve};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio::runtime::Runtime;

/// alice:s3cret
const AUTH: &str = "Authorization: Basic YWxpY2U6czNjcmV0\r\n";

struct Setup {
    server: RpcServer,
    _runtime: Runtime,
}

fn setup() -> Setup {
    let runtime = Runtime::new().unwrap();
    let node = Node::new(Params::regtest());
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = runtime.block_on(serve(node, listen, Auth::password("alice", "s3cret"))).unwrap();
    Setup { server, _runtime: runtime }
}

impl Setup {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Everything that comes back.
    fn send(&self, start: &str, headers: &str, body: &str) -> String {
        let mut stream = self.connect();
        let length = body.len();
        let request = format!(
            "{start} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        // A server that refuses early may close while we write.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    fn post(&self, body: &str) -> (String, String) {
        let answer = self.send("POST /", AUTH, body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    fn error(&self, body: &str) -> (i64, String) {
        let answer: Value = serde_json::from_str(&self.post(body).1).unwrap();
        (answer["error"]["code"].as_i64().unwrap(), answer["error"]["message"].as_str().unwrap().to_owned())
    }

    fn call(&self, method: &str, params: &Value) -> Value {
        let body = json!({"id": 1, "method": method, "params": params}).to_string();
        let answer: Value = serde_json::from_str(&self.post(&body).1).unwrap();
        assert_eq!(answer["error"], Value::Null, "{method}");
        answer["result"].clone()
    }
}

/// ckpool ends its headers' lines by a bare newline, keeps the connection, wants `HTTP/1.1 200 OK` and then one line.
#[test]
fn ckpool_is_understood() {
    let setup = setup();
    let mut stream = setup.connect();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..2 {
        let body = "{\"method\": \"getbestblockhash\"}\n";
        let address = setup.server.address();
        let request = format!(
            "POST / HTTP/1.1\nAuthorization: Basic YWxpY2U6czNjcmV0\nHost: {address}/\n\
             Content-type: application/json\nContent-Length: {}\n\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 OK"), "{line}");
        while line.trim_end() != "" {
            line.clear();
            lines.read_line(&mut line).unwrap();
        }
        line.clear();
        lines.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["result"], "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206");
    }
}

#[test]
fn http_answers_say_what_is_wrong() {
    let setup = setup();
    let call = r#"{"id":1,"method":"getblockcount"}"#;
    let refused = setup.send("POST /", "", call);
    assert!(refused.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{refused}");
    assert!(refused.to_lowercase().contains("www-authenticate: basic realm=\"jsonrpc\""), "{refused}");
    assert!(setup.send("GET /", AUTH, "").starts_with("HTTP/1.1 405"));
    assert!(setup.send("POST /elsewhere", AUTH, call).starts_with("HTTP/1.1 404"));
    assert!(setup.send("POST /", AUTH, &" ".repeat(10_000_000)).starts_with("HTTP/1.1 413"));
    assert!(setup.send("POST /", AUTH, call).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn notifications_have_no_answer() {
    let setup = setup();
    let notification = r#"{"jsonrpc":"2.0","method":"getblockcount"}"#;
    assert_eq!(setup.post(notification), ("HTTP/1.1 204 No Content".to_owned(), String::new()));
    assert!(setup.post(&format!("[{notification}]")).0.contains("204"));
    let (status, body) = setup.post(&format!(r#"[{notification},{{"id":7,"method":"getblockcount"}}]"#));
    assert!(status.contains("200"));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!([{"result": 0, "error": null, "id": 7}]));
    assert_eq!(setup.post("[]"), ("HTTP/1.1 200 OK".to_owned(), "[]\n".to_owned()));
    // 1.x has no notifications.
    assert!(setup.post(r#"{"method":"getblockcount"}"#).1.contains("\"result\":0"));
}

#[test]
fn errors_have_bitcoin_cores_codes_and_words() {
    let setup = setup();
    let cases = [
        ("{", -32700, "Parse error"),
        ("7", -32600, "Invalid Request object"),
        (r#"{"id":1}"#, -32600, "Missing method"),
        (r#"{"id":1,"method":[]}"#, -32600, "Method must be a string"),
        (r#"{"id":1,"method":"help","params":7}"#, -32600, "Params must be an array or object"),
        (r#"{"jsonrpc":2,"id":1,"method":"help"}"#, -32600, "jsonrpc field must be a string"),
        (r#"{"jsonrpc":"3.0","id":1,"method":"help"}"#, -32600, "JSON-RPC version not supported"),
        (r#"{"id":1,"method":"dance"}"#, -32601, "Method not found"),
        (r#"{"id":1,"method":"getblockhash"}"#, -1, "getblockhash height"),
        (r#"{"id":1,"method":"getblockcount","params":[1]}"#, -1, "getblockcount"),
        (r#"{"id":1,"method":"getblockhash","params":[1]}"#, -8, "Block height out of range"),
        (r#"{"id":1,"method":"getblockhash","params":[0.5]}"#, -1, "JSON integer out of range"),
        (
            r#"{"id":1,"method":"getblock","params":[7]}"#,
            -3,
            "Wrong type passed:\n{\n    \"Position 1 (blockhash)\": \"JSON value of type number is not of expected type string\"\n}",
        ),
        (r#"{"id":1,"method":"getblock","params":["ab"]}"#, -8, "blockhash must be of length 64 (not 2, for 'ab')"),
        (r#"{"id":1,"method":"getblockhash","params":{"depth":1}}"#, -8, "Unknown named parameter depth"),
        (r#"{"id":1,"method":"submitblock","params":["zz"]}"#, -22, "Block decode failed"),
        (
            r#"{"id":1,"method":"getblocktemplate","params":[{"mode":"proposal"}]}"#,
            -3,
            "Missing data String key for proposal",
        ),
    ];
    for (body, code, message) in cases {
        assert_eq!(setup.error(body), (code, message.to_owned()), "{body}");
    }
    let zs = "z".repeat(64);
    let body = json!({"id": 1, "method": "getblockheader", "params": [zs]}).to_string();
    assert_eq!(setup.error(&body), (-8, format!("blockhash must be hexadecimal string (not '{zs}')")));
    let body = json!({"id": 1, "method": "getblockheader", "params": ["0".repeat(64)]}).to_string();
    assert_eq!(setup.error(&body), (-5, "Block not found".to_owned()));
}

#[test]
fn templates_have_bitcoin_cores_fields() {
    let setup = setup();
    let template = setup.call("getblocktemplate", &json!([{"rules": ["segwit"]}]));
    let keys: Vec<&String> = template.as_object().unwrap().keys().collect();
    // Bitcoin Core 29 on regtest, in alphabetical order.
    let expected = [
        "bits",
        "capabilities",
        "coinbaseaux",
        "coinbasevalue",
        "curtime",
        "default_witness_commitment",
        "height",
        "longpollid",
        "mintime",
        "mutable",
        "noncerange",
        "previousblockhash",
        "rules",
        "sigoplimit",
        "sizelimit",
        "target",
        "transactions",
        "vbavailable",
        "vbrequired",
        "version",
        "weightlimit",
    ];
    assert_eq!(keys, expected);
    assert_eq!(template["rules"], json!(["csv", "!segwit", "taproot"]));
    assert_eq!(template["mutable"], json!(["time", "transactions", "prevblock"]));
    assert_eq!((&template["bits"], &template["height"]), (&json!("207fffff"), &json!(1)));
    assert_eq!(template["coinbasevalue"], 5_000_000_000_u64);
    assert_eq!(template["version"], 0x2000_0000);
}

#[test]
fn the_small_methods_answer() {
    let setup = setup();
    let help = setup.call("help", &json!([]));
    assert!(help.as_str().unwrap().lines().any(|line| line.starts_with("getblocktemplate")));
    assert_eq!(setup.call("help", &json!(["getblockhash"])), "getblockhash height");
    assert_eq!(setup.call("help", &json!(["dance"])), "help: unknown command: dance");
    assert!(setup.call("uptime", &json!([])).as_u64().unwrap() < 60);
    // What Bitcoin Core shows on regtest: 4.656542373906925e-10.
    assert!((setup.call("getdifficulty", &json!([])).as_f64().unwrap() - 4.656_542_373_906_925e-10).abs() < 1e-24);
    assert!(setup.call("getnetworkinfo", &json!([]))["subversion"].as_str().unwrap().starts_with("/pool-sim:"));
    assert_eq!(setup.call("getmininginfo", &json!([]))["networkhashps"], 0.0);
    let address = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
    setup.call("generatetoaddress", &json!([30, address]));
    assert!(setup.call("getmininginfo", &json!([]))["networkhashps"].as_f64().unwrap() > 0.0);
    // The examples of BIP 173 and 350 have these programs.
    let valid = setup.call("validateaddress", &json!(["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"]));
    assert_eq!(valid["witness_program"], "751e76e8199196d454941c45d1b3a323f1433bd6");
    assert_eq!(valid["scriptPubKey"], "0014751e76e8199196d454941c45d1b3a323f1433bd6");
}
