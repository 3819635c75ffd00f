//! Hostile bytes for every decoder.
//!
//! Whatever bytes come, no [`Target`] panics, each ends soon, and what it
//! promises holds. The corpus in `corpus/` is fed to them by `cargo test`; a
//! fuzzer that is led by coverage searches for more (`.ci/fuzz`, and
//! `docs/fuzzing.md`).

#![expect(clippy::expect_used, reason = "to panic is how a target tells what it found")]

mod buildkite;
mod kubernetes;
mod lease;
mod life;
mod recording;
mod replies;
mod saved;
mod templates;
mod texts;
mod watch;

/// Something that reads bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, and its folder in the corpus.
    pub name: &'static str,
    /// Reads the bytes and panics if a promise is broken.
    pub read: fn(&[u8]),
}

/// All of them.
pub const ALL: &[Target] = &[
    target("buildkite-look", buildkite::look),
    target("buildkite-stop", buildkite::stop),
    target("kubernetes-lists", kubernetes::lists),
    target("kubernetes-writes", kubernetes::writes),
    target("kubernetes-lease", lease::lease),
    target("kubernetes-watch", watch::watch),
    target("annotations", templates::annotations),
    target("templates", templates::template),
    target("recording", recording::recording),
    target("saved", saved::saved),
    target("scenario", texts::scenario),
    target("import", texts::import),
];

const fn target(name: &'static str, read: fn(&[u8])) -> Target {
    Target { name, read }
}
