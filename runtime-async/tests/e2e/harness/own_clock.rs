//! A wall clock of its own for a process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A wall clock that can be set while a program runs, by libfaketime. The monotonic clock stays right.
#[derive(Clone, Debug)]
pub(crate) struct OwnClock {
    library: PathBuf,
    file: PathBuf,
}

impl OwnClock {
    /// A clock that is right at first; none where libfaketime is not installed.
    ///
    /// # Panics
    /// When it is installed and has no effect.
    pub(crate) fn in_folder(folder: &Path) -> Option<Self> {
        let places = fs::read_dir("/usr/lib").ok()?.flatten();
        let library = places
            .map(|place| place.path().join("faketime/libfaketimeMT.so.1"))
            .find(|library| library.exists())?;
        let file = folder.join("clock");
        let clock = Self { library, file };
        clock.set(1_000_000_000);
        let mut date = Command::new("date");
        clock.give(date.arg("+%Y"));
        let year = String::from_utf8(date.output().expect("date").stdout).expect("a year");
        let year: u32 = year.trim().parse().expect("a year");
        assert!(year > 2050, "libfaketime does not move the clock: {year}");
        clock.set(0);
        Some(clock)
    }

    /// Sets it that many seconds ahead of the right time, or back. It is noticed within a second.
    pub(crate) fn set(&self, ahead: i64) {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{ahead:+}")).expect("written");
        fs::rename(next, &self.file).expect("renamed");
    }

    /// Gives it to a program.
    pub(super) fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
