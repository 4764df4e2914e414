//! What this machine does: CPU, load, memory, swap, disks, network and the busiest processes, once a second.
//!
//! Reads the operating system by `sysinfo` and gives a [`Sample`]; what the machine does not tell is left out, never
//! made up. It blocks for some milliseconds, so the server's glue runs it on a thread that may block.

use std::time::Instant;

use serde_json::{Value, json};
use sysinfo::{
    CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, Networks, Pid, ProcessRefreshKind,
    ProcessesToUpdate, RefreshKind, System,
};

use crate::catalogue::{Fold, Unit};
use crate::live::Sample;

/// With more cores than the palette has colours, the busiest, the mean and the quietest stand for all.
const MAX_CORES: usize = 8;
/// Rows in the table of processes.
const MAX_PROCESSES: usize = 8;

/// Keeps what the next sample is compared with.
pub struct Host {
    system: System,
    disks: Disks,
    networks: Networks,
    sampled: Instant,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// Takes the first reading, with which the first sample is compared.
    pub fn new() -> Self {
        let kinds = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::everything())
            .with_processes(process_kind());
        Self {
            system: System::new_with_specifics(kinds),
            disks: Disks::new_with_refreshed_list_specifics(disk_kind()),
            networks: Networks::new_with_refreshed_list(),
            sampled: Instant::now(),
        }
    }

    /// The name of this machine, for the page's heading.
    pub fn name() -> Option<String> {
        System::host_name()
    }

    /// Adds all that happened since the sample before.
    pub fn sample(&mut self, sample: &mut Sample) {
        let seconds = self.sampled.elapsed().as_secs_f64().max(0.001);
        self.sampled = Instant::now();
        self.cpu(sample);
        self.memory(sample);
        self.disks(sample, seconds);
        self.network(sample, seconds);
        self.processes(sample);
    }

    fn cpu(&mut self, sample: &mut Sample) {
        self.system.refresh_cpu_usage();
        let mut percent = |name: &str, value: f32| {
            sample.put(format!("host.cpu{name}"), Unit::Percent, Fold::Mean, round(f64::from(value)));
        };
        percent("", self.system.global_cpu_usage());
        let cores: Vec<f32> = self.system.cpus().iter().map(sysinfo::Cpu::cpu_usage).collect();
        if cores.len() <= MAX_CORES {
            cores.iter().enumerate().for_each(|(core, value)| percent(&format!(".{core}"), *value));
        } else {
            percent(".busiest", cores.iter().copied().fold(0.0, f32::max));
            percent(".mean", cores.iter().sum::<f32>() / cores.len() as f32);
            percent(".quietest", cores.iter().copied().fold(100.0, f32::min));
        }
        let load = System::load_average();
        for (minutes, value) in [(1, load.one), (5, load.five), (15, load.fifteen)] {
            sample.put(
                format!("host.load.{minutes}"),
                Unit::Number,
                Fold::Last,
                (value * 100.0).round() / 100.0,
            );
        }
    }

    fn memory(&mut self, sample: &mut Sample) {
        self.system.refresh_memory();
        let cache = self.system.available_memory().saturating_sub(self.system.free_memory());
        for (name, bytes) in [
            ("host.memory.used", self.system.used_memory()),
            ("host.memory.cache", cache),
            ("host.memory.total", self.system.total_memory()),
            ("host.swap.used", self.system.used_swap()),
            ("host.swap.total", self.system.total_swap()),
        ] {
            sample.put(name, Unit::Bytes, Fold::Last, bytes as f64);
        }
    }

    /// A disk that is mounted at several places counts once.
    fn disks(&mut self, sample: &mut Sample, seconds: f64) {
        self.disks.refresh_specifics(true, disk_kind());
        let mut seen = Vec::new();
        let (mut read, mut written, mut ever) = (0, 0, 0);
        for disk in self.disks.list() {
            if seen.contains(&disk.name()) {
                continue;
            }
            seen.push(disk.name());
            let usage = disk.usage();
            read += usage.read_bytes;
            written += usage.written_bytes;
            ever += usage.total_read_bytes + usage.total_written_bytes;
        }
        // A machine that never counted a byte has no counters, which is not the same as being idle.
        if ever == 0 {
            return;
        }
        sample.put("host.disk.read", Unit::BytesPerSecond, Fold::Mean, round(read as f64 / seconds));
        sample.put("host.disk.written", Unit::BytesPerSecond, Fold::Mean, round(written as f64 / seconds));
    }

    fn network(&mut self, sample: &mut Sample, seconds: f64) {
        self.networks.refresh(true);
        let mut total = (0.0, 0.0);
        let mut interfaces: Vec<_> = self.networks.list().iter().collect();
        interfaces.sort_by_key(|(name, _)| name.as_str());
        for (name, data) in interfaces {
            let (received, sent) = (data.received() as f64 / seconds, data.transmitted() as f64 / seconds);
            // What the machine sends to itself is shown by interface, but it is no traffic of the machine.
            if !is_loopback(name) {
                total = (total.0 + received, total.1 + sent);
            }
            // An interface that never carried anything would only be a line on the floor.
            if data.total_received() + data.total_transmitted() > 0 {
                rate(sample, format!("host.net.{name}.received"), received);
                rate(sample, format!("host.net.{name}.sent"), sent);
            }
        }
        rate(sample, "host.net.received".to_owned(), total.0);
        rate(sample, "host.net.sent".to_owned(), total.1);
    }

    fn processes(&mut self, sample: &mut Sample) {
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, process_kind());
        let mut processes: Vec<_> =
            self.system.processes().values().filter(|process| process.thread_kind().is_none()).collect();
        processes.sort_by(|a, b| {
            let by_cpu = b.cpu_usage().total_cmp(&a.cpu_usage());
            by_cpu.then(b.memory().cmp(&a.memory())).then(a.pid().cmp(&b.pid()))
        });
        let rows: Vec<Value> = processes
            .iter()
            .take(MAX_PROCESSES)
            .map(|process| {
                let name: String = process.name().to_string_lossy().chars().take(40).collect();
                json!([name, round(f64::from(process.cpu_usage())), process.memory()])
            })
            .collect();
        sample.tables.insert("processes", Value::Array(rows));
        if let Some(own) = self.system.process(Pid::from_u32(std::process::id())) {
            sample.put("erlen.memory", Unit::Bytes, Fold::Last, own.memory() as f64);
        }
    }
}

/// Linux calls it `lo`, the BSDs and macOS `lo0`.
fn is_loopback(interface: &str) -> bool {
    interface.strip_prefix("lo").is_some_and(|rest| rest.chars().all(|digit| digit.is_ascii_digit()))
}

fn rate(sample: &mut Sample, name: String, value: f64) {
    sample.put(name, Unit::BytesPerSecond, Fold::Mean, round(value));
}

fn process_kind() -> ProcessRefreshKind {
    ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks()
}

fn disk_kind() -> DiskRefreshKind {
    DiskRefreshKind::nothing().with_io_usage()
}

/// Three decimals; more would be noise that every tick carries.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_holds_what_every_machine_has() {
        let mut sample = Sample::default();
        Host::new().sample(&mut sample);
        let value = |name: &str| {
            sample.values.iter().find(|(series, _)| series.name == name).map(|(_, value)| *value)
        };
        let (used, total) = (value("host.memory.used").unwrap(), value("host.memory.total").unwrap());
        assert!(used > 0.0 && used <= total, "{used} of {total}");
        assert!((0.0..=100.0).contains(&value("host.cpu").unwrap()));
        assert!(value("erlen.memory").unwrap() > 100_000.0, "this process uses memory");
        assert!(sample.values.iter().all(|(_, value)| value.is_finite()));
    }

    #[test]
    fn each_series_is_there_once() {
        let mut sample = Sample::default();
        Host::new().sample(&mut sample);
        let mut names: Vec<_> = sample.values.iter().map(|(series, _)| series.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn loopback_is_known_by_its_names() {
        assert!(is_loopback("lo") && is_loopback("lo0") && !is_loopback("lowpan") && !is_loopback("eth0"));
    }

    #[test]
    fn the_table_of_processes_is_short_and_sorted_by_load() {
        let mut sample = Sample::default();
        Host::new().sample(&mut sample);
        let rows = sample.tables["processes"].as_array().unwrap();
        assert!(!rows.is_empty() && rows.len() <= MAX_PROCESSES);
        let load: Vec<f64> = rows.iter().map(|row| row[1].as_f64().unwrap()).collect();
        assert!(load.windows(2).all(|pair| pair[0] >= pair[1]), "{load:?}");
    }
}
