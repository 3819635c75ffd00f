//! Worlds to show to a controller, a driver that shows them, and a witness
//! that knows what was shown and objects to commands that do not follow.

pub(crate) mod build;
pub(crate) mod driver;
pub(crate) mod leases;
pub(crate) mod story;
pub(crate) mod witness;
pub(crate) mod world;
pub(crate) mod worlds;

/// As many cases as fit into a developer's patience, or as `PROPTEST_CASES`
/// says for a longer search.
pub(crate) fn cases(usually: u32) -> proptest::prelude::ProptestConfig {
    let mut config = proptest::prelude::ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = usually;
    }
    config
}
