//! Kinds of cores: where a processor has several, each gets the kernel that is fastest on it.
//!
//! On Linux a thread that searches is kept on the cores of its kind, as a kernel chosen on one kind may be slow on another. It
//! is not pinned to one core: the scheduler spreads busy threads over idle cores, two threads of a core last, and a thread
//! that is pinned waits where another program was put beside it. Nor do nodes of memory matter: a search lives in the first
//! level of cache.
//!
//! Sources: Documentation/ABI/testing/sysfs-devices-system-cpu (`cpu_capacity`) and the kernel's perf units for hybrid
//! processors of Intel (`cpu_core`, `cpu_atom`).

use std::path::Path;
use std::thread;

/// Cores less than this part as fast as the fastest of a kind are of another kind. Favoured cores of one kind differ by less.
const SAME_KIND: f64 = 0.8;

/// Cores of one kind that this process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// Their numbers, as Linux counts them; none where all cores are alike or nothing is known: then any will do.
    numbers: Vec<usize>,
}

impl Cores {
    /// Any cores.
    pub const ANY: Cores = Cores { numbers: Vec::new() };

    /// The kinds that this process may use, the fastest first. One, of any cores, where they are all alike.
    pub fn kinds() -> Vec<Cores> {
        let kinds = kinds(Path::new("/sys/devices"), &allowed());
        if kinds.len() < 2 { vec![Cores::ANY] } else { kinds }
    }

    /// Each core a kind of its own, as no machine has it.
    #[cfg(test)]
    pub(in crate::backend) fn one_by_one() -> Vec<Cores> {
        allowed().into_iter().map(|core| Cores { numbers: vec![core] }).collect()
    }

    /// As Linux writes lists of cores, such as `cores 0-3,8`; empty for any cores.
    pub fn name(&self) -> String {
        let runs = self.numbers.chunk_by(|a, b| a + 1 == *b);
        let list = runs.map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            run => run.iter().map(usize::to_string).collect(),
        });
        let list = list.collect::<Vec<_>>().join(",");
        if list.is_empty() { list } else { format!("cores {list}") }
    }

    /// Keeps the calling thread on these cores from now on. Where the system refuses, it stays as it was: a search is right
    /// on any core.
    pub fn enter(&self) {
        if !self.numbers.is_empty() {
            keep_thread_on(&self.numbers);
        }
    }

    /// Runs something on these cores, and waits for it.
    pub(in crate::backend) fn run<R: Send>(&self, task: impl FnOnce() -> R + Send) -> R {
        if self.numbers.is_empty() {
            return task();
        }
        let on_them = || {
            self.enter();
            task()
        };
        thread::scope(|scope| scope.spawn(on_them).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// How many threads each kind gets: the fastest are filled first, and filled again where there are more threads than cores.
pub(in crate::backend) fn spread(kinds: Vec<Cores>, threads: usize) -> Vec<(Cores, usize)> {
    let all: usize = kinds.iter().map(|kind| kind.numbers.len()).sum();
    if all == 0 {
        return kinds.into_iter().map(|kind| (kind, threads)).collect();
    }
    let mut before = 0;
    let part = |kind: Cores| {
        let own = kind.numbers.len();
        let threads = threads / all * own + (threads % all).saturating_sub(before).min(own);
        before += own;
        (kind, threads)
    };
    kinds.into_iter().map(part).filter(|(_, threads)| *threads > 0).collect()
}

/// The kinds among the allowed cores, the fastest first, as files under `devices` tell.
fn kinds(devices: &Path, allowed: &[usize]) -> Vec<Cores> {
    let read = |path: String| std::fs::read_to_string(devices.join(path)).ok();
    let among_allowed = |list: String| -> Vec<usize> {
        let listed = parse_list(&list);
        allowed.iter().copied().filter(|core| listed.contains(core)).collect()
    };
    if let (Some(core), Some(atom)) = (read("cpu_core/cpus".to_owned()), read("cpu_atom/cpus".to_owned())) {
        let kinds = [core, atom].map(among_allowed).into_iter();
        return kinds.filter(|numbers| !numbers.is_empty()).map(|numbers| Cores { numbers }).collect();
    }
    let capacity = |core: &usize| -> Option<(u32, usize)> {
        Some((read(format!("system/cpu/cpu{core}/cpu_capacity"))?.trim().parse().ok()?, *core))
    };
    let Some(mut capacities) = allowed.iter().map(capacity).collect::<Option<Vec<_>>>() else { return Vec::new() };
    capacities.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut kinds: Vec<(u32, Vec<usize>)> = Vec::new();
    for (capacity, core) in capacities {
        match kinds.last_mut() {
            Some((fastest, numbers)) if f64::from(capacity) >= SAME_KIND * f64::from(*fastest) => numbers.push(core),
            _ => kinds.push((capacity, vec![core])),
        }
    }
    let sorted = |mut numbers: Vec<usize>| {
        numbers.sort_unstable();
        Cores { numbers }
    };
    kinds.into_iter().map(|(_, numbers)| sorted(numbers)).collect()
}

/// A list of cores as Linux writes it, such as `0-3,8`. What is not a number is left out.
fn parse_list(list: &str) -> Vec<usize> {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    // Nobody has more cores; a longer list is not one of cores.
    ranges.flatten().take(1 << 16).collect()
}

/// The cores that this process may use: those that affinity leaves it.
#[cfg(target_os = "linux")]
fn allowed() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(None).unwrap_or_default();
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Vec<usize> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn keep_thread_on(cores: &[usize]) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    for core in cores.iter().filter(|core| **core < CpuSet::MAX_CPU) {
        set.set(*core);
    }
    // Refused, the thread runs where it did.
    let _ = sched_setaffinity(None, &set);
}

#[cfg(not(target_os = "linux"))]
fn keep_thread_on(_: &[usize]) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir_all, write};

    fn names(kinds: &[Cores]) -> Vec<String> {
        kinds.iter().map(Cores::name).collect()
    }

    #[test]
    fn intel_names_its_kinds() {
        let devices = tempfile::tempdir().unwrap();
        for (unit, list) in [("cpu_core", "0-15\n"), ("cpu_atom", "16-23\n")] {
            create_dir_all(devices.path().join(unit)).unwrap();
            write(devices.path().join(unit).join("cpus"), list).unwrap();
        }
        let all: Vec<usize> = (0..24).collect();
        assert_eq!(names(&kinds(devices.path(), &all)), ["cores 0-15", "cores 16-23"]);
        // Affinity left the process a few.
        assert_eq!(names(&kinds(devices.path(), &[1, 2, 3, 8, 20])), ["cores 1-3,8", "cores 20"]);
        assert_eq!(names(&kinds(devices.path(), &[16, 17])), ["cores 16-17"]);
    }

    #[test]
    fn other_kinds_differ_in_their_capacity() {
        let devices = tempfile::tempdir().unwrap();
        // Little cores first, as on many phones; one of the big ones is favoured.
        for (core, capacity) in [290, 290, 290, 290, 780, 770, 780, 1024].into_iter().enumerate() {
            let directory = devices.path().join(format!("system/cpu/cpu{core}"));
            create_dir_all(&directory).unwrap();
            write(directory.join("cpu_capacity"), format!("{capacity}\n")).unwrap();
        }
        let all: Vec<usize> = (0..8).collect();
        assert_eq!(names(&kinds(devices.path(), &all)), ["cores 7", "cores 4-6", "cores 0-3"]);
        assert_eq!(names(&kinds(devices.path(), &[4, 5])), ["cores 4-5"]);
        // A core that says nothing: then nothing is known.
        assert_eq!(kinds(devices.path(), &[0, 8]), []);
    }

    #[test]
    fn where_cores_are_alike_any_will_do() {
        let kinds = Cores::kinds();
        assert!(!kinds.is_empty());
        assert_eq!(Cores::ANY.name(), "");
        assert_eq!(spread(vec![Cores::ANY], 5), [(Cores::ANY, 5)]);
    }

    #[test]
    fn the_fastest_cores_are_filled_first() {
        let kind = |numbers: std::ops::Range<usize>| Cores { numbers: numbers.collect() };
        let threads = |threads| {
            let spread = spread(vec![kind(4..8), kind(0..4), kind(8..10)], threads);
            spread.into_iter().map(|(_, threads)| threads).collect::<Vec<_>>()
        };
        assert_eq!(threads(0), [0; 0]);
        assert_eq!(threads(3), [3]);
        assert_eq!(threads(5), [4, 1]);
        assert_eq!(threads(10), [4, 4, 2]);
        assert_eq!(threads(25), [12, 9, 4]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_task_runs_on_its_cores_and_leaves_the_caller_alone() {
        let before = allowed();
        let one = Cores { numbers: before[..1].to_vec() };
        assert_eq!(one.run(allowed), one.numbers);
        assert_eq!(allowed(), before);
    }

    #[test]
    fn lists_are_read_with_care() {
        assert_eq!(parse_list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(parse_list(""), [0; 0]);
        assert_eq!(parse_list("x,3-y,7"), [7]);
        assert_eq!(parse_list("0-99999999999").len(), 1 << 16);
    }
}
