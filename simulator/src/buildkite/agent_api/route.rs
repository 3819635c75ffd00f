//! Which call of the Agent API a path means.

use http::Method;

/// Calls that are made with the agent token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Introduction {
    Register,
    Token,
    Metrics,
    QueueMetrics,
}

/// Calls that are made with the token of a session or of a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Session<'a> {
    Connect,
    Heartbeat,
    Ping,
    Disconnect,
    Stop,
    Pause,
    Resume,
    Work(&'a str, Work),
}

/// Calls about one job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Show,
    Accept,
    Acquire,
    Start,
    Chunks,
    HeaderTimes,
    Finish,
}

/// A call of the Agent API.
#[derive(Clone, Copy, Debug)]
pub(super) enum Route<'a> {
    Introduction(Introduction),
    Session(Session<'a>),
}

impl<'a> Route<'a> {
    pub(super) fn parse(method: &Method, segments: &[&'a str]) -> Option<Self> {
        Introduction::parse(method, segments)
            .map(Self::Introduction)
            .or_else(|| Session::parse(method, segments).map(Self::Session))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Introduction(Introduction::Register) => "register",
            Self::Introduction(Introduction::Token) => "token",
            Self::Introduction(Introduction::Metrics | Introduction::QueueMetrics) => "metrics",
            Self::Session(Session::Connect) => "connect",
            Self::Session(Session::Heartbeat) => "heartbeat",
            Self::Session(Session::Ping) => "ping",
            Self::Session(Session::Disconnect) => "disconnect",
            Self::Session(Session::Stop) => "agent-stop",
            Self::Session(Session::Pause) => "agent-pause",
            Self::Session(Session::Resume) => "agent-resume",
            Self::Session(Session::Work(_, work)) => match work {
                Work::Show => "job-state",
                Work::Accept => "accept",
                Work::Acquire => "acquire",
                Work::Start => "start",
                Work::Chunks => "chunks",
                Work::HeaderTimes => "header-times",
                Work::Finish => "finish",
            },
        }
    }
}

impl Introduction {
    fn parse(method: &Method, segments: &[&str]) -> Option<Self> {
        match (method.as_str(), segments) {
            ("POST", ["register"]) => Some(Self::Register),
            ("GET", ["token"]) => Some(Self::Token),
            ("GET", ["metrics"]) => Some(Self::Metrics),
            ("GET", ["metrics", "queue"]) => Some(Self::QueueMetrics),
            _ => None,
        }
    }
}

impl<'a> Session<'a> {
    fn parse(method: &Method, segments: &[&'a str]) -> Option<Self> {
        match (method.as_str(), segments) {
            ("POST", ["connect"]) => Some(Self::Connect),
            ("POST", ["heartbeat"]) => Some(Self::Heartbeat),
            ("GET", ["ping"]) => Some(Self::Ping),
            ("POST", ["disconnect"]) => Some(Self::Disconnect),
            ("POST", ["stop"]) => Some(Self::Stop),
            ("POST", ["pause"]) => Some(Self::Pause),
            ("POST", ["resume"]) => Some(Self::Resume),
            ("GET", ["jobs", id]) => Some(Self::Work(id, Work::Show)),
            ("PUT", ["jobs", id, "accept"]) => Some(Self::Work(id, Work::Accept)),
            ("PUT", ["jobs", id, "acquire"]) => Some(Self::Work(id, Work::Acquire)),
            ("PUT", ["jobs", id, "start"]) => Some(Self::Work(id, Work::Start)),
            ("POST", ["jobs", id, "chunks"]) => Some(Self::Work(id, Work::Chunks)),
            ("POST", ["jobs", id, "header_times"]) => Some(Self::Work(id, Work::HeaderTimes)),
            ("PUT", ["jobs", id, "finish"]) => Some(Self::Work(id, Work::Finish)),
            _ => None,
        }
    }
}
