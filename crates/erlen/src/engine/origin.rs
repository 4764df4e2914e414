//! Who may talk to the engine from a browser: the origin check, and the CORS headers for whom it lets in.
//!
//! The check holds on every transport, since a browser sends a WebSocket across origins without asking.
//! Same origin by default: the `Origin`'s host and port equal those of `Host`. No `Origin`, no check.

use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};

use super::head::Head;

/// Origins beyond the own one, and what their pages may do.
///
/// ```
/// use erlen::Cors;
/// let cors = Cors::origins(["https://app.example", "https://*.example.org"]).credentials(true);
/// ```
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Origins,
    own: bool,
    credentials: bool,
    max_age: Option<u32>,
}

#[derive(Clone)]
enum Origins {
    Any,
    List(Vec<String>),
    Rule(Rule),
    Unchecked,
}

/// Whether an origin is welcome: the origin, the request's headers.
type Rule = Arc<dyn Fn(&str, &HeaderMap) -> bool + Send + Sync>;

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::List(list) => f.debug_tuple("List").field(list).finish(),
            Self::Rule(_) => f.write_str("Rule"),
            Self::Unchecked => f.write_str("Unchecked"),
        }
    }
}

impl Cors {
    /// Every origin. Browsers then send no credentials.
    pub fn any() -> Self {
        Self { origins: Origins::Any, own: true, credentials: false, max_age: None }
    }

    /// These origins, `scheme://host[:port]`; a `*` may stand for the leftmost label of the host.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        let list = origins.into_iter().map(|o| o.into().trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { origins: Origins::List(list), own: true, credentials: false, max_age: None }
    }

    /// Origins beyond the own one by a function of the origin, in lower case, and the request's headers. It is called on I/O
    /// threads and must not block.
    pub fn matching(rule: impl Fn(&str, &HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self { origins: Origins::Rule(Arc::new(rule)), own: true, credentials: false, max_age: None }
    }

    /// No check at all, and no CORS headers: for servers behind something that checks. **Any page that a user visits may then
    /// open a WebSocket in that user's name.**
    pub fn unchecked() -> Self {
        Self { origins: Origins::Unchecked, own: true, credentials: false, max_age: None }
    }

    /// The own origin is let in only where the list or the function names it. What counts as the own one is the `Host` header, which a
    /// page of a foreign name that resolves to this server brings along (DNS rebinding).
    pub fn without_own_origin(mut self) -> Self {
        self.own = false;
        self
    }

    /// Whether cookies and authorization may come along. Not with [`any`](Self::any).
    pub fn credentials(mut self, allowed: bool) -> Self {
        self.credentials = allowed;
        self
    }

    /// For how many seconds a browser may remember the preflight's answer.
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.max_age = Some(seconds);
        self
    }

    pub(crate) fn is_any(&self) -> bool {
        matches!(self.origins, Origins::Any)
    }

    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials
    }

    fn is_unchecked(&self) -> bool {
        matches!(self.origins, Origins::Unchecked)
    }

    fn welcomes(&self, origin: &str, head: &impl Head) -> bool {
        match &self.origins {
            Origins::Any | Origins::Unchecked => true,
            Origins::List(list) => list.iter().any(|allowed| matches(allowed, origin)),
            Origins::Rule(rule) => rule(origin, &head.header_map()),
        }
    }
}

/// Whether `origin` is the one that `allowed` names; `*.` stands for one label.
fn matches(allowed: &str, origin: &str) -> bool {
    let Some((scheme, domain)) = allowed.split_once("*.") else {
        return allowed == origin;
    };
    let label = origin.strip_prefix(scheme).and_then(|rest| rest.strip_suffix(domain));
    let label = label.and_then(|label| label.strip_suffix('.'));
    label.is_some_and(|label| !label.is_empty() && !label.contains(['.', '/', ':']))
}

/// What the origin of a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No browser, or the own page: no CORS headers.
    Own,
    /// Another origin that is welcome.
    Welcome(HeaderValue),
    /// Not welcome.
    Refused,
    /// Not an origin at all.
    Malformed,
}

/// Judges a request by its headers. `secure`: whether the scheme is known, and which it is.
pub(super) fn judge(cors: Option<&Cors>, head: &impl Head, secure: Option<bool>) -> Verdict {
    let Some(value) = head.first(&header::ORIGIN) else {
        return Verdict::Own;
    };
    if cors.is_some_and(Cors::is_unchecked) {
        return Verdict::Own;
    }
    if head.all(&header::ORIGIN).count() > 1 || value.iter().any(|byte| !byte.is_ascii_graphic()) {
        return Verdict::Malformed;
    }
    let Ok(origin) = std::str::from_utf8(value) else {
        return Verdict::Malformed;
    };
    let origin = origin.to_ascii_lowercase();
    let host = head.first(&header::HOST).and_then(|host| std::str::from_utf8(host).ok()).unwrap_or_default();
    if cors.is_none_or(|cors| cors.own) && is_own(&origin, &host.to_ascii_lowercase(), secure) {
        return Verdict::Own;
    }
    match cors {
        Some(cors) if cors.welcomes(&origin, head) => {
            HeaderValue::from_bytes(value).map_or(Verdict::Malformed, Verdict::Welcome)
        }
        _ => Verdict::Refused,
    }
}

/// Whether an origin is the one that was asked: same host and port, and the same scheme where it is known.
/// `ws` and `wss` pass as `http` and `https`, since native clients send them.
fn is_own(origin: &str, host: &str, secure: Option<bool>) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let tls = match scheme {
        "http" | "ws" => false,
        "https" | "wss" => true,
        _ => return false,
    };
    if host.is_empty() || secure.is_some_and(|secure| secure != tls) {
        return false;
    }
    split_port(authority, tls) == split_port(host, tls)
}

/// Host and port, the scheme's own port where none is written.
fn split_port(authority: &str, tls: bool) -> (&str, &str) {
    let default = if tls { "443" } else { "80" };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, default),
    }
}

/// Adds the CORS headers of an answer to a welcome origin; `Vary` whenever the answer depends on it.
pub(crate) fn add_headers(cors: &Cors, verdict: &Verdict, headers: &mut HeaderMap) {
    if cors.is_unchecked() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Verdict::Welcome(origin) = verdict else {
        return;
    };
    let allowed = if cors.is_any() { HeaderValue::from_static("*") } else { origin.clone() };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if cors.credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// Adds what a preflight asks for: the methods of the engine, and the headers that the page wants to send.
pub(super) fn add_preflight_headers(cors: &Cors, request: &impl Head, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST"));
    let asked = request.first(&header::ACCESS_CONTROL_REQUEST_HEADERS);
    if let Some(asked) = asked.and_then(|asked| HeaderValue::from_bytes(asked).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
        headers.append(header::VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
    }
    if let Some(seconds) = cors.max_age {
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(cors: Option<&Cors>, origin: &str, host: &str, secure: Option<bool>) -> Verdict {
        let request = http::Request::get("/").header(header::ORIGIN, origin).header(header::HOST, host);
        judge(cors, &request.body(()).unwrap().into_parts().0, secure)
    }

    #[test]
    fn the_own_page_is_let_in_by_any_scheme_that_fits() {
        for origin in [
            "http://a.example:5000",
            "https://a.example:5000",
            "ws://a.example:5000",
            "http://A.example:5000",
        ] {
            assert_eq!(judged(None, origin, "a.example:5000", None), Verdict::Own, "{origin}");
        }
        assert_eq!(judged(None, "https://a.example", "a.example:443", None), Verdict::Own);
        assert_eq!(judged(None, "http://a.example", "a.example", None), Verdict::Own);
        assert_eq!(judged(None, "http://[::1]:80", "[::1]", None), Verdict::Own);
    }

    #[test]
    fn a_known_scheme_must_agree() {
        assert_eq!(judged(None, "http://a.example:5000", "a.example:5000", Some(true)), Verdict::Refused);
        assert_eq!(judged(None, "wss://a.example:5000", "a.example:5000", Some(true)), Verdict::Own);
    }

    #[test]
    fn a_rule_decides_by_the_origin_and_the_headers() {
        let cors =
            Cors::matching(|origin, headers| origin == "http://b" && headers.contains_key(header::HOST));
        assert!(matches!(judged(Some(&cors), "http://B", "a", None), Verdict::Welcome(_)));
        assert_eq!(judged(Some(&cors), "http://c", "a", None), Verdict::Refused);
    }

    #[test]
    fn without_its_privilege_the_own_origin_has_to_be_named() {
        let named = |origin| Cors::origins([origin]).without_own_origin();
        assert_eq!(judged(Some(&named("http://b")), "http://a", "a", None), Verdict::Refused);
        assert!(matches!(judged(Some(&named("http://a")), "http://a", "a", None), Verdict::Welcome(_)));
        assert_eq!(judged(Some(&Cors::origins(["http://b"])), "http://a", "a", None), Verdict::Own);
    }

    #[test]
    fn unchecked_means_no_refusal_and_no_headers() {
        assert_eq!(judged(Some(&Cors::unchecked()), "http://evil", "a", None), Verdict::Own);
        let mut headers = HeaderMap::new();
        add_headers(&Cors::unchecked(), &Verdict::Own, &mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn foreign_and_null_origins_are_refused() {
        for origin in
            ["null", "http://b.example", "http://a.example:5001", "file://a.example:5000", "a.example:5000"]
        {
            assert_eq!(judged(None, origin, "a.example:5000", None), Verdict::Refused, "{origin}");
        }
    }

    #[test]
    fn listed_origins_are_welcome_and_a_wildcard_is_one_label() {
        let cors = Cors::origins(["https://good.example", "https://*.wild.example"]);
        let welcome = |origin: &str| matches!(judged(Some(&cors), origin, "h", None), Verdict::Welcome(_));
        assert!(welcome("https://good.example"));
        assert!(welcome("https://x.wild.example"));
        for origin in [
            "https://evil.example",
            "http://good.example",
            "https://good.example.evil",
            "https://a.b.wild.example",
            "https://.wild.example",
            "https://evil/.wild.example",
            "null",
        ] {
            assert!(!welcome(origin), "{origin}");
        }
    }
}
