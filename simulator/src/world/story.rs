//! What happened, one line per event, the same for the same seed.

use buildscaler_core::Timestamp;

/// A story being told, if somebody listens.
#[derive(Debug)]
pub(crate) struct Story {
    began: Timestamp,
    lines: Option<Vec<String>>,
}

impl Story {
    pub(crate) const fn new(began: Timestamp, told: bool) -> Self {
        Self {
            began,
            lines: if told { Some(Vec::new()) } else { None },
        }
    }

    pub(crate) const fn is_told(&self) -> bool {
        self.lines.is_some()
    }

    pub(crate) fn line(&mut self, now: Timestamp, words: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            let millis = now.since(self.began).as_millis();
            let (seconds, millis) = (millis / 1000, millis % 1000);
            let (minutes, seconds) = (seconds / 60, seconds % 60);
            let (hours, minutes) = (minutes / 60, minutes % 60);
            lines.push(format!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03} {}", words()));
        }
    }

    pub(crate) fn end(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}
