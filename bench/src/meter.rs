//! What the server used: CPU time and waits of all its threads, and resident memory, read from the outside.
//! Called by the scenarios before and after the work. See proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5).

use std::fs;
use std::io;
use std::ops::Sub;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::LoadError;
use crate::sys;

/// CPU time and waits up to one moment, or the difference of two.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// User and system time in seconds, precise to the nanosecond.
    pub total: f64,
    /// The user's part in seconds, in clock ticks of some 10 ms.
    pub user: f64,
    /// The system's part in seconds, in clock ticks of some 10 ms.
    pub system: f64,
    /// How often one of its threads that live waited. When one has to make room for another is the scheduler's choice.
    pub waits: u64,
}

impl Usage {
    /// What the process has used so far, the CPU time of its ended threads included.
    pub fn of(pid: u32) -> Result<Self, LoadError> {
        let total = sys::process_cpu_time(pid).map_err(|e| LoadError::Io("server's clock", e))?;
        let stat = read(pid, "stat")?;
        let [user, system] = ticks(&stat).ok_or_else(|| LoadError::Proc("stat without times".to_owned()))?;
        let second = sys::ticks_per_second();
        Ok(Self {
            total: total.as_secs_f64(),
            user: user as f64 / second,
            system: system as f64 / second,
            waits: waits(pid)?,
        })
    }

    /// The user's share of the sum.
    pub fn user_share(&self) -> f64 {
        let sum = self.user + self.system;
        if sum > 0.0 { self.user / sum } else { 0.0 }
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            total: self.total - earlier.total,
            user: self.user - earlier.user,
            system: self.system - earlier.system,
            // A thread that ends takes its own along.
            waits: self.waits.saturating_sub(earlier.waits),
        }
    }
}

/// Resident memory of the process in KiB, exact (statm is an estimate on newer kernels).
pub fn resident_kib(pid: u32) -> Result<u64, LoadError> {
    let rollup = read(pid, "smaps_rollup")?;
    rollup
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok())
        .ok_or_else(|| LoadError::Proc("smaps_rollup without Rss".to_owned()))
}

/// Resident memory once it has not changed for half a second, or after five.
pub fn settled_kib(pid: u32) -> Result<u64, LoadError> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut kib = resident_kib(pid)?;
    let mut same = 0;
    while same < 5 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(100));
        let next = resident_kib(pid)?;
        same = if next == kib { same + 1 } else { 0 };
        kib = next;
    }
    Ok(kib)
}

/// Voluntary context switches of all threads.
fn waits(pid: u32) -> Result<u64, LoadError> {
    let unreadable = |error: io::Error| LoadError::Proc(format!("{pid}/task: {error}"));
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).map_err(unreadable)? {
        // One that has just ended has no status any more.
        let status =
            fs::read_to_string(thread.map_err(unreadable)?.path().join("status")).unwrap_or_default();
        sum += waits_of(&status);
    }
    Ok(sum)
}

fn waits_of(status: &str) -> u64 {
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

fn read(pid: u32, file: &str) -> Result<String, LoadError> {
    fs::read_to_string(format!("/proc/{pid}/{file}"))
        .map_err(|error| LoadError::Proc(format!("{pid}/{file}: {error}")))
}

/// utime and stime, fields 14 and 15; the name in field 2 may hold anything, even `)`.
fn ticks(stat: &str) -> Option<[u64; 2]> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    Some([fields.next()?.parse().ok()?, fields.next()?.parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_brackets() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 34 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some([12, 34]));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn voluntary_switches_are_counted() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t30\nnonvoluntary_ctxt_switches:\t4\n";
        assert_eq!(waits_of(status), 30);
    }

    #[test]
    fn a_thread_that_waits_is_seen_to_switch() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let before = Usage::of(std::process::id()).expect("/proc");
        let waiting = thread::spawn(move || receiver.recv());
        while (Usage::of(std::process::id()).expect("/proc") - before).waits == 0 {
            thread::yield_now();
        }
        drop(sender);
        assert!(waiting.join().expect("no panic").is_err());
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let pid = std::process::id();
        let before = Usage::of(pid).expect("/proc");
        let mut used = Usage::default();
        while used.total < 0.02 {
            used = Usage::of(pid).expect("/proc") - before;
        }
        assert!(used.total < 10.0);
        assert!(resident_kib(pid).expect("/proc") > 100);
    }
}
