//! Words on the terminal, and progress on a long run.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Writes to standard output. A reader who has seen enough closes the pipe,
/// which is no error.
pub(super) fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{text}");
}

/// Writes to standard error.
pub(super) fn complain(text: &str) {
    let mut output = std::io::stderr().lock();
    let _ = writeln!(output, "{text}");
}

/// A bar that fills with virtual time; none where nobody watches.
pub(super) fn progress_bar(what: &str, length: Duration) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length.as_secs());
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} % {eta:>4} left") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
