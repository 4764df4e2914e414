//! Random bytes for ids, fetched from the system some at a time.
//!
//! Each byte is handed out once, and wiped where it lay.

use std::cell::RefCell;

/// Bytes that one call of the system fetches.
const POOL: usize = 480;

struct Pool {
    bytes: [u8; POOL],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], used: POOL }) };
}

/// Bytes of the system's random source. `N` is at most the pool's size.
///
/// # Panics
/// When the system has none: nothing that hands out secrets may go on then.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    const { assert!(N <= POOL) };
    RANDOM.with_borrow_mut(|pool| {
        if pool.used + N > POOL {
            getrandom::fill(&mut pool.bytes).expect("the system's random source answers");
            pool.used = 0;
        }
        let mut taken = [0; N];
        let source = &mut pool.bytes[pool.used..pool.used + N];
        taken.copy_from_slice(source);
        source.fill(0);
        pool.used += N;
        taken
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ids_are_alike_across_refills() {
        let ids: std::collections::HashSet<[u8; 15]> = (0..1000).map(|_| random()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(!ids.contains(&[0; 15]));
    }
}
