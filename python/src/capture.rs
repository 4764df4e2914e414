//! Jobs that stay in the thread where they came up: what a test client sends is handled inside its own call.

use std::cell::RefCell;

use pyo3::prelude::*;

use crate::pool::Job;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<Job>>> = const { RefCell::new(None) };
}

/// Keeps a job for the test client of this thread, or gives it back where there is none.
pub(crate) fn take(job: Job) -> Option<Job> {
    CAPTURED.with_borrow_mut(|captured| match captured {
        Some(jobs) => {
            jobs.push(job);
            None
        }
        None => Some(job),
    })
}

/// Runs `send` without the interpreter, and then the jobs that came of it, here; the first exception of one is returned.
pub(crate) fn run(py: Python<'_>, send: impl FnOnce() + Send) -> PyResult<()> {
    let outer = CAPTURED.replace(Some(Vec::new()));
    py.detach(send);
    let jobs = CAPTURED.replace(outer).unwrap_or_default();
    let mut first = Ok(());
    for job in jobs {
        let result = job(py);
        first = first.and(result);
    }
    first
}
