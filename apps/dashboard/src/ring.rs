//! A bounded ring of encoded ticks with consecutive numbers.
//!
//! It forgets the oldest past a count or a number of bytes, and knows nothing of what the bytes say. A `Stream` keeps one.

use std::collections::VecDeque;
use std::sync::Arc;

/// Encoded ticks, the oldest in front.
#[derive(Debug)]
pub struct Ring {
    ticks: VecDeque<Arc<str>>,
    next_seq: u64,
    bytes: usize,
    max_ticks: usize,
    max_bytes: usize,
}

impl Ring {
    /// A ring that starts with number 1.
    pub fn new(max_ticks: usize, max_bytes: usize) -> Self {
        Self { ticks: VecDeque::new(), next_seq: 1, bytes: 0, max_ticks, max_bytes }
    }

    /// The number that the next tick gets.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Keeps a tick; the newest stays even if it alone is over the bound.
    pub fn push(&mut self, tick: Arc<str>) {
        self.bytes += tick.len();
        self.ticks.push_back(tick);
        self.next_seq += 1;
        while self.ticks.len() > 1 && (self.ticks.len() > self.max_ticks || self.bytes > self.max_bytes) {
            let oldest = self.ticks.pop_front();
            self.bytes -= oldest.map_or(0, |tick| tick.len());
        }
    }

    /// All ticks after number `seq`; none when some of them are forgotten, or when that number was never given.
    pub fn after(&self, seq: u64) -> Option<Vec<Arc<str>>> {
        let oldest = self.next_seq - self.ticks.len() as u64;
        let first_missing = seq.checked_add(1)?;
        if first_missing < oldest || first_missing > self.next_seq {
            return None;
        }
        let skip = usize::try_from(first_missing - oldest).ok()?;
        Some(self.ticks.iter().skip(skip).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(ticks: u64, max_ticks: usize, max_bytes: usize) -> Ring {
        let mut ring = Ring::new(max_ticks, max_bytes);
        for number in 1..=ticks {
            ring.push(format!("tick {number:03}").into());
        }
        ring
    }

    fn texts(ticks: Option<Vec<Arc<str>>>) -> Vec<String> {
        ticks.expect("still kept").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn it_gives_exactly_what_is_missing() {
        let ring = filled(5, 10, 1000);
        assert_eq!(texts(ring.after(3)), ["tick 004", "tick 005"]);
        assert_eq!(texts(ring.after(5)), [""; 0]);
        assert_eq!(ring.after(0).map(|ticks| ticks.len()), Some(5));
    }

    #[test]
    fn a_forgotten_or_unknown_number_has_no_answer() {
        let ring = filled(20, 10, 1000);
        assert_eq!(texts(ring.after(10)).len(), 10, "11 to 20 are kept");
        assert!(ring.after(9).is_none(), "10 is forgotten");
        assert!(ring.after(21).is_none() && ring.after(u64::MAX).is_none(), "never given");
    }

    #[test]
    fn it_is_bounded_by_bytes_too_but_keeps_the_newest() {
        let ring = filled(20, 100, 24);
        assert_eq!(texts(ring.after(17)), ["tick 018", "tick 019", "tick 020"]);
        assert!(ring.after(16).is_none());
        let mut small = Ring::new(10, 4);
        small.push("longer than that".into());
        assert_eq!(texts(small.after(0)), ["longer than that"]);
    }
}
