//! Which of several controllers this process is.

/// The name of this process' host, which in a pod is the pod's name: by it
/// Events and logs tell one replica from another.
pub fn instance() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "buildscaler".into() } else { name }
}
