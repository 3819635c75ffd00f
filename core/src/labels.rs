//! The labels, annotations and variables by which things know each other.

/// On templates and pods: `app.elotl.co=buildscaler`.
pub const APP: &str = "app.elotl.co";
/// The value of [`APP`].
pub const APP_VALUE: &str = "buildscaler";
/// The selector for [`APP`], as the Kubernetes API takes it.
pub const APP_SELECTOR: &str = "app.elotl.co=buildscaler";
/// On templates and pods: the Buildkite queue.
pub const QUEUE: &str = "buildscaler.elotl.co/queue";
/// On pods: the uid of the template they were made from.
pub const JOB_UID: &str = "buildscaler.elotl.co/job-uid";
/// On pods: the hash of the pod template they were made from.
pub const TEMPLATE_HASH: &str = "buildscaler.elotl.co/template-hash";
/// What our annotations on templates begin with.
pub const ANNOTATION_PREFIX: &str = "buildscaler.elotl.co/";
/// The Job controller's finalizer on pods it owns.
pub const JOB_TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// What the API server adds to a Job's template, and the Job's own selector
/// looks for: a pod that carried them would be adopted and deleted.
pub const CONTROLLER_LABELS: [&str; 5] = [
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "batch.kubernetes.io/job-completion-index",
];

/// In the agent's container: its pod's uid, by the Downward API.
pub const POD_UID_VARIABLE: &str = "BUILDSCALER_POD_UID";
/// In the agent's container: the agent's tags.
pub const TAGS_VARIABLE: &str = "BUILDKITE_AGENT_TAGS";
/// The older name of [`TAGS_VARIABLE`], which agents before v4 read too.
pub const META_DATA_VARIABLE: &str = "BUILDKITE_AGENT_META_DATA";
/// In the agent's container: the queue, which excludes a `queue=` tag.
pub const QUEUE_VARIABLE: &str = "BUILDKITE_AGENT_QUEUE";
/// In the agent's container: seconds of idleness after which it leaves.
pub const IDLE_TIMEOUT_VARIABLE: &str = "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT";
/// In the agent's container: its token.
pub const TOKEN_VARIABLE: &str = "BUILDKITE_AGENT_TOKEN";
/// The agent's tag that names its pod.
pub const POD_UID_TAG: &str = "pod-uid";
/// The agent's tag, and the rule of jobs, that names the queue.
pub const QUEUE_TAG: &str = "queue";
/// The queue of jobs and agents that name none.
pub const DEFAULT_QUEUE: &str = "default";
