//! From a sid to its client, without a lock that all requests share.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use erlen_engineio::Sid;

use super::Client;

const PARTS: usize = 64;

/// All sessions of an engine, in parts by the sid's first bytes.
pub(crate) struct Sessions<A: super::Application> {
    parts: [Mutex<HashSet<BySid<A>>>; PARTS],
    count: AtomicUsize,
}

/// A client that is found by its sid, which it keeps itself.
struct BySid<A: super::Application>(Arc<Client<A>>);

impl<A: super::Application> Borrow<Sid> for BySid<A> {
    fn borrow(&self) -> &Sid {
        self.0.sid()
    }
}

impl<A: super::Application> Hash for BySid<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.sid().hash(state);
    }
}

impl<A: super::Application> PartialEq for BySid<A> {
    fn eq(&self, other: &Self) -> bool {
        self.0.sid() == other.0.sid()
    }
}

impl<A: super::Application> Eq for BySid<A> {}

#[expect(clippy::mutable_key_type, reason = "what is hashed and compared is the sid, which never changes")]
impl<A: super::Application> Sessions<A> {
    pub(crate) fn new() -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), count: AtomicUsize::new(0) }
    }

    pub(crate) fn insert(&self, client: Arc<Client<A>>) {
        self.count.fetch_add(1, Relaxed);
        let sid = *client.sid();
        self.part(&sid).insert(BySid(client));
    }

    pub(crate) fn get(&self, sid: &Sid) -> Option<Arc<Client<A>>> {
        self.part(sid).get(sid).map(|found| Arc::clone(&found.0))
    }

    pub(crate) fn remove(&self, sid: &Sid) {
        let mut part = self.part(sid);
        if part.remove(sid) {
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
            all.extend(
                part.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|found| Arc::clone(&found.0)),
            );
        }
        all
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    fn part(&self, sid: &Sid) -> std::sync::MutexGuard<'_, HashSet<BySid<A>>> {
        let [first, second, ..] = *sid.as_bytes();
        let index = usize::from(first).wrapping_mul(31).wrapping_add(usize::from(second)) % PARTS;
        self.parts[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
