//! What a swarm found, for people and for programs.

use super::figures::Figures;
use super::{Attackers, Counts, Options, Quantiles, Second, Tip, Usage, svg};
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// What a swarm found.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many miners there were to be.
    pub miners: usize,
    /// How long they mined.
    pub lasted: Duration,
    /// What was counted.
    pub counts: Counts,
    /// From the first packet until the connection was there.
    pub connect: Quantiles,
    /// From then until the first job.
    pub first_job: Quantiles,
    /// From a share until its answer.
    pub submit: Quantiles,
    /// The same before attackers came and from then on, and what they did, if there were any.
    pub attack: Option<(Quantiles, Quantiles, Attackers)>,
    /// New tips.
    pub tips: Vec<Tip>,
    /// Answers to shares in each second.
    pub load: Vec<Quantiles>,
    /// Why shares were fewer than asked for, if they were.
    pub notice: Option<String>,
    /// What the swarm used, where the system tells.
    pub own: Option<Usage>,
    /// What the pool used, where it was watched.
    pub pool: Option<Usage>,
    max_error_rate: f64,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        figures: &Figures,
        lasted: Duration,
        [own, pool]: [Option<Usage>; 2],
    ) -> Report {
        Report {
            miners: options.miners,
            lasted,
            counts: figures.counts.clone(),
            connect: figures.connect.quantiles(),
            first_job: figures.first_job.quantiles(),
            submit: figures.submit.quantiles(),
            attack: (!options.attackers.is_empty())
                .then(|| (figures.quiet.quantiles(), figures.attacked.quantiles(), figures.attackers)),
            tips: figures.tips(),
            load: figures.load.clone(),
            notice: figures.notice.clone(),
            own,
            pool,
            max_error_rate: options.max_error_rate,
        }
    }

    /// Whether the pool bore it: errors are within the limit, and shares were accepted.
    pub fn passes(&self) -> bool {
        self.counts.accepted > 0 && self.counts.error_rate() <= self.max_error_rate
    }

    /// The report as one object; times in milliseconds, memory in bytes, processor time in seconds.
    pub fn to_json(&self) -> Value {
        let tip = |tip: &Tip| {
            json!({
                "heard": tip.heard, "of": tip.of, "spread_ms": ms(tip.spread),
                "since_block_ms": tip.since_block.map(ms),
            })
        };
        let mut report = json!({
            "event": "summary",
            "miners": self.miners,
            "seconds": self.lasted.as_secs_f64(),
            "connect_ms": quantiles(&self.connect),
            "first_job_ms": quantiles(&self.first_job),
            "submit_ms": quantiles(&self.submit),
            "tips": self.tips.iter().map(tip).collect::<Vec<_>>(),
            "attack": self.attack.as_ref().map(|(quiet, attacked, Attackers { tried, refused, ended })| json!({
                "quiet_ms": quantiles(quiet), "attacked_ms": quantiles(attacked), "p99_ratio": p99_ratio(quiet, attacked),
                "tried": tried, "refused": refused, "ended": ended,
            })),
            "reasons": self.counts.reasons,
            "notice": self.notice,
            "error_rate": self.counts.error_rate(),
            "passed": self.passes(),
            "own": self.own.as_ref().map(usage),
            "pool": self.pool.as_ref().map(usage),
        });
        merge(&mut report, counts(&self.counts));
        report
    }

    /// Latency over load, as a picture.
    pub fn to_svg(&self) -> String {
        svg::latency_over_load(&self.load)
    }
}

impl Second {
    /// The second as one object.
    pub fn to_json(&self) -> Value {
        let mut second = json!({
            "event": "second",
            "at": self.at.as_secs_f64(),
            "open": self.open,
            "mining": self.mining,
            "latency_ms": quantiles(&self.latency),
            "notice": self.notice,
            "pool_rss": self.pool_rss,
        });
        merge(&mut second, counts(&self.counts));
        second
    }
}

fn counts(counts: &Counts) -> Value {
    json!({
        "tried": counts.tried, "connected": counts.connected, "failed": counts.failed, "lost": counts.lost, "left": counts.left,
        "submitted": counts.submitted, "accepted": counts.accepted, "stale": counts.stale(), "refused": counts.refused(),
        "rejected": counts.rejected, "unanswered": counts.unanswered, "withheld": counts.withheld,
        "unreadable": counts.unreadable, "bytes_in": counts.bytes_in, "bytes_out": counts.bytes_out,
    })
}

fn quantiles(of: &Quantiles) -> Value {
    json!({"count": of.count, "p50": ms(of.p50), "p90": ms(of.p90), "p99": ms(of.p99), "max": ms(of.max)})
}

/// How much longer the slowest hundredth took.
fn p99_ratio(quiet: &Quantiles, attacked: &Quantiles) -> f64 {
    attacked.p99.as_secs_f64() / quiet.p99.as_secs_f64()
}

fn usage(of: &Usage) -> Value {
    json!({"cpu": of.cpu.as_secs_f64(), "rss": of.rss, "peak_rss": of.peak_rss})
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn ms(span: Duration) -> f64 {
    span.as_micros() as f64 / 1000.0
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { tried, connected, failed, lost, left, submitted, accepted, unanswered, withheld, .. } =
            self.counts;
        writeln!(f, "{} miners, {:.0} s", self.miners, self.lasted.as_secs_f64())?;
        writeln!(
            f,
            "connections  {tried} tried, {connected} made, {failed} failed, {lost} lost, {left} left and came back"
        )?;
        for (reason, count) in &self.counts.reasons {
            writeln!(f, "             {count} × {reason}")?;
        }
        let (stale, refused) = (self.counts.stale(), self.counts.refused());
        let rate = submitted as f64 / self.lasted.as_secs_f64().max(1e-3);
        writeln!(
            f,
            "shares       {submitted} ({rate:.0}/s): {accepted} accepted, {stale} stale, {refused} refused, {unanswered} unanswered; {withheld} withheld"
        )?;
        for (code, count) in &self.counts.rejected {
            writeln!(f, "             {count} × code {code}")?;
        }
        for (name, of) in [("connect", &self.connect), ("first job", &self.first_job), ("submit", &self.submit)] {
            let [p50, p90, p99, max] = [of.p50, of.p90, of.p99, of.max].map(ms);
            writeln!(f, "{name:<12} p50 {p50:.2} ms, p90 {p90:.2}, p99 {p99:.2}, max {max:.2}")?;
        }
        if let Some((quiet, attacked, Attackers { tried, refused, ended })) = &self.attack {
            writeln!(
                f,
                "attackers    {tried} connections, {refused} refused, {ended} ended by the pool; submit's p99 {:.2} ms before, {:.2} ms with them",
                ms(quiet.p99),
                ms(attacked.p99)
            )?;
        }
        if let Some(worst) = self.tips.iter().max_by_key(|tip| tip.spread) {
            let since = self.tips.iter().filter_map(|tip| tip.since_block).max();
            let since = since.map_or(String::new(), |since| format!(", {:.1} ms after the block at most", ms(since)));
            let missed = self.tips.iter().filter(|tip| tip.heard < tip.of).count();
            writeln!(
                f,
                "new tips     {}; from the first to the last of {} miners {:.1} ms at most{since}; {missed} not heard by all",
                self.tips.len(),
                worst.heard,
                ms(worst.spread)
            )?;
        }
        let (bytes_in, bytes_out) = (mb(self.counts.bytes_in), mb(self.counts.bytes_out));
        writeln!(
            f,
            "bytes        {bytes_in:.1} MB in, {bytes_out:.1} MB out; {} lines unreadable",
            self.counts.unreadable
        )?;
        for (name, usage) in [("swarm", &self.own), ("pool", &self.pool)] {
            if let Some(Usage { cpu, peak_rss, .. }) = usage {
                writeln!(f, "{name:<12} {:.1} s of processor, {:.1} MB at most", cpu.as_secs_f64(), mb(*peak_rss))?;
            }
        }
        if let Some(notice) = &self.notice {
            writeln!(f, "note         {notice}")?;
        }
        let word = if self.passes() { "passed" } else { "failed" };
        write!(
            f,
            "{word}: errors {:.4} %, {:.4} % allowed",
            self.counts.error_rate() * 100.0,
            self.max_error_rate * 100.0
        )
    }
}
