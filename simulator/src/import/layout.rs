//! The columns of the CSV files that can be imported.
//!
//! | layout | told by | a job runs from | its queue |
//! |---|---|---|---|
//! | generic | `runnable_at`, `queue`, `duration_s`, perhaps `build` | `runnable_at` | `queue` |
//! | Bitcoin Core CI | `created_at`, `duration_s`, `build_id`, `name` | its build's creation | from its name |
//! | vLLM nightlies | `build_created_at`, `dur_min`, `queue`, `job_name`, `pipeline`, `build` | its build's creation, all but `bootstrap` after that | `queue` |

use ::csv::StringRecord;

/// Which columns hold what, by position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) kind: &'static str,
    pub(super) runnable: usize,
    pub(super) queue: Queue,
    pub(super) duration: usize,
    /// Seconds in one unit of the duration.
    pub(super) unit: f64,
    pub(super) build: Option<usize>,
    pub(super) pipeline: Option<usize>,
    /// The column with the job's name, where one job is the first of a build.
    pub(super) bootstrap: Option<usize>,
}

/// Where a queue's name comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queue {
    Column(usize),
    BitcoinCoreName(usize),
}

impl Layout {
    /// The layout that a header belongs to.
    pub(super) fn of(header: &StringRecord) -> Option<Self> {
        let at = |name: &str| {
            header
                .iter()
                .position(|column| column.trim_start_matches('\u{feff}').trim() == name)
        };
        generic(at).or_else(|| bitcoin_core(at)).or_else(|| vllm(at))
    }
}

fn generic(at: impl Fn(&str) -> Option<usize>) -> Option<Layout> {
    Some(Layout {
        kind: "a CSV trace",
        runnable: at("runnable_at")?,
        queue: Queue::Column(at("queue")?),
        duration: at("duration_s")?,
        unit: 1.0,
        build: at("build"),
        pipeline: None,
        bootstrap: None,
    })
}

fn bitcoin_core(at: impl Fn(&str) -> Option<usize>) -> Option<Layout> {
    Some(Layout {
        kind: "Bitcoin Core CI",
        runnable: at("created_at")?,
        queue: Queue::BitcoinCoreName(at("name")?),
        duration: at("duration_s")?,
        unit: 1.0,
        build: Some(at("build_id")?),
        pipeline: None,
        bootstrap: None,
    })
}

fn vllm(at: impl Fn(&str) -> Option<usize>) -> Option<Layout> {
    Some(Layout {
        kind: "vLLM nightlies",
        runnable: at("build_created_at")?,
        queue: Queue::Column(at("queue")?),
        duration: at("dur_min")?,
        unit: 60.0,
        build: Some(at("build")?),
        pipeline: Some(at("pipeline")?),
        bootstrap: Some(at("job_name")?),
    })
}
