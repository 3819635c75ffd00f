//! The format as a JSON Schema, for editors.

use schemars::generate::SchemaSettings;

use super::Scenario;

/// The JSON Schema of scenario files. It is looser than [`Scenario::read`],
/// which also knows what has to fit together.
pub fn schema() -> schemars::Schema {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Scenario>()
}
