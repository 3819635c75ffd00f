//! Credentials from a program, as kubeconfigs of cloud providers name one.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;

use crate::access::AccessError;

/// How long the program may take: it may ask a person to log in.
const DEADLINE: Duration = Duration::from_secs(60);
/// More than any answer has.
const LONGEST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    status: Option<Credentials>,
}

/// What the program answered. It is secret, so it has no `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    pub(crate) token: Option<String>,
    /// In PEM.
    pub(crate) client_certificate_data: Option<String>,
    /// In PEM.
    pub(crate) client_key_data: Option<String>,
    expiration_timestamp: Option<Timestamp>,
}

impl Credentials {
    /// How much longer they are good; none is for ever.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        let end = self.expiration_timestamp?;
        Some(Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default())
    }
}

/// Runs the program and reads its answer.
pub(crate) fn credentials(exec: &ExecConfig) -> Result<Credentials, AccessError> {
    let program = exec
        .command
        .as_deref()
        .ok_or_else(|| AccessError("the kubeconfig names no exec command".into()))?;
    let wrong = |what: &str| {
        let hint = exec.install_hint.as_deref().unwrap_or_default();
        AccessError(
            format!("the credential program {program} {what} {hint}")
                .trim_end()
                .into(),
        )
    };
    let mut child = command(program, exec)?
        .spawn()
        .map_err(|error| wrong(&format!("does not start: {error};")))?;
    let answer = read(&mut child);
    if answer.is_none() {
        // It may have ended by itself meanwhile.
        drop(child.kill());
    }
    let status = child.wait().map_err(|error| wrong(&format!("is lost: {error}")))?;
    let answer = answer.ok_or_else(|| wrong(&format!("did not answer within {} s", DEADLINE.as_secs())))?;
    if !status.success() {
        return Err(wrong(&format!("failed: {status}")));
    }
    // A parser's own words might quote the answer.
    let answer: Answer = serde_saphyr::from_slice(&answer).map_err(|_| wrong("answered no ExecCredential"))?;
    answer.status.ok_or_else(|| wrong("answered without credentials"))
}

fn command(program: &str, exec: &ExecConfig) -> Result<Command, AccessError> {
    let interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never);
    let cluster = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info);
    let mut spec = json!({"interactive": interactive});
    if let Some(cluster) = cluster {
        spec["cluster"] = serde_json::to_value(cluster).map_err(|error| AccessError(error.to_string()))?;
    }
    let info = json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec});
    let mut command = Command::new(program);
    command
        .args(exec.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdout(Stdio::piped());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    if !interactive {
        command.stdin(Stdio::null());
    }
    Ok(command)
}

/// All that the program writes, if it ends in time.
fn read(child: &mut Child) -> Option<Vec<u8>> {
    let output = child.stdout.take()?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if output.take(LONGEST).read_to_end(&mut bytes).is_ok() {
            // Nobody waits any more after the deadline.
            drop(sender.send(bytes));
        }
    });
    receiver.recv_timeout(DEADLINE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Credentials, AccessError> {
        credentials(&ExecConfig {
            api_version: Some("client.authentication.k8s.io/v1".into()),
            command: Some("sh".into()),
            args: Some(vec!["-c".into(), script.into()]),
            interactive_mode: Some(ExecInteractiveMode::Never),
            ..serde_json::from_value(json!({})).expect("every field may be absent")
        })
    }

    #[test]
    fn a_program_answers_with_a_token_and_its_end() {
        let answer = shell(
            r#"echo "$KUBERNETES_EXEC_INFO" | grep -q ExecCredential &&
               echo '{"kind": "ExecCredential", "status": {"token": "t", "expirationTimestamp": "2001-01-01T00:00:00Z"}}'"#,
        );
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer.token.as_deref(), Some("t"));
        assert_eq!(answer.lifetime(), Some(Duration::ZERO));
    }

    #[test]
    fn what_goes_wrong_is_told_without_the_answer() {
        for script in [
            "echo marker; exit 3",
            "echo 'status: [marker'",
            "echo '{\"note\": \"marker\"}'",
        ] {
            let error = shell(script).err().expect("no credentials");
            assert!(error.to_string().starts_with("the credential program sh "), "{error}");
            assert!(!error.to_string().contains("marker"), "{error}");
        }
    }
}
