//! Templates in a file, before they are applied: no cluster is asked.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use buildscaler_core::labels;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::check::Check;
use super::templates::{Lines, Place, Sample, examine};

/// The namespace of objects that name none, as kubectl takes it.
const NAMESPACE: &str = "default";

/// Looks at all Jobs of a file of YAML documents.
pub(crate) fn check(path: &Path) -> Vec<Check> {
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return vec![Check::failed(&name, "file", format!("it cannot be read: {error}"))],
    };
    let mut checks = Vec::new();
    let mut samples = Vec::new();
    for document in documents(&text) {
        match read(&name, &document, samples.len()) {
            Ok(Some(sample)) => samples.push(sample),
            Ok(None) => {}
            Err(check) => checks.push(check),
        }
    }
    if samples.is_empty() && checks.is_empty() {
        checks.push(Check::failed(
            &name,
            "file",
            format!(
                "there is no template in it: a Job with the label {}; see the README for one",
                labels::APP_SELECTOR.replace('=', ": ")
            ),
        ));
    }
    checks.extend(examine(&samples));
    checks
}

/// One document of the file.
struct Document<'t> {
    text: &'t str,
    /// Lines of the file before it.
    before: u64,
}

/// The documents of a file. `---` at the beginning of a line always separates
/// them: no YAML value may hold it there.
fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut begin, mut before) = (0, 0);
    let mut offset = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let rest = line.strip_prefix("---");
        offset += line.len();
        if rest.is_some_and(|rest| rest.trim().is_empty() || rest.starts_with([' ', '\t'])) {
            found.push(Document {
                text: &text[begin..offset - line.len()],
                before,
            });
            (begin, before) = (offset, number);
        }
    }
    found.push(Document {
        text: &text[begin..],
        before,
    });
    found
}

/// The template in this document, if there is one.
fn read(file: &str, document: &Document<'_>, number: usize) -> Result<Option<Sample>, Check> {
    let at = |line: u64| format!("{file}:{}", document.before + line);
    let is_comment = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if document.text.lines().all(is_comment) {
        return Ok(None);
    }
    let mut object: Value = serde_saphyr::from_str(document.text).map_err(|error| {
        let line = error.location().map_or(1, |place| place.line());
        // The parser's words would quote the file, secrets included.
        Check::failed(
            &at(line),
            "syntax",
            "this is no YAML; correct this line or the one before it",
        )
    })?;
    if object["kind"] != "Job" {
        return Ok(None);
    }
    let lines = lines(document);
    let begin = document.before + 1;
    let named = object["metadata"]["name"]
        .as_str()
        .unwrap_or("a Job without a name")
        .to_owned();
    let about = format!("{file}:{}: {named}", lines.labels);
    if object["apiVersion"] != "batch/v1" {
        return Err(Check::failed(
            &format!("{file}:{begin}: {named}"),
            "version",
            "its apiVersion is not batch/v1; set it",
        ));
    }
    if object.pointer("/metadata/labels").map(|all| &all[labels::APP]) != Some(&json!(labels::APP_VALUE)) {
        return Err(Check::failed(
            &about,
            "label",
            format!(
                "it lacks the label {}: {}, so Buildscaler does not see it; add the label, unless it is none of its Jobs",
                labels::APP,
                labels::APP_VALUE
            ),
        ));
    }
    complete(&mut object, number);
    let template = buildscaler_wire::template(&object).map_err(|error| {
        Check::failed(
            &about,
            "job",
            format!("it is no Job that Kubernetes would take: {error}"),
        )
    })?;
    Ok(Some(Sample {
        template: Arc::new(template),
        object,
        place: Place::File {
            name: file.to_owned(),
            lines,
        },
    }))
}

/// Fills in what the API server would.
fn complete(object: &mut Value, number: usize) {
    let uid = format!("not-created-{number}");
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.entry("name").or_insert_with(|| json!("without-a-name"));
        metadata.entry("namespace").or_insert_with(|| json!(NAMESPACE));
        metadata.insert("uid".into(), json!(uid));
        metadata.insert("creationTimestamp".into(), json!("1970-01-01T00:00:00Z"));
        metadata.remove("deletionTimestamp");
    }
    if let Some(spec) = object["spec"].as_object_mut()
        && spec.get("manualSelector") != Some(&json!(true))
    {
        let key = "batch.kubernetes.io/controller-uid";
        spec.insert("selector".into(), json!({"matchLabels": {key: uid}}));
    }
}

/// The places of a Job's properties, each absent where the Job has it not.
#[derive(Default, Deserialize)]
struct Job {
    metadata: Option<Spanned<Metadata>>,
    spec: Option<Spanned<Spec>>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    labels: Option<Spanned<IgnoredAny>>,
    annotations: Option<Spanned<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    parallelism: Option<Spanned<IgnoredAny>>,
    selector: Option<Spanned<IgnoredAny>>,
    active_deadline_seconds: Option<Spanned<IgnoredAny>>,
    completions: Option<Spanned<IgnoredAny>>,
    template: Option<Spanned<Template>>,
}

#[derive(Default, Deserialize)]
struct Template {
    spec: Option<Spanned<Pod>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    restart_policy: Option<Spanned<IgnoredAny>>,
    containers: Option<Spanned<IgnoredAny>>,
}

/// Where each property is written, or else what it belongs to.
fn lines(document: &Document<'_>) -> Lines {
    let of = |line: u64| document.before + line;
    let first = document.text.lines().position(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let begin = of(first.map_or(1, |place| u64::try_from(place).unwrap_or(0) + 1));
    fn line<T>(spanned: Option<&Spanned<T>>) -> Option<u64> {
        spanned.map(|spanned| spanned.referenced.line())
    }
    let shape: Job = serde_saphyr::from_str(document.text).unwrap_or_default();
    let spec = shape.spec.as_ref().map(|spec| &spec.value);
    let pod = spec
        .and_then(|spec| spec.template.as_ref())
        .and_then(|template| template.value.spec.as_ref());
    let metadata = shape.metadata.as_ref().map(|metadata| &metadata.value);
    let labels = metadata.and_then(|metadata| metadata.labels.as_ref());
    let annotations = metadata.and_then(|metadata| metadata.annotations.as_ref());
    let or = |line: Option<u64>, otherwise: u64| line.map_or(otherwise, of);
    let at_spec = or(line(shape.spec.as_ref()), begin);
    let at_pod = or(line(pod), at_spec);
    let deadline = spec.and_then(|spec| spec.active_deadline_seconds.as_ref().or(spec.completions.as_ref()));
    let at_metadata = or(line(shape.metadata.as_ref()), begin);
    Lines {
        labels: or(line(labels), at_metadata),
        annotations: or(line(annotations), at_metadata),
        parallelism: or(line(spec.and_then(|spec| spec.parallelism.as_ref())), at_spec),
        selector: or(line(spec.and_then(|spec| spec.selector.as_ref())), at_spec),
        deadline: or(line(deadline), at_spec),
        restart_policy: or(line(pod.and_then(|pod| pod.value.restart_policy.as_ref())), at_pod),
        containers: or(line(pod.and_then(|pod| pod.value.containers.as_ref())), at_pod),
    }
}
