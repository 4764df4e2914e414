//! The system calls that the standard library does not offer: epoll, accept4, limits, affinity and
//! another process's CPU clock. All `unsafe` of the benchmark is in this file.
//!
//! Reads and writes go through `std::net::TcpStream`, which makes exactly one `recv` or `send`.
//! Called by the fleet, the floor and `compare`. See epoll(7), sched_setaffinity(2).
#![allow(unsafe_code, reason = "system calls without a safe wrapper in std")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// An epoll instance: level-triggered readiness to read, named by the caller's token.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// Makes an instance that hands out at most `capacity` tokens a turn.
    pub fn new(capacity: usize) -> io::Result<Self> {
        // SAFETY: no pointers; the returned descriptor is owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; capacity];
        Ok(Self { fd, events })
    }

    /// Watches `source` for bytes to read. Closing the descriptor ends the watch.
    pub fn add(&self, source: impl AsFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        let source = source.as_fd().as_raw_fd();
        // SAFETY: both descriptors are open, `event` outlives the call.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, source, &mut event) })?;
        Ok(())
    }

    /// Watches `source` no longer.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        let source = source.as_fd().as_raw_fd();
        // SAFETY: both descriptors are open; no event is needed to remove one.
        check(unsafe {
            libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_DEL, source, std::ptr::null_mut())
        })?;
        Ok(())
    }

    /// Waits for readiness, at most `timeout` (forever without one), and fills `tokens`.
    pub fn wait(&mut self, timeout: Option<Duration>, tokens: &mut Vec<u64>) -> io::Result<()> {
        tokens.clear();
        let timeout = timeout.map_or(-1, |t| i32::try_from(t.as_millis()).unwrap_or(i32::MAX));
        let capacity = i32::try_from(self.events.len()).unwrap_or(i32::MAX);
        // SAFETY: the buffer has room for `capacity` events.
        let ready =
            unsafe { libc::epoll_wait(self.fd.as_raw_fd(), self.events.as_mut_ptr(), capacity, timeout) };
        let ready = match check(ready) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            other => usize::try_from(other?).unwrap_or(0),
        };
        tokens.extend(self.events.iter().take(ready).map(|event| event.u64));
        Ok(())
    }
}

/// Accepts one connection as a non-blocking stream, in one system call.
pub fn accept_nonblocking(listener: &TcpListener) -> io::Result<TcpStream> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the peer's address is not asked for; the new descriptor is owned by nobody else.
    unsafe {
        let fd =
            check(libc::accept4(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags))?;
        Ok(TcpStream::from_raw_fd(fd))
    }
}

/// Turns Nagle's algorithm off for a listener; accepted connections inherit it, free of charge.
pub fn inherit_nodelay(listener: &TcpListener) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `on` is a c_int that outlives the call, `size` is its size.
    check(unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size,
        )
    })?;
    Ok(())
}

/// Segments with data that the connection has received: `tcpi_data_segs_in` of `struct tcp_info` in linux/tcp.h.
pub fn segments_received(stream: &TcpStream) -> io::Result<u64> {
    const AT: usize = 152;
    let mut info = [0_u8; AT + 4];
    let mut size = info.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes to `info`; both outlive the call.
    check(unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    })?;
    let [.., a, b, c, d] = info;
    Ok(u64::from(u32::from_ne_bytes([a, b, c, d])))
}

/// Raises the soft limit of open files to the hard one and returns it. Children inherit it.
pub fn raise_file_limit() -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for both calls.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
    }
    Ok(usize::try_from(limit.rlim_max).unwrap_or(usize::MAX))
}

/// CPU time that all threads of a process have used, the ended ones too, in nanoseconds.
pub fn process_cpu_time(pid: u32) -> io::Result<Duration> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both out-pointers are valid; the first call returns an error number, not -1.
    unsafe {
        match libc::clock_getcpuclockid(pid, &mut clock) {
            0 => check(libc::clock_gettime(clock, &mut time))?,
            error => return Err(io::Error::from_raw_os_error(error)),
        };
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Ok(Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0)))
}

/// Clock ticks a second, the unit of utime and stime in /proc/PID/stat.
pub fn ticks_per_second() -> f64 {
    // SAFETY: no pointers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    if ticks > 0 { ticks as f64 } else { 100.0 }
}

/// Makes the command run on one core and die with its parent.
pub fn pin(command: &mut Command, core: usize) {
    let setup = move || {
        // SAFETY: only system calls and a value on the stack between fork and exec.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(core, &mut set);
            check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set))?;
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(setup) };
}

fn check(result: RawFd) -> io::Result<RawFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
