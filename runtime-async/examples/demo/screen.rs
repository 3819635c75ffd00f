//! Where the demo writes: a picture redrawn in place, or lines for a log.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use buildscaler_core::Timestamp;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

use crate::decisions::Said;
use crate::picture::{Ink, Line, Scene};

/// How often a log gets a line.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// Either way to show a [`Scene`].
pub(crate) enum Screen {
    /// A terminal: the picture is drawn over itself. Holds how many lines of it
    /// there are, and how the terminal was set before.
    Live { drawn: usize, before: Option<Termios> },
    /// Anything else: a line now and then. Holds when the last one was written.
    Plain { last: Option<Timestamp> },
}

impl Screen {
    /// A live picture, if there is a terminal and nobody asked for less.
    pub(crate) fn choose() -> Self {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_dumb || is_set("CI") || is_set("NO_COLOR") || !io::stdout().is_terminal() || !is_in_foreground() {
            Self::Plain { last: None }
        } else {
            Self::Live {
                drawn: 0,
                before: quiet().ok(),
            }
        }
    }

    /// Writes a line that stays.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        if let Self::Live { drawn, .. } = self {
            *drawn = 0;
        }
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Shows how things are. `fresh` was decided since the last time.
    pub(crate) fn show(&mut self, scene: &Scene<'_>, fresh: &[Said]) -> io::Result<()> {
        match self {
            Self::Live { drawn, .. } => {
                let (width, height) = size();
                let mut lines = scene.lines();
                // What scrolls out at the top cannot be drawn over.
                lines.truncate(height.saturating_sub(1));
                let frame = frame(&lines, *drawn, width);
                *drawn = lines.len();
                write_at_once(&frame)
            }
            Self::Plain { last } => {
                let mut text = String::new();
                for said in fresh {
                    text.push_str(&scene.tell(said));
                    text.push('\n');
                }
                if last.is_none_or(|last| scene.now.since(last) >= LINE_EVERY) {
                    *last = Some(scene.now);
                    text.push_str(&scene.brief());
                    text.push('\n');
                }
                write_at_once(&text)
            }
        }
    }
}

impl Drop for Screen {
    /// Gives the terminal back as it was, whatever has happened.
    fn drop(&mut self) {
        if let Self::Live { before, .. } = self {
            // Nothing can be done where even this fails.
            let _ = write_at_once("\x1b[?25h");
            if let Some(before) = before {
                let _ = tcsetattr(io::stdout(), OptionalActions::Drain, before);
            }
        }
    }
}

/// Whether the terminal is this program's: another would be stopped when it sets it.
fn is_in_foreground() -> bool {
    tcgetpgrp(io::stdout()).is_ok_and(|group| group == getpgrp())
}

/// Keeps what is typed from tearing the picture, and returns how it was before.
///
/// Keys are not shown, and Ctrl-C does not throw away what is being drawn.
fn quiet() -> rustix::io::Result<Termios> {
    let before = tcgetattr(io::stdout())?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    quiet.local_modes.insert(LocalModes::NOFLSH);
    tcsetattr(io::stdout(), OptionalActions::Now, &quiet)?;
    Ok(before)
}

/// The picture with its escape codes, drawn over the last one.
fn frame(lines: &[Line], drawn: usize, width: usize) -> String {
    let mut frame = String::from("\x1b[?25l");
    if drawn > 0 {
        frame.push_str(&format!("\x1b[{drawn}A"));
    }
    for line in lines {
        frame.push('\r');
        // A line that wraps would be two when it is drawn over.
        let mut room = width.saturating_sub(1);
        for (ink, word) in line {
            let word: String = word.chars().take(room).collect();
            room -= word.chars().count();
            frame.push_str(&format!("\x1b[{}m{word}\x1b[0m", code(*ink)));
        }
        frame.push_str("\x1b[K\n");
    }
    frame.push_str("\x1b[J");
    frame
}

fn code(ink: Ink) -> &'static str {
    match ink {
        Ink::Plain => "0",
        Ink::Bold => "1",
        Ink::Dim => "2",
        Ink::Green => "32",
        Ink::Yellow => "33",
        Ink::Cyan => "36",
        Ink::Magenta => "35",
        Ink::Red => "31",
    }
}

/// Columns and rows; what a terminal has by custom where it does not tell.
fn size() -> (usize, usize) {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        Ok(_) | Err(_) => (80, 24),
    }
}

fn write_at_once(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
