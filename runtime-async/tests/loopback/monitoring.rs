//! Alerts and dashboard ask only for what the real binary tells.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use serde_json::Value;

use crate::world::World;

/// The folder of what is to be installed beside Prometheus and Grafana.
fn monitoring(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/monitoring");
    std::fs::read_to_string(folder.join(file)).expect("it is there")
}

/// Each metric's labels, by the names that samples have.
type Known = BTreeMap<String, BTreeSet<String>>;

/// What a controller tells that has served a burst.
async fn known() -> Known {
    let mut world = World::start().await;
    world.add_template("linux");
    world.until_answers("/readyz", 200, &["ok"]).await;
    world.serve_a_burst("linux").await;
    let (_, text) = world.read("/metrics").await;
    world.end().await;
    let mut known = Known::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once(['{', ' ']).expect("a sample");
        let labels = known.entry(name.to_owned()).or_default();
        if let Some((inner, _)) = rest.split_once('}') {
            let pairs = inner.split(',').filter_map(|pair| pair.split_once('='));
            labels.extend(pairs.map(|(label, _)| label.to_owned()));
        }
    }
    known
}

#[tokio::test]
async fn alerts_and_dashboard_ask_for_what_is_told() {
    let known = known().await;
    let rules: Value = serde_saphyr::from_str(&monitoring("alerts.yaml")).expect("YAML");
    let mut expressions = texts(&rules, "expr");
    assert!(expressions.len() >= 5, "the alerts");
    let alerts = expressions.len();
    let dashboard: Value = serde_json::from_str(&monitoring("dashboard.json")).expect("JSON");
    expressions.extend(texts(&dashboard, "expr"));
    assert!(expressions.len() >= alerts + 20, "the panels");
    for expression in expressions {
        // Grafana fills these in.
        let filled = expression.replace("$__rate_interval", "5m").replace("$queue", ".*");
        let parsed = parser::parse(&filled).unwrap_or_else(|error| panic!("{expression}: {error}"));
        check(&parsed, &known, &mut BTreeSet::new(), &expression);
    }
}

/// The rules for the Operator are those for Prometheus.
#[test]
fn the_operators_rules_are_the_same() {
    let rules: Value = serde_saphyr::from_str(&monitoring("alerts.yaml")).expect("YAML");
    let object: Value = serde_saphyr::from_str(&monitoring("prometheus-rule.yaml")).expect("YAML");
    assert_eq!(object["kind"], "PrometheusRule");
    assert_eq!(object["spec"], rules);
}

#[test]
fn every_alert_says_what_to_do() {
    let rules: Value = serde_saphyr::from_str(&monitoring("alerts.yaml")).expect("YAML");
    let alerts = rules["groups"][0]["rules"].as_array().expect("rules");
    for alert in alerts {
        for word in ["summary", "description", "runbook"] {
            let said = alert["annotations"][word].as_str().unwrap_or_default();
            assert!(said.len() > 20, "{}: {word}", alert["alert"]);
        }
        let severity = alert["labels"]["severity"].as_str().unwrap_or_default();
        assert!(["critical", "warning"].contains(&severity), "{}", alert["alert"]);
    }
}

/// All texts under this key.
fn texts(value: &Value, key: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str().filter(|_| name == key) {
                Some(text) => vec![text.to_owned()],
                None => texts(value, key),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(|value| texts(value, key)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Collects the labels below an expression, and checks what it asks for.
fn check(expression: &Expr, known: &Known, labels: &mut BTreeSet<String>, whole: &str) {
    match expression {
        Expr::Aggregate(aggregate) => {
            let mut inner = BTreeSet::new();
            check(&aggregate.expr, known, &mut inner, whole);
            if let Some(LabelModifier::Include(by) | LabelModifier::Exclude(by)) = &aggregate.modifier {
                for label in &by.labels {
                    assert!(inner.contains(label), "{whole}: no label {label}");
                }
            }
            labels.extend(inner);
        }
        Expr::Unary(unary) => check(&unary.expr, known, labels, whole),
        Expr::Binary(binary) => {
            check(&binary.lhs, known, labels, whole);
            check(&binary.rhs, known, labels, whole);
        }
        Expr::Paren(inner) => check(&inner.expr, known, labels, whole),
        Expr::Subquery(query) => check(&query.expr, known, labels, whole),
        Expr::VectorSelector(selector) => select(selector, known, labels, whole),
        Expr::MatrixSelector(matrix) => select(&matrix.vs, known, labels, whole),
        Expr::Call(call) => {
            for argument in &call.args.args {
                check(argument, known, labels, whole);
            }
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn select(selector: &VectorSelector, known: &Known, labels: &mut BTreeSet<String>, whole: &str) {
    let name = selector.name.as_deref().expect("a name");
    let there = known.get(name).unwrap_or_else(|| panic!("{whole}: no metric {name}"));
    for matcher in &selector.matchers.matchers {
        assert!(
            there.contains(&matcher.name),
            "{whole}: {name} has no label {}",
            matcher.name
        );
    }
    labels.extend(there.iter().cloned());
}
