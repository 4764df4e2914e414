//! The bytes that wait for slow clients, counted for all sessions of a server together.
//!
//! A packet counts once, however many queues share it: from the turn that leaves it in one of them until the last
//! has let it go. What goes out in the turn in which it was sent is never counted, and costs nothing here.
//! Who is cut when the count is over its limit is the server's business.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A count of bytes with a limit.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes, of which none is held.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0) })
    }

    /// Counts bytes until the [`Hold`] is dropped.
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Hold {
        self.held.fetch_add(bytes, Relaxed);
        Hold { budget: Arc::clone(self), bytes }
    }

    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// How many may be.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether more is held than may be.
    pub fn is_over(&self) -> bool {
        self.held() > self.limit
    }
}

/// Bytes that count against a budget as long as this lives.
#[derive(Debug)]
pub struct Hold {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Hold {
    /// How many they are.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Relaxed);
    }
}
