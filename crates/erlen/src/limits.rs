//! What the system allows the process.

/// Nine tenths of the descriptors that the process may open, where the system tells.
pub(crate) fn default_max_sessions() -> usize {
    open_files().map_or(usize::MAX, |limit| limit / 10 * 9)
}

#[cfg(unix)]
fn open_files() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|limit| usize::try_from(limit).ok())
}

#[cfg(not(unix))]
fn open_files() -> Option<usize> {
    None
}

/// Lets the process open as many files as it may without a privilege: the soft limit becomes the hard one.
pub(crate) fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Where it is refused, the limit stays what it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// Whether an error says that no descriptor is left, for the process or for the system.
pub(crate) fn is_out_of_files(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    let codes = [rustix::io::Errno::MFILE.raw_os_error(), rustix::io::Errno::NFILE.raw_os_error()];
    // WSAEMFILE.
    #[cfg(not(unix))]
    let codes = [10_024];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
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
