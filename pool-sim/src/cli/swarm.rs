//! `pool-sim swarm URL`: thousands of miners on a pool.

use super::events::say_text;
use super::{CliError, io_error, miners_password, signals};
use clap::Args;
use pool_sim::swarm::{
    Arrival, Attack, Hashrate, Options, Report, Second, SwarmError, parse_attack, parse_churn, parse_rate, parse_share,
    parse_span, run,
};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Sends thousands of simulated miners to a Stratum V1 pool, with shares that meet their difficulty, and measures it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pool-sim --start-difficulty 1e-12
  pool-sim swarm 127.0.0.1:3333 --miners 5000 --ramp 60s --rate 1/3s --seconds 120
  pool-sim swarm stratum+tcp://pool.example:3333 --miners 200 --user-prefix ADDRESS. --password-file secret
  pool-sim swarm 127.0.0.1:3333 --miners 500 --attack slow:500 --attack flood:10 --attack bomb:10
  pool-sim swarm 127.0.0.1:3333 --miners 10000 --ramp 10s --rate 1/15s --tip-every 10s --pool-pid 4711 --svg latency.svg

Set the pool to a difficulty of few hashes, 2^-24 to 2^-26. On regtest every second hash is a block, whatever the share's \
difficulty, and a new tip makes other miners' shares stale: so blocks are left out of the shares, and the pool must be set to \
less than 2^-31, such as 1e-12. With --blocks they are sent too.

Latency is from a share until its answer. Errors are connections that failed or were lost, shares that were refused, but for \
stale ones, or not answered, and lines that cannot be read, as a part of all connections and shares.

The password is read from POOL_SIM_SWARM_PASSWORD or --password-file, and is \"x\" without them.

With --json, one object a line; each has an \"event\": second, summary. Both have: tried, connected, failed, lost, left; submitted, \
accepted, stale, refused, rejected (by code), unanswered, withheld (would have been blocks), unreadable; bytes_in, bytes_out; \
notice. A second has: at, open, mining, latency_ms, pool_rss. A summary has: miners, seconds, connect_ms, first_job_ms, submit_ms, attack (null without attackers: quiet_ms, attacked_ms, p99_ratio, tried, refused, ended), \
tips (heard, of, spread_ms, since_block_ms), reasons, error_rate, passed, own and pool (cpu in seconds, rss and peak_rss in \
bytes).

Exit codes: 0 errors were within the limit, 1 they were not, no share was accepted or the swarm could not start, 2 arguments that \
make no sense.")]
pub(super) struct SwarmArgs {
    /// The pool, as stratum+tcp://HOST:PORT, or stratum2+tcp://HOST:PORT/KEY
    url: String,
    /// How many miners
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    miners: u32,
    /// They come within this
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_span)]
    ramp: Duration,
    /// How arrivals are spread over the ramp
    #[arg(long, value_enum, default_value = "even")]
    arrival: Arrival,
    /// A miner's shares in a time, on average
    #[arg(long, value_name = "N/TIME", default_value = "1/3s", value_parser = parse_rate)]
    rate: Duration,
    /// How the hashrate is spread over the miners
    #[arg(long, value_enum, default_value = "equal")]
    hashrate: Hashrate,
    /// How long it goes on after the ramp
    #[arg(long, value_name = "TIME", default_value = "60", value_parser = parse_span)]
    seconds: Duration,
    /// Which part of the miners leaves in a time, and comes back
    #[arg(long, value_name = "PART/TIME", default_value = "0%/s", value_parser = parse_churn)]
    churn: f64,
    /// Users are this and the miner's number
    #[arg(long, value_name = "TEXT", default_value = "swarm.")]
    user_prefix: String,
    /// A file whose first line is the password of all
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Send shares that are blocks too
    #[arg(long)]
    blocks: bool,
    /// So often one share is a block on purpose, to see how fast a new tip reaches all
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    tip_every: Option<Duration>,
    /// How long an answer is waited for
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_span)]
    patience: Duration,
    /// How many threads search for shares
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// All miners together hash no faster: where the pool asks for more, shares are fewer
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = parse_hashes)]
    max_hashes_per_second: f64,
    /// The pool's process on this host, to watch its memory and processor time
    #[arg(long, value_name = "PID")]
    pool_pid: Option<u32>,
    /// Which part of connections and shares may fail
    #[arg(long, value_name = "PART", default_value = "0.1%", value_parser = parse_share)]
    max_error_rate: f64,
    /// Attackers who come in the middle of the time after the ramp: mute, slow, churn, flood, deaf, long or bomb, and how many;
    /// may be given several times
    #[arg(long = "attack", value_name = "KIND:N", value_parser = parse_attack)]
    attackers: Vec<(Attack, usize)>,
    /// What arrivals, intervals and nonces are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Write a picture there: latency over load
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn parse_hashes(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|hashes| (1.0..=1e12).contains(hashes)).ok_or("expected a number from 1 to 1e12")
}

/// Sends the swarm, prints what was measured, and says how the program ends.
pub(super) fn main(arguments: &SwarmArgs) -> ExitCode {
    match swarm(arguments) {
        Ok(report) if report.passes() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(if matches!(error, CliError::Swarm(SwarmError::Url(_))) { 2 } else { 1 })
        }
    }
}

fn swarm(arguments: &SwarmArgs) -> Result<Report, CliError> {
    let options = options(arguments)?;
    let runtime = tokio::runtime::Runtime::new().map_err(io_error("start"))?;
    let mut shown = Shown { json: arguments.json, is_live: io::stdout().is_terminal(), before: None };
    let report = runtime.block_on(async {
        let stop = signals().map_err(io_error("start"))?;
        Ok::<_, CliError>(run(options, stop, |second| shown.second(second)).await?)
    })?;
    if let Some(path) = &arguments.svg {
        std::fs::write(path, report.to_svg()).map_err(io_error(format!("write {}", path.display())))?;
    }
    say_text(&if arguments.json { report.to_json().to_string() } else { report.to_string() });
    Ok(report)
}

fn options(arguments: &SwarmArgs) -> Result<Options, CliError> {
    let password = miners_password(arguments.password_file.as_deref(), "POOL_SIM_SWARM_PASSWORD")?;
    Ok(Options {
        url: arguments.url.clone(),
        miners: arguments.miners as usize,
        ramp: arguments.ramp,
        arrival: arguments.arrival,
        interval: arguments.rate,
        hashrate: arguments.hashrate,
        lasts: arguments.seconds,
        churn: arguments.churn,
        user_prefix: arguments.user_prefix.clone(),
        password,
        blocks: arguments.blocks,
        tip_every: arguments.tip_every.filter(|every| !every.is_zero()),
        patience: arguments.patience.max(Duration::from_millis(10)),
        threads: arguments.threads,
        max_hashes_per_second: arguments.max_hashes_per_second,
        pool_pid: arguments.pool_pid,
        max_error_rate: arguments.max_error_rate,
        attackers: arguments.attackers.clone(),
        seed: arguments.seed,
    })
}

/// Prints each second: as an object, as a table that stays in its place, or as a line.
struct Shown {
    json: bool,
    is_live: bool,
    before: Option<Second>,
}

impl Shown {
    fn second(&mut self, second: &Second) {
        if self.json {
            say_text(&second.to_json().to_string());
        } else {
            say_text(&if self.is_live { self.table(second) } else { self.line(second) });
        }
        self.before = Some(second.clone());
    }

    /// How much more there is of something than a second ago.
    fn more(&self, second: &Second, of: impl Fn(&Second) -> u64) -> u64 {
        of(second) - self.before.as_ref().map_or(0, of)
    }

    fn line(&self, second: &Second) -> String {
        let counts = &second.counts;
        let shares = self.more(second, |second| second.counts.submitted);
        let wrong = counts.failed + counts.lost + counts.refused() + counts.unanswered;
        let (at, p50, p99) = (second.at.as_secs_f64(), ms(second.latency.p50), ms(second.latency.p99));
        let notice =
            second.notice.as_ref().filter(|_| !self.is_known(second)).map(|notice| format!("\nnote: {notice}"));
        format!(
            "{at:4.0} s  {} open, {} mining, {shares} shares/s, p50 {p50:.2} ms, p99 {p99:.2} ms, {} stale, {wrong} errors{}",
            second.open,
            second.mining,
            counts.stale(),
            notice.unwrap_or_default()
        )
    }

    fn table(&self, second: &Second) -> String {
        let counts = &second.counts;
        let [p50, p90, p99, max] =
            [second.latency.p50, second.latency.p90, second.latency.p99, second.latency.max].map(ms);
        let shares = self.more(second, |second| second.counts.submitted);
        let [into, out] =
            [self.more(second, |second| second.counts.bytes_in), self.more(second, |second| second.counts.bytes_out)]
                .map(|bytes| bytes as f64 / 1000.0);
        let rss = second.pool_rss.map_or("not watched".to_owned(), |rss| format!("{:.1} MB", rss as f64 / 1e6));
        let lines = [
            format!("time         {:.0} s", second.at.as_secs_f64()),
            format!(
                "connections  {} open, {} mining, {} failed, {} lost",
                second.open, second.mining, counts.failed, counts.lost
            ),
            format!(
                "shares       {shares}/s; {} accepted, {} stale, {} refused, {} unanswered",
                counts.accepted,
                counts.stale(),
                counts.refused(),
                counts.unanswered
            ),
            format!("latency      p50 {p50:.2} ms, p90 {p90:.2}, p99 {p99:.2}, max {max:.2}"),
            format!("bytes        {into:.0} kB/s in, {out:.0} kB/s out"),
            format!("pool memory  {rss}"),
            // A line that wraps would not be drawn over. The report has all of it.
            format!("note         {}", second.notice.as_deref().unwrap_or("-").chars().take(60).collect::<String>()),
        ];
        // Back to its first line, and each line cleared: it is drawn over the one before.
        let back = if self.before.is_some() { format!("\x1b[{}F", lines.len()) } else { String::new() };
        back + &lines.map(|line| format!("\x1b[K{line}")).join("\n")
    }

    fn is_known(&self, second: &Second) -> bool {
        self.before.as_ref().is_some_and(|before| before.notice == second.notice)
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
