//! From a sid to its client, without a lock that all requests share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use erlen_engineio::Sid;

use super::Client;

const PARTS: usize = 64;

/// All sessions of an engine, in parts by the sid's first bytes.
pub(crate) struct Sessions<A: super::Application> {
    parts: [Mutex<HashMap<Sid, Arc<Client<A>>>>; PARTS],
    count: AtomicUsize,
}

impl<A: super::Application> Sessions<A> {
    pub(crate) fn new() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), count: AtomicUsize::new(0) }
    }

    pub(crate) fn insert(&self, client: Arc<Client<A>>) {
        self.count.fetch_add(1, Relaxed);
        self.part(client.sid()).insert(*client.sid(), client);
    }

    pub(crate) fn get(&self, sid: &Sid) -> Option<Arc<Client<A>>> {
        self.part(sid).get(sid).cloned()
    }

    pub(crate) fn remove(&self, sid: &Sid) {
        let mut part = self.part(sid);
        if part.remove(sid).is_some() {
            self.count.fetch_sub(1, Relaxed);
        }
        if part.capacity() > 64 && part.len() < part.capacity() / 8 {
            part.shrink_to_fit();
        }
    }

    /// Takes all of them out.
    pub(crate) fn clear(&self) {
        for part in &self.parts {
            let taken = std::mem::take(&mut *part.lock().unwrap_or_else(PoisonError::into_inner));
            self.count.fetch_sub(taken.len(), Relaxed);
        }
    }

    /// Every client, collected part by part.
    pub(crate) fn all(&self) -> Vec<Arc<Client<A>>> {
        let mut all = Vec::new();
        for part in &self.parts {
            all.extend(part.lock().unwrap_or_else(PoisonError::into_inner).values().cloned());
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    fn part(&self, sid: &Sid) -> std::sync::MutexGuard<'_, HashMap<Sid, Arc<Client<A>>>> {
        let byte = sid.as_str().as_bytes().first().copied().unwrap_or_default();
        let second = sid.as_str().as_bytes().get(1).copied().unwrap_or_default();
        let index = usize::from(byte).wrapping_mul(31).wrapping_add(usize::from(second)) % PARTS;
        self.parts[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
