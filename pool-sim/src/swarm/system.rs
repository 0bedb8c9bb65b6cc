//! What the system allows, and what it knows of a process.

use super::SwarmError;
use std::time::Duration;

/// Files beside the connections: the runtime's, the standard ones, the report's.
const OTHER_FILES: u64 = 64;

/// What a process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time while it was watched.
    pub cpu: Duration,
    /// Its memory now, in bytes.
    pub rss: u64,
    /// The most that was seen.
    pub peak_rss: u64,
}

/// Raises the limit of open files, where that may be done.
pub(super) fn allow_connections(miners: usize) -> Result<(), SwarmError> {
    let needed = miners as u64 + OTHER_FILES;
    let limit = raise(needed);
    if limit < needed { Err(SwarmError::Files { limit, needed }) } else { Ok(()) }
}

/// `rustix` for limits: safe, without libc's C types, and here already by way of `tempfile`.
#[cfg(unix)]
fn raise(needed: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return limit.current.unwrap_or(u64::MAX);
    }
    // The second is for the superuser only.
    let within = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let beyond = limit.maximum.map(|maximum| maximum.max(needed));
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(within), maximum: limit.maximum });
    if within < needed {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: beyond });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(not(unix))]
fn raise(_: u64) -> u64 {
    u64::MAX
}

/// This process, and the pool's where it is known.
pub(super) struct Watched {
    own: Process,
    pool: Option<Process>,
}

impl Watched {
    pub(super) fn new(pool: Option<u32>) -> Watched {
        Watched { own: Process::new(std::process::id()), pool: pool.map(Process::new) }
    }

    pub(super) fn look(&mut self) {
        self.own.look();
        if let Some(pool) = &mut self.pool {
            pool.look();
        }
    }

    pub(super) fn pool_rss(&self) -> Option<u64> {
        self.pool.as_ref().and_then(|pool| Some(pool.last?.1))
    }

    /// Of this process, and of the pool's.
    pub(super) fn usage(&self) -> [Option<Usage>; 2] {
        [self.own.usage(), self.pool.as_ref().and_then(Process::usage)]
    }
}

struct Process {
    id: u32,
    first: Option<(Duration, u64)>,
    last: Option<(Duration, u64)>,
    peak: u64,
}

impl Process {
    fn new(id: u32) -> Process {
        let first = look(id);
        Process { id, first, last: first, peak: first.map_or(0, |(_, rss)| rss) }
    }

    fn look(&mut self) {
        // What a process had when it ended still counts.
        if let Some((cpu, rss)) = look(self.id) {
            self.last = Some((cpu, rss));
            self.peak = self.peak.max(rss);
        }
    }

    fn usage(&self) -> Option<Usage> {
        let ((before, _), (cpu, rss)) = (self.first?, self.last?);
        Some(Usage { cpu: cpu.saturating_sub(before), rss, peak_rss: self.peak })
    }
}

/// Processor time and resident bytes of a process (proc(5)).
#[cfg(target_os = "linux")]
fn look(id: u32) -> Option<(Duration, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before may hold anything. utime and stime are fields 14 and 15, rss is 24; the name is 2.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at - 3)?.parse::<u64>().ok();
    let ticks = field(14)? + field(15)?;
    let cpu = Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    Some((cpu, field(24)? * rustix::param::page_size() as u64))
}

#[cfg(not(target_os = "linux"))]
fn look(_: u32) -> Option<(Duration, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_are_always_allowed() {
        assert!(allow_connections(10).is_ok());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_memory_and_others_may_be_none() {
        let usage = Process::new(std::process::id()).usage().unwrap();
        assert!(usage.rss > 100_000 && usage.peak_rss >= usage.rss);
        // Beyond any process id.
        assert!(Process::new(u32::MAX).usage().is_none());
    }
}
