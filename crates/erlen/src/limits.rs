//! What the system allows the process.

/// Nine tenths of the descriptors that the process may open, where the system tells.
pub(crate) fn default_max_sessions() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(usize::MAX, |limit| limit / 10 * 9)
}

/// 256 MiB, or half of what the process's control group (version 2) allows, if that is less.
pub(crate) fn default_max_total_queue_bytes() -> usize {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    let limit = std::fs::read_to_string(format!("/sys/fs/cgroup{group}/memory.max")).unwrap_or_default();
    // "max" where there is no limit.
    let half = limit.trim().parse::<usize>().map_or(usize::MAX, |bytes| bytes / 2);
    half.min(256 << 20)
}
