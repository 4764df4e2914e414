//! The date of answers that are written here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time as HTTP writes it, kept for as long as its second lasts.
#[derive(Default)]
pub(super) struct Date {
    second: Option<Duration>,
    text: String,
}

impl Date {
    pub(super) fn at(&mut self, now: SystemTime) -> &str {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let second = Duration::from_secs(since.as_secs());
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + second);
        }
        &self.text
    }
}
