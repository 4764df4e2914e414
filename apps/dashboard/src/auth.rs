//! Who may look and who may post.
//!
//! Holds the secrets of `--password` and `--token` and compares; it reads no header and answers no request. The HTTP
//! routes and the connect middleware call it. Without any secret the address is loopback (`options.rs` sees to that), and then the
//! `Host` of a request must be a loopback name, so that a foreign page cannot reach in by a name of its own.

use std::net::IpAddr;

/// The secrets that guard this dashboard; both may be absent on loopback.
#[derive(Clone, Debug, Default)]
pub struct Access {
    password: Option<String>,
    token: Option<String>,
}

impl Access {
    /// Takes the secrets as the options give them.
    pub fn new(password: Option<String>, token: Option<String>) -> Self {
        Self { password, token }
    }

    /// Whether a secret is asked for at all.
    pub fn is_guarded(&self) -> bool {
        self.password.is_some() || self.token.is_some()
    }

    /// Whether this secret opens the page's stream. The password does, and so does the token.
    pub fn may_look(&self, given: Option<&str>) -> bool {
        !self.is_guarded() || matches(&self.password, given) || matches(&self.token, given)
    }

    /// Whether this secret lets a post in: the token, or the password where there is no token.
    pub fn may_post(&self, given: Option<&str>) -> bool {
        match (&self.token, &self.password) {
            (None, None) => true,
            (Some(_), _) => matches(&self.token, given),
            (None, Some(_)) => matches(&self.password, given),
        }
    }

    /// Whether a request that names this `Host` may be served. Where a secret is asked for, every name may.
    pub fn accepts_host(&self, host: Option<&str>) -> bool {
        self.is_guarded() || host.is_some_and(is_loopback_name)
    }
}

/// The secret in an `Authorization` header: `Bearer x`, or `Token x` as clients of InfluxDB 2 send it.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, secret) = header.trim().split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then(|| secret.trim())
}

/// Whether an `Origin` (`http://host:port`) is the host that the request itself went to.
pub fn is_same_origin(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

/// Takes as long for a near miss as for a wild one.
fn matches(secret: &Option<String>, given: Option<&str>) -> bool {
    let (Some(secret), Some(given)) = (secret, given) else { return false };
    let longest = secret.len().max(given.len());
    let differences = (0..longest).fold(secret.len() ^ given.len(), |found, at| {
        let (ours, theirs) = (secret.as_bytes().get(at), given.as_bytes().get(at));
        found | usize::from(ours.copied().unwrap_or(0) ^ theirs.copied().unwrap_or(0))
    });
    differences == 0
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn without_secrets_everyone_on_loopback_may_do_both() {
        let open = Access::default();
        assert!(open.may_look(None) && open.may_post(None));
    }

    #[test]
    fn a_password_alone_guards_looking_and_posting() {
        let access = Access::new(secret("pw"), None);
        assert!(!access.may_look(None) && !access.may_look(Some("p")) && access.may_look(Some("pw")));
        assert!(!access.may_post(None) && access.may_post(Some("pw")));
    }

    #[test]
    fn with_both_the_password_cannot_post() {
        let access = Access::new(secret("pw"), secret("tok"));
        assert!(access.may_look(Some("pw")) && access.may_look(Some("tok")));
        assert!(access.may_post(Some("tok")) && !access.may_post(Some("pw")));
    }

    #[test]
    fn a_secret_is_not_matched_by_a_prefix_or_an_extension_of_it() {
        let access = Access::new(None, secret("token"));
        for near in ["", "toke", "tokens", "token\0", "Token"] {
            assert!(!access.may_post(Some(near)), "{near:?} passed");
        }
    }

    #[test]
    fn an_unguarded_server_answers_to_loopback_names_alone() {
        let open = Access::default();
        for host in ["localhost:5000", "127.0.0.1", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST"] {
            assert!(open.accepts_host(Some(host)), "{host} was refused");
        }
        for host in ["evil.example", "evil.example:5000", "localhost.evil.example", "192.168.1.7:5000", ""] {
            assert!(!open.accepts_host(Some(host)), "{host} was served");
        }
        assert!(!open.accepts_host(None));
        assert!(Access::new(secret("pw"), None).accepts_host(Some("live.example")));
    }

    #[test]
    fn the_header_is_read_as_bearer_or_token() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("token abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("abc"), None);
    }

    #[test]
    fn an_origin_is_ours_when_its_authority_is_the_host() {
        assert!(is_same_origin("http://localhost:5000", "localhost:5000"));
        assert!(!is_same_origin("http://localhost:5001", "localhost:5000"));
        assert!(!is_same_origin("null", "localhost:5000"));
    }
}
