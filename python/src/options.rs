//! What an engine is told by Python, and the builder that it becomes. `_erlen.pyi` lists the names and the defaults.

use std::collections::HashSet;
use std::time::Duration;

use erlen::engine::Handshake;
use erlen::{Builder, Cookie, Cors, Server, Transports};
use http::header::{self, HeaderMap, HeaderValue};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::delegate::UNKNOWN_NAMESPACE;
use crate::pool;

/// Who may come from another origin. The meaning is that of `cors_allowed_origins` in Flask-SocketIO.
enum Origins {
    /// The own one, also as a proxy names it.
    Own,
    Any,
    Unchecked,
    /// The application is asked, with the handshake.
    Asked,
    List(HashSet<String>),
}

type Bounded = fn(Builder, usize) -> Builder;

/// The builder's bounds that are plain numbers.
const BOUNDS: [(&str, Bounded); 15] = [
    ("shards", Builder::shards),
    ("max_attachments", Builder::max_attachments),
    ("max_events_per_second", |builder, events| builder.max_events_per_second(clamped(events))),
    ("max_new_sessions_per_address", |builder, sessions| {
        builder.max_new_sessions_per_address(clamped(sessions))
    }),
    ("max_payload", Builder::max_payload),
    ("max_payload_packets", Builder::max_payload_packets),
    ("max_pending_acks", Builder::max_pending_acks),
    ("max_queue_bytes", Builder::max_queue_bytes),
    ("max_queue_packets", Builder::max_queue_packets),
    ("max_rooms", Builder::max_rooms),
    ("max_sessions", Builder::max_sessions),
    ("max_sessions_per_address", Builder::max_sessions_per_address),
    ("max_total_queue_bytes", Builder::max_total_queue_bytes),
    ("max_waiting_event_bytes", Builder::max_waiting_event_bytes),
    ("max_waiting_events", Builder::max_waiting_events),
];

fn clamped(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The options of the engine itself; what is about Python's threads is beside it.
pub(crate) struct Options {
    builder: Builder,
    pub(crate) ask_handshake: bool,
    pub(crate) always_connect: bool,
    pub(crate) max_event_threads: usize,
    pub(crate) event_idle: Duration,
    pub(crate) ordered: bool,
}

/// Takes an option out of the keywords.
struct Keywords<'a, 'py>(&'a Bound<'py, PyDict>);

impl<'py> Keywords<'_, 'py> {
    fn any(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(value) = self.0.get_item(name)? else {
            return Ok(None);
        };
        self.0.del_item(name)?;
        Ok((!value.is_none()).then_some(value))
    }

    fn take<T>(&self, name: &str, default: T) -> PyResult<T>
    where
        T: for<'a> FromPyObject<'a, 'py>,
    {
        match self.any(name)? {
            Some(value) => extracted(name, &value),
            None => Ok(default),
        }
    }

    fn seconds(&self, name: &str, default: f64) -> PyResult<Duration> {
        let seconds = self.take(name, default)?;
        Duration::try_from_secs_f64(seconds).map_err(|_| {
            PyValueError::new_err(format!("'{name}' must be a number of seconds, not {seconds}"))
        })
    }
}

fn extracted<'py, T>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    let extracted = value.extract();
    extracted.map_err(|_| PyTypeError::new_err(format!("the engine's option '{name}' cannot be {value}")))
}

impl Options {
    pub(crate) fn new(keywords: &Bound<'_, PyDict>) -> PyResult<Self> {
        let keywords = keywords.copy()?;
        let take = Keywords(&keywords);
        let transports: Vec<String> = take.take("transports", vec!["polling".into(), "websocket".into()])?;
        let has = |name: &str| transports.iter().any(|transport| transport == name);
        let mut builder = Server::builder()
            .path(&take.take("path", "socket.io".to_owned())?)
            .transports(Transports { polling: has("polling"), websocket: has("websocket") })
            .allow_upgrades(take.take("allow_upgrades", true)?)
            .ping_interval(take.seconds("ping_interval", 25.0)?)
            .ping_grace(take.seconds("ping_grace", 0.0)?)
            .ping_timeout(take.seconds("ping_timeout", 20.0)?)
            .max_json_depth(1_000)
            .json_barewords(true)
            .reach_while_connecting(true)
            .handlers_only_wait(true)
            .ignore_stray_packets(true)
            .count_acks_by_socket(true)
            .unknown_namespace(UNKNOWN_NAMESPACE);
        for (name, bounded) in BOUNDS {
            if let Some(bound) = take.any(name)? {
                builder = bounded(builder, extracted(name, &bound)?);
            }
        }
        if let Some(cookie) = take.any("cookie")? {
            let attributes: Vec<(String, Bound<'_, PyAny>)> = cookie.extract()?;
            builder = with_cookie(builder, &attributes)?;
        }
        let origins = origins(take.any("cors")?.as_ref())?;
        builder = with_origins(builder, origins, take.take("cors_credentials", true)?);
        let options = Self {
            builder,
            ask_handshake: take.take("ask_handshake", false)?,
            always_connect: take.take("always_connect", false)?,
            max_event_threads: take.take("max_event_threads", 1_000)?,
            event_idle: take.seconds("event_idle", pool::IDLE.as_secs_f64())?,
            ordered: take.take("ordered", false)?,
        };
        match keywords.keys().iter().next() {
            Some(name) => Err(PyTypeError::new_err(format!("the engine has no option {name}"))),
            None => Ok(options),
        }
    }

    /// The builder, with the hook that every handshake passes.
    pub(crate) fn build<F, Fut, T>(self, admit: F) -> PyResult<Server>
    where
        F: Fn(Handshake) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, String>> + Send + 'static,
        T: Send + Sync + 'static,
    {
        let built = self.builder.admit_request(admit).build();
        built.map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// The cookie, with those attributes that the builder's has not behind the others.
fn with_cookie(builder: Builder, attributes: &[(String, Bound<'_, PyAny>)]) -> PyResult<Builder> {
    let mut cookie = Cookie { http_only: false, ..Cookie::default() };
    let mut rest = String::new();
    for (index, (name, value)) in attributes.iter().enumerate() {
        match (index, name.to_ascii_lowercase().as_str()) {
            (0, _) => cookie.name.clone_from(name),
            (_, "path") => cookie.path = value.extract()?,
            (_, "secure") => cookie.secure = value.is_truthy()?,
            (_, "httponly") => cookie.http_only = value.is_truthy()?,
            (_, "samesite") => {
                let text: String = value.extract()?;
                cookie.same_site = match text.to_ascii_lowercase().as_str() {
                    "strict" => "Strict",
                    "none" => "None",
                    _ => "Lax",
                };
            }
            (_, "partitioned") => rest.push_str(if value.is_truthy()? { "; Partitioned" } else { "" }),
            (_, "domain" | "max-age" | "expires") => rest.push_str(&attribute(name, value)?),
            (_, other) => {
                return Err(PyValueError::new_err(format!(
                    "the cookie's attribute '{other}' is not supported: name, path, Domain, Max-Age, Expires, Secure, HttpOnly, \
                     SameSite and Partitioned are"
                )));
            }
        }
    }
    let builder = builder.cookie(cookie);
    if rest.is_empty() {
        return Ok(builder);
    }
    Ok(builder.initial_headers(move |answer, _| {
        // The engine's own cookie is the only one of its first answer.
        let Some(cookie) = answer.get_mut(header::SET_COOKIE) else {
            return;
        };
        let text = [cookie.as_bytes(), rest.as_bytes()].concat();
        if let Ok(whole) = HeaderValue::from_bytes(&text) {
            *cookie = whole;
        }
    }))
}

/// An attribute with a value, as it stands in the header; none where that is None or False.
fn attribute(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_none() || value.extract::<bool>().is_ok_and(|flag| !flag) {
        return Ok(String::new());
    }
    let text = value.str()?.to_string();
    if text.bytes().any(|byte| byte == b';' || !(b' '..=b'~').contains(&byte)) {
        return Err(PyValueError::new_err(format!("the cookie's attribute '{name}' cannot be {text:?}")));
    }
    Ok(format!("; {name}={text}"))
}

fn origins(value: Option<&Bound<'_, PyAny>>) -> PyResult<Origins> {
    let Some(value) = value else {
        return Ok(Origins::Own);
    };
    if let Ok(word) = value.extract::<String>() {
        return match word.as_str() {
            "*" => Ok(Origins::Any),
            "ask" => Ok(Origins::Asked),
            "off" => Ok(Origins::Unchecked),
            _ => Err(PyValueError::new_err(format!("'cors' cannot be '{word}'"))),
        };
    }
    let list: Vec<String> = value.extract()?;
    Ok(Origins::List(list.into_iter().map(|origin| origin.to_ascii_lowercase()).collect()))
}

fn with_origins(builder: Builder, origins: Origins, credentials: bool) -> Builder {
    let cors = match origins {
        Origins::Unchecked => return builder.cors(Cors::unchecked()),
        Origins::Any | Origins::Asked => Cors::matching(|_, _| true),
        Origins::List(list) => Cors::matching(move |origin, _| list.contains(origin)).without_own_origin(),
        Origins::Own => Cors::matching(is_forwarded),
    };
    let builder = builder.cors(cors.credentials(credentials));
    if !credentials {
        return builder;
    }
    builder.headers(|answer, _| {
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    })
}

/// Whether an origin is the own one as a proxy in front names it.
fn is_forwarded(origin: &str, headers: &HeaderMap) -> bool {
    let first = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        Some(value.split(',').next().unwrap_or_default().trim().to_ascii_lowercase())
    };
    let (scheme, host) = (first("x-forwarded-proto"), first("x-forwarded-host"));
    if scheme.is_none() && host.is_none() {
        return false;
    }
    let host = host.or_else(|| first("host")).unwrap_or_default();
    let Some((found, authority)) = origin.split_once("://") else {
        return false;
    };
    let found = match found {
        "ws" => "http",
        "wss" => "https",
        other => other,
    };
    authority == host && scheme.is_none_or(|scheme| scheme == found)
}
