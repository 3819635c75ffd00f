//! The controller's options.

use super::Complaints;
use crate::scenario::ControllerSettings;
use crate::scenario::outline::Place;

/// As the real command line takes them.
pub(super) fn check(settings: &ControllerSettings, place: &Place<'_>, complaints: &mut Complaints) {
    let times = [
        ("sync-interval", settings.sync_interval),
        ("agent-startup-timeout", settings.agent_startup_timeout),
        ("max-agent-lifetime", settings.max_agent_lifetime),
    ];
    for (name, span) in times {
        if let Some(span) = span {
            complaints.some_time(&place.key(name), span);
        }
    }
    if let Some(span) = settings.idle_timeout {
        complaints.stage(&place.key("idle-timeout"), span);
    }
}
