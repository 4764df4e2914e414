//! An emit to one client from Python waits while too much waits for that client already, instead of cutting it at once: Python's
//! threads may wait, and what they send is often large. A client that takes nothing for the write stall is cut as ever.

use std::thread;
use std::time::{Duration, Instant};

use erlen::Socket;
use pyo3::prelude::*;

use crate::session::session_data;

/// Between two looks at a queue.
const PAUSE: Duration = Duration::from_millis(2);

/// Waits, detached, until the client's queue has room for so many bytes, or the client has gone, or takes nothing.
pub(crate) fn wait_for_room(py: Python<'_>, socket: &Socket, bytes: usize) {
    let options = &socket.client().engine().options().session;
    let (limit, stall) = (options.max_queue_bytes, options.write_stall);
    let has_room = |(packets, queued): (usize, usize)| packets == 0 || queued.saturating_add(bytes) <= limit;
    if has_room(socket.queued()) || session_data(socket).is_none_or(|data| data.is_virtual) {
        return;
    }
    py.detach(|| {
        let mut least = socket.queued().1;
        let mut since = Instant::now();
        while !has_room(socket.queued()) && !socket.client().is_closed() && since.elapsed() < stall {
            thread::sleep(PAUSE);
            let queued = socket.queued().1;
            if queued < least {
                (least, since) = (queued, Instant::now());
            }
        }
    });
}
