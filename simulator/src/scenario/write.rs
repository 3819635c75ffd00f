//! Writing a scenario.

use super::Scenario;

impl Scenario {
    /// The scenario as the text of a file; read back it is equal.
    pub fn write(&self) -> String {
        // Only a map key that is no scalar, or a writer that fails, could be an
        // error; there are none here, and the tests write what they can think of.
        serde_saphyr::to_string(self).unwrap_or_default()
    }
}
