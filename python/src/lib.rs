//! The engine, as the Python package sees it: the module `erlen._erlen`, private to the package.
//!
//! Thin on purpose. What a Flask user would want to read is Python (`python/erlen`); here is what must not hold the
//! interpreter: threads, sockets, queues. `_erlen.pyi` says what is in it.


use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule(gil_used = false)]
mod _erlen {}
