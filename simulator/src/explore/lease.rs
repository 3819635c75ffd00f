//! The Lease of a small world, as an API server keeps it.

use buildscaler_core::{Failure, Lease, View, WriteLease};

use super::outside::SIGN;

/// The Lease by which replicas agree, if anybody made it yet.
#[derive(Clone, Debug, Default)]
pub(super) struct SmallLease {
    pub(super) shown: Option<Lease>,
    /// Versions that there ever were.
    versions: u32,
}

/// Above any number of a pod: versions and pods are numbered apart.
const FIRST_VERSION: u32 = 1000;

impl SmallLease {
    pub(super) fn read(&self) -> View<Option<Lease>> {
        View::Complete(self.shown.clone())
    }

    /// A write arrives: whoever has not seen the newest version is refused,
    /// unless a deliberate bug forgets to look.
    pub(super) fn write(&mut self, write: &WriteLease, unconditional: bool) -> View<Option<Lease>> {
        let newest = self.shown.as_ref().map(|lease| &lease.version);
        match (newest, write.over.as_ref()) {
            (None, Some(_)) => return View::Unknown(Failure::NotFound { message: "gone".into() }),
            (newest, over) if newest != over && !unconditional => {
                return View::Unknown(Failure::AlreadyExists {
                    message: "conflict".into(),
                });
            }
            (_, _) => {}
        }
        self.versions += 1;
        self.shown = Some(Lease {
            version: format!("version{SIGN}{}", FIRST_VERSION + self.versions),
            record: write.record.clone(),
        });
        self.read()
    }
}
