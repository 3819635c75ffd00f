//! What the kernel says of a process.

use crate::shared::Controller;

/// Memory in MiB.
pub(crate) struct Resident {
    /// `VmRSS`.
    pub(crate) now: f64,
    /// `VmHWM`: the most it ever was.
    pub(crate) peak: f64,
}

impl Resident {
    pub(crate) fn of(controller: &Controller) -> Self {
        let id = controller.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        Self {
            now: mebibytes(&status, "VmRSS:"),
            peak: mebibytes(&status, "VmHWM:"),
        }
    }
}

fn mebibytes(status: &str, field: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: f64 = number.expect("the field").parse().expect("a number");
    kibibytes / 1024.0
}
