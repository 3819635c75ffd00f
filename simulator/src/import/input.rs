//! From bytes to text, within bounds.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::problem;
use crate::scenario::{Problem, Rule};

/// The longest text that is looked at, in bytes, unpacked.
const LONGEST: u64 = 256 << 20;

/// The text of a file, unpacked if gzip has packed it.
pub(super) fn text(file: &str, bytes: &[u8]) -> Result<String, Vec<Problem>> {
    let mut unpacked = Vec::new();
    let read = if bytes.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(bytes).take(LONGEST + 1).read_to_end(&mut unpacked)
    } else {
        bytes.take(LONGEST + 1).read_to_end(&mut unpacked)
    };
    if let Err(error) = read {
        let message = format!("gzip cannot unpack it after {} bytes: {error}", unpacked.len());
        return Err(vec![problem(file, None, Rule::Syntax, message)]);
    }
    if unpacked.len() as u64 > LONGEST {
        let message = format!("it has more than {LONGEST} bytes: split it");
        return Err(vec![problem(file, None, Rule::Size, message)]);
    }
    String::from_utf8(unpacked).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        vec![problem(
            file,
            Some((line, 1)),
            Rule::Syntax,
            "this line is no UTF-8 text".to_owned(),
        )]
    })
}
