//! A bound listener: where it is, waiting for its end, ending it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use erlen::{Bound, Server, Stop};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How long a wait goes without a look at Python's signals.
const SIGNALS: Duration = Duration::from_millis(100);

/// See `_erlen.pyi`.
#[pyclass(frozen, module = "erlen._erlen")]
pub(crate) struct Listener {
    #[pyo3(get)]
    host: String,
    #[pyo3(get)]
    port: u16,
    stop: Mutex<Option<oneshot::Sender<Stop>>>,
    ended: Arc<Ended>,
    /// Further servers behind the same address.
    others: Vec<Server>,
    runtime: Handle,
}

/// Whether it has ended, and with which error.
#[derive(Default)]
struct Ended {
    state: Mutex<Option<Result<(), String>>>,
    changed: Condvar,
}

impl Ended {
    fn tell(&self, result: Result<(), String>) {
        self.lock().get_or_insert(result);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Result<(), String>>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listening socket that the process was given, by its descriptor, which stays the giver's.
#[cfg(unix)]
#[expect(unsafe_code, reason = "a descriptor that was handed over is a number")]
pub(crate) fn inherited(fd: i32) -> PyResult<std::net::TcpListener> {
    use std::os::fd::BorrowedFd;
    if fd < 0 {
        return Err(PyOSError::new_err("the descriptor of the listening socket is negative"));
    }
    // SAFETY: the caller holds the socket open during this call; it is borrowed for the duplication alone.
    let owned = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?;
    let listener = std::net::TcpListener::from(owned);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A listening socket that the process was given, by its descriptor.
#[cfg(not(unix))]
pub(crate) fn inherited(_: i32) -> PyResult<std::net::TcpListener> {
    Err(PyOSError::new_err("listening sockets are handed over on Unix alone"))
}

/// The end that a listener waits for; without the sender's word it never comes.
pub(crate) fn stop_signal() -> (oneshot::Sender<Stop>, impl Future<Output = Stop> + Send) {
    let (sender, receiver) = oneshot::channel();
    let stop = async move {
        match receiver.await {
            Ok(stop) => stop,
            Err(_) => std::future::pending().await,
        }
    };
    (sender, stop)
}

impl Listener {
    /// Serves on the runtime. The sessions of `others` end with those of its own server.
    pub(crate) fn serve(
        bound: Bound,
        stop: oneshot::Sender<Stop>,
        others: Vec<Server>,
        runtime: Handle,
    ) -> Self {
        let address = bound.local_addr();
        let ended = Arc::new(Ended::default());
        let telling = Arc::clone(&ended);
        runtime.spawn(async move {
            telling.tell(bound.await.map_err(|error| error.to_string()));
        });
        let host = address.ip().to_canonical().to_string();
        Self { host, port: address.port(), stop: Mutex::new(Some(stop)), ended, others, runtime }
    }

    /// Waits without the interpreter; whether it has ended.
    fn wait_for(&self, time: Duration) -> bool {
        let state = self.ended.lock();
        let waited = self.ended.changed.wait_timeout_while(state, time, |ended| ended.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }
}

#[pymethods]
impl Listener {
    #[pyo3(signature = (timeout = None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let started = Instant::now();
        let limit = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        loop {
            let left = limit.map_or(SIGNALS, |limit| limit.saturating_sub(started.elapsed()).min(SIGNALS));
            let ended = py.detach(|| self.wait_for(left));
            py.check_signals()?;
            if ended {
                return match &*self.ended.lock() {
                    Some(Err(error)) => Err(PyOSError::new_err(error.clone())),
                    _ => Ok(true),
                };
            }
            if limit.is_some_and(|limit| started.elapsed() >= limit) {
                return Ok(false);
            }
        }
    }

    #[pyo3(signature = (spread = 0.0, grace = 5.0))]
    fn stop(&self, spread: f64, grace: f64) {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let Some(stop) = stop else {
            if grace <= 0.0 {
                // What is left is not waited for any longer.
                self.ended.tell(Ok(()));
            }
            return;
        };
        let (spread, cap) = (seconds(spread), seconds(grace));
        for other in self.others.clone() {
            self.runtime.spawn(async move { other.shutdown(spread, cap).await });
        }
        let _ = stop.send(Stop { spread, cap });
    }
}
