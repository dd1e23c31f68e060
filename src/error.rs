//! The crate's one error type.
//!
//! An error is a message for a person: it names the file, the shard, the record, the tensor or the
//! operator, and a hint says what to do. Code only ever asks for its [`ErrorKind`].
#![forbid(unsafe_code)]

use std::fmt;
use std::path::Path;

use crate::nearest::{did_you_mean, nearest, nearest_file};

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as code needs to tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Options that contradict each other or are out of range (exit code 2).
    Usage,
    /// The operating system refused a file operation.
    Io,
    /// The model is damaged, or uses what this program does not know.
    Model,
    /// The dataset as a whole does not fit the model, or cannot be opened.
    Dataset,
    /// One record cannot be used; `--on-bad-record skip` goes on after it.
    Record,
    /// The recording is damaged, locked, or belongs to something else.
    Recording,
    /// A defect of this program.
    Internal,
}

/// An error with a message, an optional hint and an optional cause.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    /// The input of an operator whose value is needed to plan it.
    needed_value: Option<usize>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` with a message for a person.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let inner =
            Inner { kind, message: message.into(), hint: None, needed_value: None, source: None };
        Self { inner: Box::new(inner) }
    }

    /// A usage error: see [`ErrorKind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A model error: see [`ErrorKind::Model`].
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Model, message)
    }

    /// A dataset error: see [`ErrorKind::Dataset`].
    pub fn dataset(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Dataset, message)
    }

    /// An error of one record: see [`ErrorKind::Record`].
    pub fn record(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Record, message)
    }

    /// A recording error: see [`ErrorKind::Recording`].
    pub fn recording(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Recording, message)
    }

    /// A defect of this program: see [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A failed file operation: `cannot {action} {path}: {source}`.
    pub fn io(action: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("cannot {action} {}", path.display())).with_source(source)
    }

    /// A file that should be there cannot be opened: as [`io`](Self::io), and if there is none, a hint names
    /// the one beside it that was probably meant.
    pub(crate) fn open(action: &str, path: &Path, source: std::io::Error) -> Self {
        let missing = source.kind() == std::io::ErrorKind::NotFound;
        let meant = missing.then(|| nearest_file(path)).flatten();
        let error = Self::io(action, path, source);
        match meant {
            Some(meant) => error.with_hint(did_you_mean(meant.display())),
            None => error,
        }
    }

    /// An input was named that the model, whose inputs are `names`, does not have.
    pub(crate) fn unknown_input(name: &str, names: &[&str]) -> Self {
        let inputs = format!("its inputs are: {}", names.join(", "));
        let meant = nearest(name, names.iter().copied()).map(did_you_mean);
        let hint = match (meant, names) {
            (None, _) => inputs,
            (Some(meant), [_]) => meant,
            (Some(meant), _) => format!("{meant} {inputs}"),
        };
        Self::usage(format!("the model has no input `{name}`")).with_hint(hint)
    }

    /// Adds the cause; its text follows the message after a colon.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// States that an operator cannot be planned before the value of this input is known.
    #[must_use]
    pub(crate) fn needing_value(mut self, input: usize) -> Self {
        self.inner.needed_value = Some(input);
        self
    }

    /// Puts a place before the message: `{place}: {message}`.
    #[must_use]
    pub fn context(mut self, place: impl fmt::Display) -> Self {
        self.inner.message = format!("{place}: {}", self.inner.message);
        self
    }

    /// The same as an error of another kind.
    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// What went wrong, for code.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The input of the operator whose value is needed to plan it, if that is all that is wrong.
    pub(crate) fn needed_value(&self) -> Option<usize> {
        self.inner.needed_value
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&str> {
        self.inner.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        if let Some(source) = &self.inner.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_place_and_cause() {
        let cause = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let error = Error::io("open", Path::new("a.h5"), cause)
            .context("shard 3")
            .with_hint("check the path");
        assert_eq!(error.to_string(), "shard 3: cannot open a.h5: no such file");
        assert_eq!(error.hint(), Some("check the path"));
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
