"""A Bitcoin Core without ZMQ, dressed as one that has it.

The source that crates.io carries lacks `src/zmq`, and para's pool refuses a node that does not publish `hashblock`. This
passes JSON-RPC through to the node, answers `getzmqnotifications` itself, and publishes each new tip over ZMTP 3.0 (the
NULL mechanism, a PUB socket), in the three frames that Bitcoin Core sends: topic, hash, sequence number.
"""
import contextlib, http.server, json, socket, struct, threading, time
from common import RpcError

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def frame(flags, body):
    return bytes([flags, len(body)]) + body


def ready():
    return frame(4, b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 3) + b"PUB")


class ZmqShim:
    def __init__(self, rpc):
        self.rpc, self.subscribers, self.forwarded = rpc, [], {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.zmq = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http.daemon_threads = True
        self.rpc_port = self.http.server_address[1]
        for work in (self.http.serve_forever, self.accept, self.publish):
            threading.Thread(target=work, daemon=True).start()

    def handler(shim):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                call = json.loads(body)
                method = call["method"] if isinstance(call, dict) else "batch"
                shim.forwarded[method] = shim.forwarded.get(method, 0) + 1
                if method == "getzmqnotifications":
                    result = [{"type": "pubhashblock", "address": shim.zmq, "hwm": 1000}]
                    status, answer = 200, json.dumps({"result": result, "error": None, "id": call.get("id")}).encode()
                else:
                    status, answer = shim.rpc.post(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def accept(self):
        while True:
            peer, _ = self.listener.accept()
            peer.settimeout(5)
            with contextlib.suppress(OSError):
                peer.sendall(GREETING)
                received = b""
                while len(received) < 64:
                    received += peer.recv(64 - len(received)) or b"\0" * 64
                peer.sendall(ready())
                self.subscribers.append(peer)
                threading.Thread(target=self.drain, args=(peer,), daemon=True).start()

    def drain(self, peer):
        """Reads what a subscriber says and forgets it: every message goes to everybody."""
        peer.settimeout(None)
        with contextlib.suppress(OSError):
            while peer.recv(4096):
                pass

    def publish(self):
        tip, sequence = None, 0
        while True:
            with contextlib.suppress(OSError, RpcError):
                now = self.rpc("getbestblockhash")
                if tip not in (None, now):
                    message = frame(1, b"hashblock") + frame(1, bytes.fromhex(now)) + frame(0, struct.pack("<I", sequence))
                    sequence += 1
                    for peer in list(self.subscribers):
                        try:
                            peer.sendall(message)
                        except OSError:
                            self.subscribers.remove(peer)
                tip = now
            time.sleep(0.02)
