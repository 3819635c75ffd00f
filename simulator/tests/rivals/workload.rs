//! Small scenarios for policies that are told the workload.

use buildscaler_simulator::scenario::Scenario;
use serde_json::{Value, json};

/// A scenario of two hours with these builds, given as (second, steps), whose
/// pods take at least 0.9 s + 20 s + 0.1 s = 21 s beside their jobs.
pub(crate) fn scenario(builds: &[(u64, Value)]) -> Scenario {
    let timeline: Vec<Value> = builds
        .iter()
        .map(|(second, steps)| json!({"at": format!("{second}s"), "build": {"steps": steps}}))
        .collect();
    let scenario = json!({
        "version": 1,
        "name": "by-hand",
        "lasts": "2h",
        "world": {"pods": {
            "scheduling": "900ms",
            "agent-start": {"from": "20s", "to": "40s"},
            "exit": "100ms",
        }},
        "templates": [{"name": "linux"}],
        "timeline": timeline,
    });
    serde_json::from_value(scenario).unwrap()
}

/// One job of the queue that has a template.
pub(crate) fn one(seconds: u64) -> Value {
    json!([{"queue": "linux", "runs": format!("{seconds}s")}])
}
