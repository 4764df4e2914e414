//! What the engine has to say (`tracing`), as records of Python's logger `erlen`.
//!
//! Network threads only queue a line; one thread of Python hands the lines to `logging`. The first line of each kind is a warning,
//! so that an operator sees it where nothing is configured; those that follow keep their level. A client that provokes
//! lines gets a hundred of a kind a second, and then a count of those left out.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::pool::{IDLE, Pool};

/// Lines of one kind in a [`WINDOW`].
const MOST: u32 = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// The builder's options under the names that they have in Python.
const NAMES: [(&str, &str); 2] = [
    ("the builder's `max_payload`", "`max_http_buffer_size`"),
    ("the builder's `cors`", "`cors_allowed_origins`"),
];

/// Sends the lines of this process to Python, from the first call on.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Another extension module cannot be in the way: each has a `tracing` of its own.
        let _ = tracing::subscriber::set_global_default(ToPython::default());
    });
}

#[derive(Default)]
struct ToPython {
    kinds: Mutex<HashMap<Identifier, Kind>>,
    pool: Mutex<Option<Arc<Pool>>>,
}

/// The lines of one place in the code.
struct Kind {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl ToPython {
    /// The level of the next line of a kind, and how many were left out before it. `None`: it is left out too.
    fn admit(&self, metadata: &Metadata<'_>) -> Option<(Level, u64)> {
        let now = Instant::now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kind) = kinds.get_mut(&metadata.callsite()) else {
            kinds.insert(metadata.callsite(), Kind { since: now, lines: 1, left_out: 0 });
            return Some(((*metadata.level()).min(Level::WARN), 0));
        };
        if now.saturating_duration_since(kind.since) >= WINDOW {
            (kind.since, kind.lines) = (now, 0);
        }
        if kind.lines >= MOST {
            kind.left_out += 1;
            return None;
        }
        kind.lines += 1;
        Some((*metadata.level(), std::mem::take(&mut kind.left_out)))
    }

    fn hand_over(&self, level: Level, line: String) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        // A process that was forked has none of its parent's threads.
        let current = pool.take().filter(|pool| pool.is_of_this_process());
        let current = pool.insert(current.unwrap_or_else(|| Pool::start("erlen-log", 1, IDLE)));
        current.push(Box::new(move |py| {
            let logger = py.import("logging")?.call_method1("getLogger", ("erlen",))?;
            logger.call_method1("log", (number_of(level), "%s", line)).map(drop)
        }));
    }
}

/// Python's number for a level.
fn number_of(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        _ => 20,
    }
}

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("erlen")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let Some((level, left_out)) = self.admit(event.metadata()) else {
            return;
        };
        let mut line = Line::default();
        event.record(&mut line);
        self.hand_over(level, line.finish(left_out));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, and `name=value` of each field.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn finish(self, left_out: u64) -> String {
        let mut line = self.message;
        for (rust, python) in NAMES {
            line = line.replace(rust, python);
        }
        line.push_str(&self.fields);
        if left_out > 0 {
            let _ = write!(line, " ({left_out} like it were left out)");
        }
        line
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
