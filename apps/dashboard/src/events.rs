//! The events of the page and of posting clients, as handlers on the engine.
//!
//! Each event is acknowledged with `{ok: true, …}` or `{ok: false, code, message, hint}`. A board at a rate is a room; the
//! backfill follows the acknowledgement as an event of its own, with one attachment. `ticks.rs` emits the rest.

use erlen::{Ack, Auth, Binary, Data, EmitError, Error, Handler, Json, Server, Socket, State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::{App, now};
use crate::boards::Board;
use crate::catalogue::Series;
use crate::columns::{Columns, Layout};
use crate::history::SECONDS;
use crate::ingest::BatchColumns;
use crate::live::PostError;
use crate::stream::{Resume, Since, StreamName, rate_for};

/// Registers all handlers.
pub(crate) fn register(io: &Server) {
    io.middleware(may_look);
    // What reads an hour of points, or waits for the lock while a tick is encoded, keeps off the I/O threads.
    io.on("join_dashboard", join_dashboard.blocking())
        .on("update_settings", update_settings.blocking())
        .on("refresh_data", refresh_data.blocking())
        .on("query_range", query_range.blocking())
        .on("round_trip", || json!({ "ok": true }));
    io.of("/ingest").middleware(may_post);
    io.of("/ingest").on("points", points.blocking());
}

#[derive(Default, Deserialize)]
struct ConnectAuth {
    token: Option<String>,
}

fn may_look(Auth(auth): Auth<Option<ConnectAuth>>, State(app): State<App>) -> Result<(), Error> {
    if app.access.may_look(auth.unwrap_or_default().token.as_deref()) {
        return Ok(());
    }
    Err(unauthorised("Type the password or token that the dashboard was started with."))
}

fn may_post(Auth(auth): Auth<Option<ConnectAuth>>, State(app): State<App>) -> Result<(), Error> {
    let given = auth.unwrap_or_default().token;
    if app.access.may_post(given.as_deref()) {
        return Ok(());
    }
    if app.access.may_look(given.as_deref()) {
        let message = "This password opens the page and may not post.";
        return Err(Error::refuse(message).with_data(fault(
            "forbidden",
            message,
            "Give the token of --token instead.",
        )));
    }
    Err(unauthorised("Give the token as auth: {token: …}."))
}

fn unauthorised(hint: &str) -> Error {
    let message = "The password or token is wrong or missing.";
    Error::refuse(message).with_data(fault("unauthorised", message, hint))
}

fn fault(code: &str, message: &str, hint: &str) -> Value {
    json!({ "ok": false, "code": code, "message": message, "hint": hint })
}

/// What a socket looks at, in its own data.
#[derive(Clone, Debug)]
struct Viewer {
    stream: StreamName,
    window: i64,
}

#[derive(Deserialize)]
struct Join {
    id: String,
    rate: Option<String>,
    window_s: Option<i64>,
    since: Option<Since>,
}

/// The acknowledgement of `join_dashboard`.
#[derive(Serialize)]
struct JoinedAck {
    ok: bool,
    spec: &'static Board,
    catalogue: Vec<Series>,
    #[serde(flatten)]
    place: Since,
    resync: bool,
    missed: Vec<Box<RawValue>>,
    guarded: bool,
    host: String,
    version: &'static str,
}

fn join_dashboard(
    socket: Socket,
    State(app): State<App>,
    Data(join): Data<Join>,
    ack: Ack,
) -> Result<(), Error> {
    let rate = join.rate.unwrap_or_else(|| "1s".to_owned());
    let Ok(stream) = format!("dash:{}@{rate}", join.id).parse::<StreamName>() else {
        return Ok(ack.send(fault(
            "unknown_rate",
            "There is no such refresh rate.",
            "Rates: 1s, 2s, 5s, 10s.",
        ))?);
    };
    let window = join.window_s.unwrap_or(300).clamp(1, SECONDS);
    if Board::find(&join.id).is_none() {
        return Ok(ack.send(fault(
            "unknown_board",
            "There is no such board.",
            "Boards: overview, host, engine, ingest.",
        ))?);
    }
    // In the room first, then the place: a tick between the two comes twice, and the page knows it by its number.
    look_at(&socket, Viewer { stream: stream.clone(), window });
    let Some(joined) = app.live().join(&stream.board, stream.rate, join.since.as_ref()) else {
        return Ok(ack.send(fault(
            "unknown_board",
            "There is no such board.",
            "Boards: overview, host, engine, ingest.",
        ))?);
    };
    let (resync, missed) = match joined.resume {
        Resume::Resync => (true, Vec::new()),
        Resume::Missed(ticks) => (
            false,
            ticks.iter().map(|tick| RawValue::from_string(tick.to_string())).collect::<Result<_, _>>()?,
        ),
    };
    ack.send(JoinedAck {
        ok: true,
        spec: joined.board,
        catalogue: joined.catalogue,
        place: joined.place,
        resync,
        missed,
        guarded: app.access.is_guarded(),
        host: app.host.clone(),
        version: env!("CARGO_PKG_VERSION"),
    })?;
    if resync {
        backfill(&socket, &app)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Settings {
    refresh_ms: Option<u64>,
    window_s: Option<i64>,
}

fn update_settings(
    socket: Socket,
    State(app): State<App>,
    Data(settings): Data<Settings>,
    ack: Ack,
) -> Result<(), Error> {
    let Some(viewer) = socket.get::<Viewer>() else { return Ok(ack.send(not_joined())?) };
    let mut viewer = Viewer::clone(&viewer);
    if let Some(refresh_ms) = settings.refresh_ms {
        viewer.stream.rate = rate_for(refresh_ms);
    }
    viewer.window = settings.window_s.unwrap_or(viewer.window).clamp(1, SECONDS);
    ack.send(json!({ "ok": true, "stream": viewer.stream.to_string(), "window_s": viewer.window }))?;
    look_at(&socket, viewer);
    Ok(backfill(&socket, &app)?)
}

/// All points of the window once more; the panels of a board come together.
fn refresh_data(socket: Socket, State(app): State<App>, ack: Ack) -> Result<(), Error> {
    let Some(viewer) = socket.get::<Viewer>() else { return Ok(ack.send(not_joined())?) };
    ack.send(json!({ "ok": true, "stream": viewer.stream.to_string() }))?;
    Ok(backfill(&socket, &app)?)
}

#[derive(Deserialize)]
struct Range {
    panel: String,
    from: i64,
    to: i64,
    px: usize,
}

/// The acknowledgement of `query_range`: a layout, and its bytes as an attachment.
#[derive(Serialize)]
struct RangeAck {
    ok: bool,
    #[serde(flatten)]
    layout: Layout,
    data: Binary,
}

fn query_range(
    socket: Socket,
    State(app): State<App>,
    Data(range): Data<Range>,
    ack: Ack,
) -> Result<(), Error> {
    let Some(viewer) = socket.get::<Viewer>() else { return Ok(ack.send(not_joined())?) };
    let found = app.live().query(&viewer.stream.board, &range.panel, range.from, range.to, range.px);
    let Some(Columns { layout, bytes }) = found else {
        return Ok(ack.send(fault(
            "unknown_panel",
            "The board has no such panel.",
            "Panels stand in the spec of join_dashboard.",
        ))?);
    };
    Ok(ack.send(RangeAck { ok: true, layout, data: Binary::from(bytes) })?)
}

#[derive(Deserialize)]
struct Batch {
    batch_id: String,
    cols: BatchColumns,
}

/// Takes a batch once: the same id again is `duplicate`, so a client may send it until it is acknowledged.
fn points(State(app): State<App>, batch: Result<Data<Batch>, Error>) -> Json<Value> {
    let Batch { batch_id, cols } = match batch {
        Ok(Data(batch)) => batch,
        Err(_) => {
            app.count_refusal();
            return Json(fault(
                "malformed",
                "The batch is not {batch_id, cols}.",
                "cols: {t: [seconds], name: [number or null]}.",
            ));
        }
    };
    if batch_id.len() > 128 {
        return Json(fault(
            "malformed",
            "The batch_id has more than 128 bytes.",
            "A counter or a UUID will do.",
        ));
    }
    let points = match cols.into_points() {
        Ok(points) => points,
        Err(refusal) => {
            app.count_refusal();
            return Json(fault("refused", &refusal.to_string(), "Nothing of the batch was taken."));
        }
    };
    Json(match app.live().post_batch(&batch_id, &points, now()) {
        Ok((accepted, duplicate)) => json!({ "ok": true, "accepted": accepted, "duplicate": duplicate }),
        Err(PostError::Refused(refusal)) => {
            fault("refused", &refusal.to_string(), "Nothing of the batch was taken.")
        }
        Err(PostError::Busy) => {
            fault("busy", "Too many points wait for the next second.", "Send the same batch again then.")
        }
    })
}

fn not_joined() -> Value {
    fault("not_joined", "This socket looks at no board.", "Send join_dashboard first.")
}

/// Leaves the room of before and joins the stream's.
fn look_at(socket: &Socket, viewer: Viewer) {
    let room = viewer.stream.to_string();
    if let Some(before) = socket.get::<Viewer>().filter(|before| before.stream != viewer.stream) {
        socket.leave(before.stream.to_string());
    }
    socket.join(room.as_str());
    socket.insert(viewer);
}

/// The description of a backfill, whose bytes are the second argument.
#[derive(Serialize)]
struct Backfill {
    #[serde(flatten)]
    place: Since,
    #[serde(flatten)]
    layout: Layout,
    rate: i64,
}

fn backfill(socket: &Socket, app: &App) -> Result<(), EmitError> {
    let Some(viewer) = socket.get::<Viewer>() else { return Ok(()) };
    let found = app.live().backfill(&viewer.stream.board, viewer.stream.rate, viewer.window);
    let Some((place, Columns { layout, bytes })) = found else { return Ok(()) };
    socket.emit("backfill", (Backfill { place, layout, rate: viewer.stream.rate }, Binary::from(bytes)))
}
