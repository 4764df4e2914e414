//! How much one address may take: sessions at a time, and new ones a second. Off unless the builder says so.
//!
//! An IPv6 client owns a whole /64, so that is what counts as its address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Bounds for each address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressLimits {
    /// Sessions at the same time.
    pub sessions: Option<usize>,
    /// New sessions a second; a burst of as many is fine.
    pub new_per_second: Option<u32>,
}

/// What each address has taken.
pub(super) struct Addresses {
    limits: AddressLimits,
    taken: Mutex<HashMap<IpAddr, Taken>>,
}

struct Taken {
    sessions: usize,
    tokens: f64,
    since: Instant,
}

impl Addresses {
    pub(super) fn new(limits: AddressLimits) -> Self {
        Self { limits, taken: Mutex::default() }
    }

    /// Counts a new session. False if the address has had enough.
    pub(super) fn admit(&self, peer: Option<SocketAddr>, now: Instant) -> bool {
        let Some(address) = self.address(peer) else {
            return true;
        };
        let burst = self.limits.new_per_second.map_or(f64::INFINITY, f64::from);
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = all.entry(address).or_insert(Taken { sessions: 0, tokens: burst, since: now });
        let passed = now.saturating_duration_since(taken.since).as_secs_f64();
        taken.tokens = passed.mul_add(burst, taken.tokens).min(burst);
        taken.since = now;
        if taken.tokens < 1.0 || self.limits.sessions.is_some_and(|max| taken.sessions >= max) {
            return false;
        }
        taken.tokens -= 1.0;
        taken.sessions += 1;
        true
    }

    /// A session has ended. An address without sessions is forgotten once its tokens are full again.
    pub(super) fn release(&self, peer: Option<SocketAddr>, now: Instant) {
        let Some(address) = self.address(peer) else {
            return;
        };
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = all.get_mut(&address) {
            taken.sessions = taken.sessions.saturating_sub(1);
        }
        if all.len() > 1024 {
            all.retain(|_, taken| {
                taken.sessions > 0 || now.saturating_duration_since(taken.since).as_secs() < 2
            });
        } else if self.limits.new_per_second.is_none() {
            all.retain(|_, taken| taken.sessions > 0);
        }
    }

    /// The key of a peer, if there is anything to count.
    fn address(&self, peer: Option<SocketAddr>) -> Option<IpAddr> {
        if self.limits == AddressLimits::default() {
            return None;
        }
        Some(match peer?.ip() {
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => IpAddr::V4(v4),
                None => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
            },
            v4 => v4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn peer(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_sessions_and_gets_them_back() {
        let now = Instant::now();
        let addresses = Addresses::new(AddressLimits { sessions: Some(2), new_per_second: None });
        assert!(addresses.admit(peer("10.0.0.1:1"), now));
        assert!(addresses.admit(peer("10.0.0.1:2"), now));
        assert!(!addresses.admit(peer("10.0.0.1:3"), now));
        assert!(addresses.admit(peer("10.0.0.2:1"), now));
        addresses.release(peer("10.0.0.1:1"), now);
        assert!(addresses.admit(peer("10.0.0.1:4"), now));
    }

    #[test]
    fn new_sessions_a_second_are_a_bucket_that_refills() {
        let now = Instant::now();
        let addresses = Addresses::new(AddressLimits { sessions: None, new_per_second: Some(2) });
        assert!(addresses.admit(peer("10.0.0.1:1"), now));
        assert!(addresses.admit(peer("10.0.0.1:1"), now));
        assert!(!addresses.admit(peer("10.0.0.1:1"), now));
        assert!(addresses.admit(peer("10.0.0.1:1"), now + Duration::from_millis(600)));
    }

    #[test]
    fn neighbours_of_one_ipv6_network_count_as_one_and_mapped_addresses_as_ipv4() {
        let now = Instant::now();
        let addresses = Addresses::new(AddressLimits { sessions: Some(1), new_per_second: None });
        assert!(addresses.admit(peer("[2001:db8::1]:1"), now));
        assert!(!addresses.admit(peer("[2001:db8::2]:1"), now));
        assert!(addresses.admit(peer("[2001:db8:0:1::1]:1"), now));
        assert!(addresses.admit(peer("10.0.0.1:1"), now));
        assert!(!addresses.admit(peer("[::ffff:10.0.0.1]:1"), now));
    }

    #[test]
    fn without_limits_nothing_is_kept() {
        let addresses = Addresses::new(AddressLimits::default());
        assert!(addresses.admit(peer("10.0.0.1:1"), Instant::now()));
        assert!(addresses.taken.lock().unwrap().is_empty());
    }
}
