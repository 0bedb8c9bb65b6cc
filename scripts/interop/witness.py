"""A relay between a miner and a pool that reads what passes, and judges each share by itself, with hashlib and whole numbers.

A share is right if its job was sent on this connection and builds on the newest tip, its extranonce2 has its size, its time is the job's
or up to 7000 s later, its version bits are within the mask, its header did not come before, and its hash meets the target of the
difficulty that was in force when its job was sent.
"""
import collections, hashlib, json, socket, threading, time
from fractions import Fraction

NTIME_AHEAD = 7000
# The pool knows a tip of others before the miner is told of it: shares that pass in between may be called stale, or not.
RACE = 1.0
CODES = {"stale": 21, "unknown job": 21, "duplicate": 22, "too high": 23, "ntime": 20, "version bits": 20, "extranonce2": 20}
Job = collections.namedtuple("Job", "previous coinbase branches version nbits ntime target mask extranonce1 size")


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def target_of(difficulty):
    """The target of a difficulty, rounded down, as a whole number."""
    return min(int(Fraction(0xFFFF << 208) / Fraction(difficulty)), (1 << 256) - 1)


def header_of(job, extranonce2, ntime, nonce, bits):
    root = sha256d(bytes.fromhex(job.coinbase[0] + job.extranonce1 + extranonce2 + job.coinbase[1]))
    for branch in job.branches:
        root = sha256d(root + bytes.fromhex(branch))
    version = job.version if bits is None else job.version & ~job.mask | bits
    word = lambda value: value.to_bytes(4, "little")
    return word(version) + job.previous + root + word(ntime) + word(job.nbits) + word(nonce)


class Share:
    """What a miner sent, the job that it is of, the header and its hash, and what the pool answered (None until then)."""

    def __init__(self, params, when):
        _, self.job, self.extranonce2, *words = params
        self.ntime, self.nonce = int(words[0], 16), int(words[1], 16)
        self.bits = int(words[2], 16) if len(words) > 2 else None
        self.time, self.answer, self.code, self.message = when, None, None, None
        self.sent, self.header, self.hash = None, None, None

    def __str__(self):
        header, found = self.header and self.header.hex(), self.hash and self.hash[::-1].hex()
        target = self.sent and f"{self.sent.target:064x}"
        return f"job {self.job}, extranonce2 {self.extranonce2}, header {header}, hash {found}, target {target}"


class Connection:
    """What passed on one connection."""

    def __init__(self):
        self.shares, self.hashes, self.jobs, self.tips = [], set(), {}, []
        self.asked, self.extranonce1, self.size, self.mask, self.difficulty, self.last = {}, "", 0, 0, None, 0.0

    def line_of_miner(self, message, now):
        if message.get("method") == "mining.submit":
            share = self.submit(message["params"], now)
            message = {"id": message.get("id"), "method": share}
        # Some miners give all their calls of a kind the same id; a pool answers in order.
        self.asked.setdefault(json.dumps(message.get("id")), collections.deque()).append(message.get("method"))

    def line_of_pool(self, message, now):
        method, params, self.last = message.get("method"), message.get("params"), now
        if method == "mining.set_difficulty":
            self.difficulty = params[0]
        elif method == "mining.set_version_mask":
            self.mask = int(params[0], 16)
        elif method == "mining.set_extranonce":
            self.extranonce1, self.size = params
        elif method == "mining.notify":
            number, previous, *coinbase = params[:4]
            branches, (version, nbits, ntime) = params[4], (int(word, 16) for word in params[5:8])
            # Each word of the previous hash comes turned around.
            previous = b"".join(bytes.fromhex(previous[at:at + 8])[::-1] for at in range(0, 64, 8))
            self.jobs[number] = Job(previous, coinbase, branches, version, nbits, ntime, target_of(self.difficulty), self.mask,
                                    self.extranonce1, self.size)
            if not self.tips or self.tips[-1][1] != previous:
                self.tips.append((now, previous))
        elif method is None and (asked := self.asked.get(json.dumps(message.get("id")))):
            call, result, error = asked.popleft(), message.get("result"), message.get("error")
            if isinstance(call, Share):
                call.answer = result is True
                call.code, call.message = (error or [None, None])[:2]
            elif call == "mining.subscribe":
                self.extranonce1, self.size = result[1:3]
            elif call == "mining.configure" and result.get("version-rolling"):
                self.mask = int(result["version-rolling.mask"], 16)

    def submit(self, params, now):
        share = Share(params, now)
        if job := self.jobs.get(share.job):
            share.sent = job
            share.header = header_of(job, share.extranonce2, share.ntime, share.nonce, share.bits)
            share.hash = sha256d(share.header)
            self.hashes.add(share.hash)
        self.shares.append(share)
        return share

    def verdicts(self):
        """Each share with all that is wrong with it, and with what may be: which of several wrongs a pool names is its affair."""
        tips, seen, overtaken = {previous for _, previous in self.tips}, set(), set()
        others = [when for when, previous in self.tips if previous not in self.hashes]
        for share in self.shares:
            job, wrong, doubtful = share.sent, set(), set()
            if job is None:
                yield share, {"unknown job"}, doubtful
                continue
            if len(share.extranonce2) != 2 * job.size:
                wrong.add("extranonce2")
            if not job.ntime <= share.ntime <= job.ntime + NTIME_AHEAD:
                wrong.add("ntime")
            if share.bits is not None and share.bits & ~job.mask:
                wrong.add("version bits")
            if int.from_bytes(share.hash, "little") > job.target:
                wrong.add("too high")
            if share.header in seen:
                wrong.add("duplicate")
            told = [previous for when, previous in self.tips if when <= share.time][-1]
            if told != job.previous or job.previous in overtaken:
                wrong.add("stale")
            elif any(share.time < when <= share.time + RACE for when in others) or share.time > self.last - RACE:
                doubtful.add("stale")
            yield share, wrong, doubtful
            seen.add(share.header)
            # It was a block: the pool knew this tip at once, and said so in a job later.
            if share.answer and share.hash in tips:
                overtaken.add(job.previous)

    def tally(self):
        """How many shares there were of each kind, and a line about each that was answered wrongly."""
        counts, wrongs = collections.Counter(), []
        for share, wrong, doubtful in self.verdicts():
            if share.answer is None:
                counts["unanswered"] += 1
            elif share.answer:
                counts["accepted"] += 1
                counts["invalid accepted"] += bool(wrong)
                if wrong:
                    wrongs.append(f"accepted, but {', '.join(sorted(wrong))}: {share}")
            else:
                reasons = sorted(reason for reason in wrong | doubtful if CODES[reason] == share.code)
                counts[f"refused: {' or '.join(reasons) or share.message}"] += 1
                counts["valid refused"] += not wrong and not doubtful
                if not reasons:
                    wrongs.append(f"refused with {share.code} {share.message!r}, but {', '.join(sorted(wrong)) or 'right'}: {share}")
        return counts, wrongs


class Witness:
    """Listens for miners on `port` and passes what they say on to a pool, and back."""

    def __init__(self, host, port):
        self.pool, self.connections, self.unread = (host, int(port)), [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            miner = self.listener.accept()[0]
            pool = socket.create_connection(self.pool)
            connection, lock = Connection(), threading.Lock()
            self.connections.append(connection)
            for source, sink, note in [(miner, pool, connection.line_of_miner), (pool, miner, connection.line_of_pool)]:
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(source, sink, note, lock), daemon=True).start()

    def _pass_on(self, source, sink, note, lock):
        """Reads each line, then passes it on: so what is noted first came first."""
        try:
            for line in source.makefile("rb"):
                try:
                    message = json.loads(line)
                    with lock:
                        note(message, time.monotonic())
                except Exception as error:  # Whatever strangers send: it is theirs to judge who gets it.
                    self.unread += 1
                    print(f"        not read: {line[:300]!r}: {error!r}", flush=True)
                sink.sendall(line)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
