//! The clock of the dashboard: a thread that wakes at each whole second, samples, and emits what `live.rs` encodes.
//!
//! A thread of its own, since reading the machine blocks for some milliseconds. It ends when its handle is dropped.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use erlen::Server;
use serde_json::json;
use serde_json::value::RawValue;

use crate::app::{App, now};
use crate::engine::EngineSource;
use crate::host::Host;
use crate::live::Sample;

/// Stops the clock when it is dropped.
pub(crate) struct Clock {
    _stop: Sender<()>,
}

/// Starts the clock.
pub(crate) fn start(io: Server, app: App) -> std::io::Result<Clock> {
    let (stop, stopped) = channel();
    thread::Builder::new().name("erlen-live-clock".to_owned()).spawn(move || run(&io, &app, &stopped))?;
    Ok(Clock { _stop: stop })
}

fn run(io: &Server, app: &App, stopped: &Receiver<()>) {
    let mut host = Host::new();
    let mut engine = EngineSource::new(io.clone());
    while stopped.recv_timeout(until_next_second()) == Err(RecvTimeoutError::Timeout) {
        let mut sample = Sample::default();
        host.sample(&mut sample);
        engine.sample(&mut sample);
        let out = app.live().tick(now() as i64, sample);
        if !out.new_series.is_empty() {
            report(io.emit("new_series", json!({ "series": out.new_series })));
        }
        for (room, tick) in out.ticks {
            engine.delivered(&room);
            match serde_json::from_str::<&RawValue>(&tick) {
                Ok(tick) => report(io.to(room).emit("update_dashboard", tick)),
                Err(error) => tracing::error!(%error, room, "a tick is no JSON"),
            }
        }
    }
}

fn report(emitted: Result<(), erlen::EmitError>) {
    if let Err(error) = emitted {
        tracing::error!(%error, "a tick could not be emitted");
    }
}

fn until_next_second() -> Duration {
    let fraction = now().fract();
    // A little after the second, so that a wake-up that is early does not count the old one twice.
    Duration::from_secs_f64(1.002 - fraction)
}
