//! What the system allows the process.

/// Nine tenths of the descriptors that the process may open, where the system tells.
pub(crate) fn default_max_sessions() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = open_files.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(usize::MAX, |limit| limit / 10 * 9)
}
