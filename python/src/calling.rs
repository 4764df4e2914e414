//! Calls of an application's code by worker threads, which the interpreter's end may come upon.
//!
//! Up to Python 3.13 a thread that wants the interpreter back then ends, by unwinding its stack (`pthread_exit`). Through a frame of
//! Rust that waits in a plain C function this aborts the process, and its exit code is lost. Here the frame next to Python's may be
//! unwound, and holds the thread for good instead, as `pyo3` does where it attaches itself and Python does since 3.14.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Calls a function, with a tuple of arguments.
pub(crate) fn call<'py, A>(function: &Bound<'py, PyAny>, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
{
    let arguments = arguments.into_pyobject(function.py()).map_err(Into::into)?;
    held::call(function, &arguments)
}

/// The next value of an iterator.
pub(crate) fn next<'py>(iterator: &Bound<'py, PyAny>) -> Option<PyResult<Bound<'py, PyAny>>> {
    held::next(iterator)
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "functions of Python's, declared anew as ones that may unwind")]
mod held {
    use std::hint::black_box;

    use pyo3::ffi::PyObject;
    use pyo3::prelude::*;
    use pyo3::types::PyTuple;

    unsafe extern "C-unwind" {
        fn PyObject_CallObject(function: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject;
        fn PyIter_Next(iterator: *mut PyObject) -> *mut PyObject;
    }

    type Call = unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
    type Next = unsafe extern "C-unwind" fn(*mut PyObject) -> *mut PyObject;

    /// Holds its thread when it is unwound.
    struct Hold;

    impl Drop for Hold {
        fn drop(&mut self) {
            loop {
                std::thread::park();
            }
        }
    }

    pub(super) fn call<'py>(
        function: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let hold = Hold;
        // `pyo3` declares it too, as one that does not unwind, and the optimizer would take its word for it.
        let may_unwind = black_box(PyObject_CallObject as Call);
        // SAFETY: both are alive during the call, and this thread is attached.
        let result = unsafe { may_unwind(function.as_ptr(), arguments.as_ptr()) };
        std::mem::forget(hold);
        // SAFETY: what it returns is a new reference, or null with an exception set.
        unsafe { Bound::from_owned_ptr_or_err(function.py(), result) }
    }

    pub(super) fn next<'py>(iterator: &Bound<'py, PyAny>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let hold = Hold;
        // SAFETY: it is alive during the call and is an iterator, or it raises; this thread is attached.
        let result = unsafe { black_box(PyIter_Next as Next)(iterator.as_ptr()) };
        std::mem::forget(hold);
        // SAFETY: what it returns is a new reference, or null.
        let value = unsafe { Bound::from_owned_ptr_or_opt(iterator.py(), result) };
        value.map(Ok).or_else(|| PyErr::take(iterator.py()).map(Err))
    }
}

#[cfg(not(unix))]
mod held {
    use pyo3::prelude::*;
    use pyo3::types::{PyIterator, PyTuple};

    pub(super) fn call<'py>(
        function: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        function.call1(arguments)
    }

    pub(super) fn next<'py>(iterator: &Bound<'py, PyAny>) -> Option<PyResult<Bound<'py, PyAny>>> {
        iterator.cast::<PyIterator>().ok()?.clone().next()
    }
}
