"""What the scripts here share: free ports, processes that end with the script, JSON-RPC, a real Bitcoin Core on regtest."""
import atexit, base64, collections, contextlib, json, os, pathlib, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time
import urllib.error, urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARA = "0.6.0"
STRATUM_CLIENT = "1.1.0"
PYZMQ = "27.3.0"
SV2 = {"pool_sv2": "0.7.0", "translator_sv2": "0.6.0"}
# Without the translator's telemetry of miners, which brings a TLS stack.
SV2_FEATURES = {"pool_sv2": [], "translator_sv2": ["--no-default-features"]}
# The keys of the example that comes with the pool.
SV2_PUBLIC, SV2_SECRET = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72", "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, probe, seconds=60, every=0.1):
    """The first true value of `probe`; ends the script if there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := probe():
            return value
        time.sleep(every)
    sys.exit(f"gave up on {what} after {seconds} s")


class Process:
    """A process whose output is kept, line by line and with the time of each, and which ends with the script."""

    def __init__(self, *command, env=None, keep=None):
        self.lines, self.times, self.keep = [], [], keep and open(keep, "w")
        # A group of its own, to be ended whole, but no session: Linux shares processors out among sessions first (autogroup), and what
        # threads leave to others they would leave to their own process only.
        self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0,
                                      env={**os.environ, "NO_COLOR": "1", **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        atexit.register(self.stop)

    def _read(self):
        for line in self.child.stdout:
            self.times.append(time.time())
            self.lines.append(line.rstrip("\n"))
            if self.keep:
                self.keep.write(line)
                self.keep.flush()

    def events(self, name=None):
        """Its lines that are JSON objects with this "event"."""
        found = []
        for line in list(self.lines):
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and name in (None, event.get("event")):
                    found.append(event)
        return found

    def running(self):
        return self.child.poll() is None

    def stop(self, seconds=20):
        """Asks it to end, then makes it. Returns its exit code."""
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGTERM)
        try:
            self.child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        self.reader.join(timeout=5)
        return self.child.returncode


class RpcError(Exception):
    pass


class Rpc:
    """A node's JSON-RPC."""

    def __init__(self, url, user, password):
        self.url = url if "://" in url else f"http://{url}"
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def post(self, body):
        """Status and body of the answer to a raw request."""
        request = urllib.request.Request(self.url, body, {"Authorization": self.authorization, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def __call__(self, method, *params):
        status, body = self.post(json.dumps({"jsonrpc": "1.0", "id": 1, "method": method, "params": params}).encode())
        if not body:
            raise RpcError(f"{method}: HTTP {status}")
        answer = json.loads(body)
        if answer.get("error") is not None:
            raise RpcError(f"{method}: {answer['error']}")
        return answer["result"]

    def chain(self):
        """Each block from height 1 on, as hex."""
        return [self("getblock", self("getblockhash", height), 0) for height in range(1, self("getblockcount") + 1)]


def bitcoin_core(directory, keep=None, program="bitcoind", options=()):
    """Starts the bitcoind, or bitcoin-node, that build-bitcoind made in `directory`, on regtest, alone. Returns its JSON-RPC, with its
    `process`, its `datadir`, and `zmq`, where it announces new tips."""
    bitcoind = pathlib.Path(directory) / "build/bin" / program
    if not bitcoind.exists():
        sys.exit(f"{bitcoind} is not there; scripts/interop/build-bitcoind {directory} builds it")
    datadir = tempfile.TemporaryDirectory()
    atexit.register(datadir.cleanup)
    port, zmq = free_port(), f"tcp://127.0.0.1:{free_port()}"
    node = Process(bitcoind, "-regtest", f"-datadir={datadir.name}", f"-rpcport={port}", "-rpcuser=u", "-rpcpassword=p",
                   "-listen=0", "-connect=0", "-dnsseed=0", "-printtoconsole=1", "-logtimemicros=1",
                   f"-zmqpubhashblock={zmq}", *options, keep=keep)
    rpc = Rpc(f"127.0.0.1:{port}", "u", "p")

    def answers():
        if not node.running():
            sys.exit("bitcoind ended:\n" + "\n".join(node.lines[-20:]))
        with contextlib.suppress(OSError, RpcError):
            return rpc("getnetworkinfo")["subversion"]

    rpc.version = wait_for("bitcoind", answers)
    rpc.process, rpc.datadir, rpc.zmq = node, pathlib.Path(datadir.name), zmq
    return rpc


def install_pyzmq(directory):
    """Makes libzmq, as PyPI's pyzmq carries it, importable."""
    venv = pathlib.Path(directory) / "venv"
    if not list(venv.glob("lib/python*/site-packages/zmq")):
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "-q", f"pyzmq=={PYZMQ}"], check=True)
    sys.path += [str(path) for path in venv.glob("lib/python*/site-packages")]


def our_node(pool_sim, directory, difficulty, *options):
    """Starts pool-sim, with these options too. Returns the process and its JSON-RPC; the process's `host` and `port` are where miners
    connect, and `ready` is all that it said of that."""
    pool = Process(pool_sim, "--listen", "127.0.0.1:0", "--rpc", "127.0.0.1:0", "--data-dir", directory / "pool-sim-data",
                   "--start-difficulty", difficulty, "--pay-to", PAY_TO, "--json", *options, keep=directory / "pool-sim.log")
    ready = wait_for("pool-sim", lambda: pool.events("ready") or not pool.running(), 20)
    if ready is True:
        sys.exit("pool-sim ended:\n" + "\n".join(pool.lines[-10:]))
    pool.ready = ready[0]
    pool.host, pool.port = ready[0]["listen"].rsplit(":", 1)
    pool.cookie = pathlib.Path(ready[0]["cookie"])
    return pool, Rpc(ready[0]["rpc"], *pool.cookie.read_text().strip().split(":", 1))


def submit_all(core, blocks):
    """Feeds blocks, in hex, to Bitcoin Core; prints a table. Returns how many were refused."""
    print(f"{'block':>6}  {'bytes':>7}  {'submitblock':<24} tip afterwards")
    refused = 0
    for height, block in enumerate(blocks, 1):
        try:
            answer = core("submitblock", block)
        except RpcError as error:
            answer = str(error)
        tip = core("getbestblockhash")
        refused += answer is not None
        print(f"{height:>6}  {len(block) // 2:>7}  {answer or 'null (taken)':<24} {tip}")
    return refused


def cargo_install_para(directory):
    """Installs crates.io's para, unless it is there. Returns the binary."""
    binary = pathlib.Path(directory) / "para/bin/para"
    if not binary.exists():
        print(f"installing para {PARA} from crates.io (tens of minutes on two cores)", flush=True)
        subprocess.run(["nice", "-n", "19", "cargo", "install", "para", "--quiet", "--locked", "--version", PARA, "--root",
                        pathlib.Path(directory) / "para"], check=True)
    return binary


def install_sv2(directory, crate):
    """Installs crates.io's pool_sv2 or translator_sv2, unless it is there."""
    if not (directory / "sv2/bin" / crate).exists():
        # The build reads the schemas of Core's interface with them.
        if shutil.which("apt-get") and not pathlib.Path("/usr/include/capnp/c++.capnp").exists():
            sudo = [] if os.getuid() == 0 else ["sudo"]
            subprocess.run([*sudo, "apt-get", "update", "-qq"], check=True)
            subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "capnproto", "libcapnp-dev"], check=True)
        print(f"installing {crate} {SV2[crate]} from crates.io (tens of minutes on two cores)", flush=True)
        subprocess.run(["nice", "-n", "15", "cargo", "install", "--quiet", "--locked", "--root", directory / "sv2", *SV2_FEATURES[crate],
                        f"{crate}@{SV2[crate]}"], env={**os.environ, "CARGO_TARGET_DIR": str(directory / "sv2/target")}, check=True)


def start_sv2(directory, crate, port, config):
    """Starts one of the two with this configuration, and waits until it listens."""
    file = directory / f"{crate.removesuffix('_sv2')}.toml"
    file.write_text(config)
    process = Process(directory / "sv2/bin" / crate, "-c", file, env={"RUST_LOG": "info"}, keep=directory / f"{crate}.log")

    def listens():
        if not process.running():
            sys.exit(f"{crate} ended:\n" + "\n".join(process.lines[-20:]))
        return any(f":{port:04X} 00000000:0000 0A" in line for line in open("/proc/net/tcp"))

    wait_for(crate, listens, 30)
    process.port = port
    return process


def core_templates(core):
    """How pool_sv2 has its templates of a bitcoin-node: over IPC."""
    return f"""
[template_provider_type.BitcoinCoreIpc]
version = 31
network = "regtest"
data_dir = "{core.datadir}"
fee_threshold = 100
min_interval = 5
"""


def our_templates(node):
    """How pool_sv2 has its templates of our node, by what that said when it was ready: over the template distribution protocol."""
    return f"""
[template_provider_type.Sv2Tp]
address = "{node['templates']}"
public_key = "{node['templates_authority']}"
"""


def pool_sv2(directory, templates, shares_per_minute, batch=1):
    """Starts pool_sv2 on a node, see core_templates and our_templates. It answers so many shares at once."""
    port = free_port()
    return start_sv2(directory, "pool_sv2", port, f"""
authority_public_key = "{SV2_PUBLIC}"
authority_secret_key = "{SV2_SECRET}"
cert_validity_sec = 3600
listen_address = "127.0.0.1:{port}"
coinbase_reward_script = "addr({PAY_TO})"
server_id = 1
pool_signature = "a pool"
shares_per_minute = {shares_per_minute}
share_batch_size = {batch}
{templates}""")


def translator_sv2(directory, pool, shares_per_minute, hashrate):
    """Starts translator_sv2 before a pool. It takes the weakest miner's hashrate for this, in hashes a second."""
    port = free_port()
    return start_sv2(directory, "translator_sv2", port, f"""
downstream_address = "127.0.0.1"
downstream_port = {port}
max_supported_version = 2
min_supported_version = 2
downstream_extranonce2_size = 4
verify_payout = false
aggregate_channels = false
supported_extensions = []
[downstream_difficulty_config]
min_individual_miner_hashrate = {hashrate}
shares_per_minute = {shares_per_minute}
enable_vardiff = true
job_keepalive_interval_secs = 60
[[upstreams]]
address = "127.0.0.1"
port = {pool.port}
authority_pubkey = "{SV2_PUBLIC}"
user_identity = "translator"
""")


def complaints(name, process, most=6):
    """Prints what a program of the Stratum V2 Reference Implementation warned of, and how often."""
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in process.lines]
    counted = collections.Counter(re.sub(r"^\S+\s+", "", line) for line in plain if "WARN" in line or "ERROR" in line)
    for line, count in counted.most_common(most):
        print(f"{name}, {count} times: {line[:200]}")


def paying_blocks(core, first):
    """The blocks from this height on, and how many of them pay PAY_TO."""
    blocks = [core("getblock", core("getblockhash", height), 2) for height in range(first, core("getblockcount") + 1)]
    # The output's script rather than its address, as 0 and a push of twenty zero bytes.
    pays = lambda out: out["scriptPubKey"]["hex"] == "0014" + "00" * 20 and out["value"] > 0
    return blocks, sum(any(pays(out) for out in block["tx"][0]["vout"]) for block in blocks)


def build_ours(*packages):
    """Builds our binaries, in release or in the profile that PROFILE names: midstate and pool-sim, or these. Returns where they are."""
    packages = packages or ("midstate", "pool-sim")
    profile = os.environ.get("PROFILE", "release")
    subprocess.run(["cargo", "build", "--quiet", "--profile", profile, "--locked",
                    *(f"-p={package}" for package in packages)], cwd=ROOT, check=True)
    target = json.loads(subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"], cwd=ROOT, check=True,
                                       capture_output=True).stdout)["target_directory"]
    built = pathlib.Path(target) / ("debug" if profile == "dev" else profile)
    return [built / package for package in packages]


class Checks:
    """What had to hold, said as it is found."""

    def __init__(self):
        self.failed = 0

    def __call__(self, holds, what):
        print(("ok      " if holds else "FAILED  ") + what, flush=True)
        self.failed += not holds

    def exit_code(self):
        return 1 if self.failed else 0


# A regtest address that nobody has the key of: P2WPKH of twenty bytes 0x00.
PAY_TO = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"
