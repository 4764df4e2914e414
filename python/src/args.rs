//! Arguments between Python and the engine: the text of a JSON array, and bytes beside it.
//!
//! Python has made the text; it is not parsed again here. Placeholders stand in it already.

use bytes::Bytes;
use erlen::{IntoArgs, RawArgs};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// Arguments that Python has encoded.
pub(crate) struct Encoded<'a> {
    /// The elements, without the array's brackets.
    elements: &'a str,
    attachments: Vec<Bytes>,
}

impl<'a> Encoded<'a> {
    /// Of the text of an array.
    pub(crate) fn new(array: &'a str, attachments: &[Bound<'_, PyBytes>]) -> PyResult<Self> {
        let elements = array.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let elements =
            elements.ok_or_else(|| PyValueError::new_err("the arguments are not the text of an array"))?;
        let attachments = attachments.iter().map(|data| Bytes::copy_from_slice(data.as_bytes())).collect();
        Ok(Self { elements: elements.trim(), attachments })
    }
}

impl Encoded<'_> {
    /// Bytes, roughly, as they go out.
    pub(crate) fn size(&self) -> usize {
        self.elements.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    pub(crate) fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Appends the elements to the text of an array that is not closed yet.
    pub(crate) fn append_to(&self, json: &mut Vec<u8>) {
        if !self.elements.is_empty() && json.last() != Some(&b'[') {
            json.push(b',');
        }
        json.extend_from_slice(self.elements.as_bytes());
    }
}

impl IntoArgs for Encoded<'_> {
    fn append(&self, json: &mut Vec<u8>, attachments: &mut Vec<Bytes>) -> Result<(), erlen::JsonError> {
        self.append_to(json);
        attachments.extend_from_slice(&self.attachments);
        Ok(())
    }
}

/// The attachments as Python's, or nothing.
pub(crate) fn attachments<'py>(py: Python<'py>, args: &RawArgs) -> PyResult<Option<Bound<'py, PyList>>> {
    if args.attachments().is_empty() {
        return Ok(None);
    }
    PyList::new(py, args.attachments().iter().map(|data| PyBytes::new(py, data))).map(Some)
}
