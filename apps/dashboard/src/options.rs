//! The command line and its environment twins.
//!
//! Parses and judges; it opens nothing. Everything that is wrong comes back as one line that says what is wrong and
//! how to mend it. `main.rs` calls it. Who may see and post what is in `auth.rs`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Parser;
use clap::error::ErrorKind;

/// What the user asked for.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "erlen-dashboard",
    version,
    about = "Erlen Live: a live dashboard of this host, of the engine and of anything that is posted."
)]
pub struct Options {
    /// Address to listen on; one that other machines reach needs --password or --token
    #[arg(long, env = "ERLEN_HOST", default_value = "127.0.0.1", value_parser = parse_host)]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "ERLEN_PORT", default_value_t = 5000)]
    pub port: u16,
    /// Password that opens the page; it also lets posts in when there is no --token
    #[arg(long, env = "ERLEN_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Token that posts must carry (Authorization: Bearer ...); it also opens the page
    #[arg(long, env = "ERLEN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Open the page in the browser of this desktop
    #[arg(long)]
    pub open: bool,
}

/// Why the program does not start.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The user asked for a text (`--help`, `--version`); nothing is wrong.
    Text(String),
    /// One line: what is wrong, and how to mend it.
    Wrong(String),
}

impl Options {
    /// Reads the arguments (the first is the program's name) and the environment.
    pub fn parse_args<I, T>(args: I) -> Result<Self, Stop>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let options = Self::try_parse_from(args).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Text(error.to_string()),
            _ => Stop::Wrong(one_line(&error.to_string())),
        })?;
        options.judge()?;
        Ok(options)
    }

    /// The address to bind.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    fn judge(&self) -> Result<(), Stop> {
        for (flag, secret) in [("--password", &self.password), ("--token", &self.token)] {
            if secret.as_ref().is_some_and(|secret| secret.trim().is_empty()) {
                return Err(Stop::Wrong(format!("{flag} is empty; give it a value, or leave it out.")));
            }
        }
        if self.host.is_loopback() || self.password.is_some() || self.token.is_some() {
            return Ok(());
        }
        Err(Stop::Wrong(format!(
            "{} can be reached from other machines and nothing would guard it; add --password (or --token), or leave out --host.",
            self.host
        )))
    }
}

/// One line for an address that cannot be listened on.
pub fn explain_bind_error(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {} of {} is taken by another program; choose another with --port {}, or a free one with --port 0.",
            address.port(),
            address.ip(),
            if address.port() == u16::MAX { 5000 } else { address.port() + 1 },
        ),
        std::io::ErrorKind::PermissionDenied => {
            format!(
                "port {} needs more rights than this user has; choose one above 1023, such as --port 5000.",
                address.port()
            )
        }
        std::io::ErrorKind::AddrNotAvailable => {
            format!(
                "{} is no address of this machine; leave out --host, or give one that it has.",
                address.ip()
            )
        }
        _ => format!("cannot listen on {address}: {error}; try another --host or --port."),
    }
}

fn parse_host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_| "expected an IP address, such as 127.0.0.1 or 0.0.0.0".to_owned())
}

/// clap explains over several paragraphs; the cause and its tip fit one line.
fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with("Usage:") && !line.starts_with("For more information")
        })
        .map(|line| line.strip_prefix("error: ").unwrap_or(line))
        .collect();
    format!("{}; --help lists what there is.", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options, Stop> {
        Options::parse_args(std::iter::once("erlen-dashboard").chain(args.iter().copied()))
    }

    fn wrong(args: &[&str]) -> String {
        match parse(args) {
            Err(Stop::Wrong(line)) => line,
            other => panic!("{args:?} gave {other:?}"),
        }
    }

    #[test]
    fn without_arguments_it_listens_on_loopback_5000() {
        assert_eq!(parse(&[]).unwrap().address(), "127.0.0.1:5000".parse().unwrap());
        assert!(parse(&["--host", "localhost"]).unwrap().host.is_loopback());
    }

    #[test]
    fn an_open_address_without_a_secret_is_refused_with_the_mend() {
        for host in ["0.0.0.0", "::", "192.168.1.7"] {
            let line = wrong(&["--host", host]);
            assert!(line.contains("--password") && line.contains("--token"), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
        assert!(parse(&["--host", "0.0.0.0", "--password", "s3cret"]).is_ok());
        assert!(parse(&["--host", "::", "--token", "s3cret"]).is_ok());
    }

    #[test]
    fn an_empty_secret_guards_nothing_and_is_refused() {
        assert!(wrong(&["--host", "0.0.0.0", "--token", ""]).starts_with("--token is empty"));
    }

    #[test]
    fn a_wrong_flag_is_answered_in_one_line_with_a_tip() {
        let line = wrong(&["--prot", "80"]);
        assert!(line.contains("'--prot'") && line.contains("'--port'") && !line.contains('\n'), "{line}");
        let line = wrong(&["--port", "eighty"]);
        assert!(line.contains("eighty") && line.contains("--port") && !line.contains('\n'), "{line}");
        let line = wrong(&["--host", "example"]);
        assert!(line.contains("IP address") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn help_is_a_text_and_not_a_fault() {
        assert!(matches!(parse(&["--help"]), Err(Stop::Text(text)) if text.contains("--port")));
    }

    #[test]
    fn a_taken_port_names_the_next_one() {
        let taken = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let line = explain_bind_error("127.0.0.1:5000".parse().unwrap(), &taken);
        assert!(line.contains("5000") && line.contains("--port 5001"), "{line}");
        assert!(explain_bind_error("127.0.0.1:65535".parse().unwrap(), &taken).contains("--port 5000"));
    }
}
