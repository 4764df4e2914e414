//! What happens when slow clients hold more than the budget of all: those that hold the most are cut, the rest lives.
//!
//! Called by the shards, when the end of a turn has left packets in a queue. Who is not slow never comes here.

use std::sync::{Arc, TryLockError};

use erlen_engineio::CloseReason;

use super::{Application, Client, Engine};

impl<A: Application> Engine<A> {
    /// Brings what slow clients hold below the budget, if it is over.
    pub(super) fn relieve(&self) {
        if !self.budget.is_over() {
            return;
        }
        let _alone = match self.relief.try_lock() {
            Err(TryLockError::WouldBlock) => return,
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let clients = self.clients();
        let mut largest: Vec<_> = clients
            .iter()
            .filter_map(|client| Some((client.share()?, client)))
            .filter(|(share, _)| *share > 0)
            .collect();
        largest.sort_unstable_by_key(|(share, _)| std::cmp::Reverse(*share));
        // An eighth below, so that the sessions are not looked through again for the next packet.
        let enough = self.budget.limit() / 8 * 7;
        let mut on_their_way = 0;
        let mut cut = 0;
        for (_, client) in largest {
            if self.budget.held().saturating_sub(on_their_way) <= enough {
                break;
            }
            on_their_way += client.cut_as_slow();
            cut += 1;
        }
        tracing::warn!(target: "erlen::engine", sessions = cut, budget = self.budget.limit(),
            "slow clients were cut; the budget is the builder's `max_total_queue_bytes`");
    }
}

impl<A: Application> Client<A> {
    /// Ends the session, whose queue is dropped at once. What its connection keeps follows: so many bytes.
    fn cut_as_slow(self: &Arc<Self>) -> usize {
        let unsent = self.lock().unsent;
        self.close(CloseReason::SlowConsumer, "the queues of all clients are over their budget");
        unsent
    }
}
