//! A descriptor in reserve, for when there are no others: a newcomer is taken in with it and closed at once. Left in the
//! listener's queue it would wait for an answer that does not come, and wake the accepting thread again and again.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use socket2::Socket;

use crate::engine::Listener;
use crate::limits;
use crate::seldom::Seldom;

/// How long nothing is accepted where nobody can even be turned away.
const PAUSE: Duration = Duration::from_millis(100);

/// The descriptor, and what became of newcomers.
pub(super) struct Spare {
    /// The listening socket once more, which is as good as any file. `None` when somebody else took its place.
    held: Option<Socket>,
    turned_away: u64,
    told: Seldom,
}

impl Spare {
    pub(super) fn new(listener: &Listener) -> Self {
        Self { held: again(listener), turned_away: 0, told: Seldom::default() }
    }

    /// Does what can be done when the listener cannot accept.
    pub(super) async fn make_do(&mut self, listener: &Listener, error: &io::Error) {
        let helped = limits::is_out_of_files(error) && self.turn_away(listener).await;
        if self.told.is_due() {
            tracing::error!(target: "erlen", %error, turned_away = self.turned_away,
                "no connection can be accepted; raise the limit of open files (ulimit -Hn, LimitNOFILE of systemd)");
        }
        if !helped {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Closes the newcomer for whom there is no descriptor. False where there is not even the spare one.
    async fn turn_away(&mut self, listener: &Listener) -> bool {
        let Some(spare) = self.held.take().or_else(|| again(listener)) else {
            return false;
        };
        drop(spare);
        // Not awaited: there may be no newcomer, since the system looks for a descriptor first.
        let newcomer = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await;
        self.turned_away += u64::from(matches!(newcomer, Poll::Ready(Ok(_))));
        drop(newcomer);
        self.held = again(listener);
        true
    }
}

fn again(listener: &Listener) -> Option<Socket> {
    listener.options().try_clone().ok()
}
