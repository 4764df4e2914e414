//! A scenario with its sizes, as one word: `echo`, `echo/payload=16384`, `rooms/clients=1000/rooms=100000`.
//! Read by `load`, made and named by `compare`; the sizes that are not given are the scenario's usual ones.

use std::fmt;
use std::str::FromStr;

use crate::args::UsageError;
use crate::scenario::Scenario;

/// A scenario and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What is measured.
    pub scenario: Scenario,
    /// Clients that take part.
    pub clients: usize,
    /// Bytes of the string that every event carries, or of its attachment.
    pub payload: usize,
    /// Clients that are connected and take no part.
    pub bystanders: usize,
    /// Rooms beside those that take part.
    pub rooms: usize,
}

impl Case {
    /// The scenario in its usual sizes.
    pub fn usual(scenario: Scenario) -> Self {
        Self {
            scenario,
            clients: scenario.usual_clients(),
            payload: scenario.usual_payload(),
            bystanders: 0,
            rooms: 0,
        }
    }

    fn set(&mut self, key: &str, value: usize) -> Result<(), UsageError> {
        let field = match key {
            "clients" => &mut self.clients,
            "payload" => &mut self.payload,
            "bystanders" => &mut self.bystanders,
            "rooms" => &mut self.rooms,
            _ => return Err(UsageError::new(format!("{key:?} is not a size of a scenario"))),
        };
        *field = value;
        Ok(())
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scenario.name())?;
        let usual = Self::usual(self.scenario);
        let sizes = [
            ("clients", self.clients, usual.clients),
            ("payload", self.payload, usual.payload),
            ("bystanders", self.bystanders, usual.bystanders),
            ("rooms", self.rooms, usual.rooms),
        ];
        sizes
            .iter()
            .filter(|(_, value, usual)| value != usual)
            .try_for_each(|(key, value, _)| write!(f, "/{key}={value}"))
    }
}

impl FromStr for Case {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, UsageError> {
        let mut parts = text.split('/');
        let name = parts.next().unwrap_or_default();
        let scenario = name.parse().map_err(|()| UsageError::new(format!("{name:?} is not a scenario")))?;
        let mut case = Self::usual(scenario);
        for part in parts {
            let size = part.split_once('=').and_then(|(key, value)| Some((key, value.parse().ok()?)));
            let (key, value) =
                size.ok_or_else(|| UsageError::new(format!("{part:?} is not a size: say clients=N")))?;
            case.set(key, value)?;
        }
        if case.clients == 0 {
            return Err(UsageError::new("a scenario has at least one client"));
        }
        Ok(case)
    }
}

/// The cases of a suite, by its name.
pub fn suite(name: &str) -> Option<Vec<Case>> {
    let words: &[&str] = match name {
        "table" => return Some(Scenario::ALL.into_iter().map(Case::usual).collect()),
        "payloads" => &[
            "echo/payload=64",
            "echo/payload=1024",
            "echo/payload=16384",
            "bcast-paced/payload=64",
            "bcast-paced/payload=1024",
            "bcast-paced/payload=16384",
            "binary/payload=64",
            "binary/payload=1024",
            "binary/payload=16384",
        ],
        "growth" => &[
            "bcast-paced/clients=100",
            "bcast-paced/clients=1000",
            "bcast-paced/clients=10000",
            "echo/clients=100",
            "echo/clients=1000",
            "echo/clients=10000",
            "idle/clients=100",
            "idle/clients=1000",
            "idle/clients=10000",
            "heartbeat/clients=100",
            "heartbeat/clients=1000",
            "heartbeat/clients=10000",
        ],
        "bystanders" => &[
            "rooms/clients=100",
            "rooms/clients=100/bystanders=1000",
            "rooms/clients=100/bystanders=10000",
            "rooms/clients=10/bystanders=990",
            "rooms/rooms=1000",
            "rooms/rooms=100000",
            "join",
            "join/bystanders=1000",
            "join/bystanders=10000",
            "join/bystanders=1000/rooms=1000",
            "join/bystanders=1000/rooms=100000",
        ],
        "memory" => &["burst", "gone/clients=1000", "gone/clients=10000"],
        "shards" => &["bcast-paced", "bcast-32", "rooms", "echo"],
        _ => return None,
    };
    Some(words.iter().filter_map(|word| word.parse().ok()).collect())
}

/// The suites' names.
pub const SUITES: [&str; 6] = ["table", "payloads", "growth", "bystanders", "memory", "shards"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_survives_its_text() {
        for text in ["echo", "echo/payload=16384", "rooms/clients=100/bystanders=10000/rooms=7"] {
            assert_eq!(text.parse::<Case>().expect("a case").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_case_is_refused_with_a_sentence() {
        for text in ["", "ecko", "echo/payload", "echo/payload=x", "echo/size=3", "echo/clients=0"] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_suite_has_the_cases_that_it_names() {
        let sizes: Vec<usize> = SUITES.iter().map(|name| suite(name).expect("a suite").len()).collect();
        assert_eq!(sizes, [Scenario::ALL.len(), 9, 12, 11, 3, 4]);
        assert!(suite("none").is_none());
    }
}
