// Mines a few shares with npm's stratum-client, which reads the wire; the header is built and hashed here with Node's crypto.
// Sends one share that must be refused as well. Prints what arrived, as one JSON object; exit code 0 if all went as it must.
//
// Usage: node stratum-client.js HOST PORT USER SHARES SECONDS     (NODE_PATH says where stratum-client is)
const { createHash } = require('crypto');
const stratum = require('stratum-client');

const [server, port, worker, shares, seconds] = process.argv.slice(2);
const seen = { subscribe: null, authorized: false, difficulty: null, jobs: 0, accepted: 0, refused: [], hashes: 0, closed: false };
let work = null;
let extranonce2 = 0;
let lying = false;

const sha256d = bytes => createHash('sha256').update(createHash('sha256').update(bytes).digest()).digest();
const littleEndian = hex => Buffer.from(hex, 'hex').reverse();
const target = difficulty => ((0xffffn << 208n) * 1000000000n) / BigInt(Math.round(difficulty * 1e9));
const pause = () => new Promise(resume => setImmediate(resume));
const end = code => { console.log(JSON.stringify(seen)); process.exit(code); };

function header(job, extranonce2) {
  const coinbase = Buffer.from(job.coinb1 + job.extraNonce1 + extranonce2 + job.coinb2, 'hex');
  const root = job.merkle_branch.reduce((hash, branch) => sha256d(Buffer.concat([hash, Buffer.from(branch, 'hex')])), sha256d(coinbase));
  const previous = Buffer.concat(job.prevhash.match(/.{8}/g).map(littleEndian));
  return Buffer.concat([littleEndian(job.version), previous, root, littleEndian(job.ntime), littleEndian(job.nbits), Buffer.alloc(4)]);
}

const client = stratum({
  server, port: Number(port), worker, password: 'x', autoReconnectOnError: false,
  onSubscribe: data => { seen.subscribe = data; },
  onAuthorizeSuccess: () => { seen.authorized = true; },
  onAuthorizeFail: error => { seen.authorized = error; end(1); },
  onNewDifficulty: difficulty => { seen.difficulty = difficulty; },
  onNewMiningWork: job => { seen.jobs += 1; work = job; },
  onSubmitWorkSuccess: () => { lying ? end(1) : seen.accepted += 1; answered(); },
  onSubmitWorkFail: error => { seen.refused.push(error); answered(); },
  onClose: () => { seen.closed = true; end(1); },
  onError: error => { seen.error = error.message; end(1); },
});
let answered = () => {};
const submit = (job, extranonce2, nonce) => new Promise(resume => {
  answered = resume;
  client.submit({ worker_name: worker, job_id: job.jobId, extranonce2, ntime: job.ntime, nonce: nonce.toString(16).padStart(8, '0') });
});

async function mine() {
  while (!work || !seen.authorized) await new Promise(resume => setTimeout(resume, 20));
  while (seen.accepted < Number(shares)) {
    const job = work;
    const extra = (extranonce2++).toString(16).padStart(2 * job.extraNonce2Size, '0');
    const bytes = header(job, extra);
    const limit = target(job.miningDiff);
    for (let nonce = 0; work === job && nonce <= 0xffffffff; nonce++) {
      bytes.writeUInt32LE(nonce, 76);
      seen.hashes += 1;
      if (BigInt('0x' + sha256d(bytes).reverse().toString('hex')) <= limit) { await submit(job, extra, nonce); break; }
      if (nonce % 4096 === 4095) await pause();
    }
  }
  // A share whose hash is too high must be refused, as too low in difficulty.
  await new Promise(resume => setTimeout(resume, 300));
  const extra = (extranonce2++).toString(16).padStart(2 * work.extraNonce2Size, '0');
  const bytes = header(work, extra);
  const tooEasy = (0x7fffffn << 232n);
  let nonce = 0;
  do { bytes.writeUInt32LE(++nonce, 76); } while (BigInt('0x' + sha256d(bytes).reverse().toString('hex')) <= tooEasy);
  lying = true;
  await submit(work, extra, nonce);
  end(seen.refused.length === 1 ? 0 : 1);
}

setTimeout(() => end(1), 1000 * Number(seconds));
mine();
