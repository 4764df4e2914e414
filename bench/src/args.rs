//! Command lines of the three programs: flags, flags with a value, and nothing left over.
//! Not a general parser. Called first thing by each `main`.

use std::fmt;
use std::str::FromStr;

/// What is wrong with the command line, in a sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl UsageError {
    /// An error with this sentence.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// The arguments that nobody has taken yet.
#[derive(Debug)]
pub struct Args {
    rest: Vec<String>,
}

impl Args {
    /// The arguments of this process, without its name.
    pub fn of_process() -> Self {
        Self::new(std::env::args().skip(1))
    }

    /// These arguments.
    pub fn new(arguments: impl IntoIterator<Item = String>) -> Self {
        Self { rest: arguments.into_iter().collect() }
    }

    /// Takes a flag without a value; says whether it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|argument| argument != name);
        self.rest.len() < before
    }

    /// Takes the value of a flag that may be given once.
    pub fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, UsageError> {
        let Some(at) = self.rest.iter().position(|argument| argument == name) else {
            return Ok(None);
        };
        if at + 1 >= self.rest.len() {
            return Err(UsageError(format!("{name} needs a value")));
        }
        let text = self.rest.remove(at + 1);
        self.rest.remove(at);
        let value = text.parse().map_err(|_| UsageError(format!("{name} cannot be {text:?}")))?;
        Ok(Some(value))
    }

    /// Takes the value of a flag that must be given.
    pub fn required<T: FromStr>(&mut self, name: &str) -> Result<T, UsageError> {
        self.value(name)?.ok_or_else(|| UsageError(format!("{name} is missing")))
    }

    /// Takes all values of a flag that may be given several times, in order.
    pub fn values(&mut self, name: &str) -> Result<Vec<String>, UsageError> {
        let mut values = Vec::new();
        while let Some(value) = self.value(name)? {
            values.push(value);
        }
        Ok(values)
    }

    /// Takes the first argument that is left.
    pub fn positional(&mut self) -> Option<String> {
        (!self.rest.is_empty()).then(|| self.rest.remove(0))
    }

    /// Refuses whatever nobody took.
    pub fn finish(self) -> Result<(), UsageError> {
        match self.rest.first() {
            None => Ok(()),
            Some(first) => Err(UsageError(format!("{first:?} is not an argument"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn flags_and_values_are_taken_in_any_order() {
        let mut args = args("--json --server a --clients 7 --server b");
        assert_eq!(args.value("--clients"), Ok(Some(7)));
        assert_eq!(args.values("--server"), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert!(args.flag("--json"));
        assert_eq!(args.finish(), Ok(()));
    }

    #[test]
    fn a_missing_a_bad_and_an_unknown_argument_are_refused() {
        assert!(args("--clients").value::<u32>("--clients").is_err());
        assert!(args("--clients x").value::<u32>("--clients").is_err());
        assert!(args("--other").finish().is_err());
    }
}
