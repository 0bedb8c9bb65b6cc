// A miner of two npm packages: stratum-client reads and writes the wire; bitcoin-miner builds the header, hashes it and compares it with
// the target. Here: the coinbase's way to the merkle root, and which nonces are tried.
//
// Usage: node bitcoin-miner.js HOST PORT USER     (NODE_PATH says where the packages are)
const { createHash } = require('crypto');
const Miner = require('bitcoin-miner');
const stratum = require('stratum-client');

const [server, port, worker] = process.argv.slice(2);
let work = null;
let extranonce2 = 0;

const sha256d = bytes => createHash('sha256').update(createHash('sha256').update(bytes).digest()).digest();
const swapWords = hex => Buffer.concat(hex.match(/.{8}/g).map(word => Buffer.from(word, 'hex').reverse()));
const display = bytes => Buffer.from(bytes).reverse().toString('hex');

function block(job, extranonce2) {
  const coinbase = Buffer.from(job.coinb1 + job.extraNonce1 + extranonce2 + job.coinb2, 'hex');
  const root = job.merkle_branch.reduce((hash, branch) => sha256d(Buffer.concat([hash, Buffer.from(branch, 'hex')])), sha256d(coinbase));
  const [version, time] = [job.version, job.ntime].map(word => parseInt(word, 16));
  return { version, previousblockhash: display(swapWords(job.prevhash)), merkleroot: display(root), time, bits: job.nbits };
}

// bitcoin-miner takes its target from a block's compact one: here the share's, rounded down.
function compact(difficulty) {
  const hex = (((0xffffn << 208n) * 1000000000000n) / BigInt(Math.ceil(difficulty * 1e12))).toString(16);
  const bytes = (hex.length % 2 ? '0' : '') + hex;
  const padded = parseInt(bytes.slice(0, 2), 16) >= 0x80 ? `00${bytes}` : bytes;
  return (padded.length / 2).toString(16).padStart(2, '0') + padded.padEnd(6, '0').slice(0, 6);
}

const client = stratum({
  server, port: Number(port), worker, password: 'x', autoReconnectOnError: false,
  onNewDifficulty: difficulty => console.log(`difficulty ${difficulty}`),
  onNewMiningWork: job => { work = job; },
  onSubmitWorkFail: error => console.log(`refused: ${JSON.stringify(error)}`),
  onClose: () => process.exit(1),
});

async function mine() {
  for (;;) {
    const job = work;
    if (!job) { await new Promise(resume => setTimeout(resume, 20)); continue; }
    const extra = (extranonce2++).toString(16).padStart(2 * job.extraNonce2Size, '0');
    const header = new Miner(block(job, extra));
    const share = new Miner({ ...block(job, extra), bits: compact(job.miningDiff) });
    // bitcoin-miner writes the nonce as a signed word.
    for (let nonce = 0; work === job && nonce < 0x7fffffff; nonce++) {
      const found = share.checkHash(header.getHash(nonce));
      if (found) {
        const word = nonce.toString(16).padStart(8, '0');
        client.submit({ worker_name: worker, job_id: job.jobId, extranonce2: extra, ntime: job.ntime, nonce: word });
      }
      if (found || nonce % 1024 === 1023) await new Promise(resume => setImmediate(resume));
    }
  }
}

mine();
