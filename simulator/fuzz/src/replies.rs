//! Replies of a server as text that people and fuzzers can write: a status and
//! headers, an empty line, a body; a line `%%` between two replies.

use buildscaler_core::{Action, Command, CommandId, Failure, Input, LookEnd, Outcome, Reason, Timestamp};
use buildscaler_wire::{Exchange, Reply, Request, SendError, SendErrorKind, Surroundings};
use http::{HeaderName, HeaderValue, Response, StatusCode};

/// When all conversations take place.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_793_534_400_000);
/// More requests than any exchange here may make: two lists of 200 pages.
const MOST_REQUESTS: usize = 400;
/// More letters than any message may have that goes to the log.
const LONGEST_MESSAGE: usize = 600;

/// An exchange that carries this out.
pub(crate) fn begin(action: Action, id: CommandId) -> Exchange {
    let command = Command {
        id,
        action,
        reason: Reason::Interval,
        not_after: None,
    };
    let surroundings = Surroundings {
        organization: "acme".into(),
        namespace: Some("builds".into()),
    };
    Exchange::begin(command, &surroundings, NOW)
}

/// A server that gives one reply after the other, and then all over again.
#[derive(Debug)]
pub(crate) struct Server<'b> {
    replies: Vec<&'b [u8]>,
    given: usize,
    /// Whether a reply was given that is no success.
    pub(crate) refused: bool,
    /// The letters of all bodies that were given.
    pub(crate) letters: usize,
}

impl<'b> Server<'b> {
    pub(crate) fn new(text: &'b [u8]) -> Self {
        Self {
            replies: split(text, b"\n%%\n"),
            given: 0,
            refused: false,
            letters: 0,
        }
    }

    /// Answers. `{next}` in a reply is the number of the page after the one
    /// that was asked for: so a list need not end.
    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        let bytes = self
            .replies
            .get(self.given % self.replies.len())
            .copied()
            .unwrap_or_default();
        self.given += 1;
        let page = request.http.uri().query().and_then(|query| query.rsplit_once("&page="));
        let page = page.and_then(|(_, page)| page.parse::<u64>().ok());
        let next = page.unwrap_or(self.given as u64).saturating_add(1).to_string();
        let reply = reply(&replace(bytes, b"{next}", next.as_bytes()));
        match &reply {
            Ok(answer) => {
                self.letters += answer.body().len();
                self.refused |= !answer.status().is_success();
            }
            Err(_) => self.refused = true,
        }
        reply
    }

    /// Talks with the exchange until it has nothing more to ask.
    pub(crate) fn talk(&mut self, mut exchange: Exchange, mut seen: impl FnMut(&Request)) -> Input {
        let mut requests = 0;
        while let Some(request) = exchange.next_request(NOW) {
            requests += 1;
            assert!(requests <= MOST_REQUESTS, "an exchange without end (Invariant 24)");
            seen(&request);
            let reply = self.answer(&request);
            exchange.absorb(reply, NOW);
        }
        let input = exchange.finish(NOW);
        assert_messages_are_short(&input);
        assert_reads_back(&input);
        input
    }
}

fn reply(bytes: &[u8]) -> Reply {
    let (head, body) = match find(bytes, b"\n\n") {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (bytes, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines.next().unwrap_or_default();
    if let Some(kind) = broken(status) {
        return Err(SendError {
            kind,
            sent: status.ends_with(b"sent"),
            message: "no answer".into(),
        });
    }
    let status = StatusCode::from_bytes(status).unwrap_or(StatusCode::OK);
    let mut answer = Response::new(body.to_vec());
    *answer.status_mut() = status;
    for line in lines {
        let Some(at) = find(line, b": ") else { continue };
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..at]),
            HeaderValue::from_bytes(&line[at + 2..]),
        ) {
            // More than a map of headers bears would be refused by any client.
            let _ = answer.headers_mut().try_append(name, value);
        }
    }
    Ok(answer)
}

fn broken(status: &[u8]) -> Option<SendErrorKind> {
    [
        (&b"timed out"[..], SendErrorKind::TimedOut),
        (b"unreachable", SendErrorKind::Unreachable),
        (b"cut", SendErrorKind::Cut),
        (b"too large", SendErrorKind::TooLarge),
    ]
    .into_iter()
    .find_map(|(word, kind)| status.starts_with(word).then_some(kind))
}

/// What a recording holds of an input is that input.
fn assert_reads_back(input: &Input) {
    let written = serde_json::to_string(input).expect("an input can be written");
    let read: Input = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(&read, input, "an input reads back as it was written");
}

fn assert_messages_are_short(input: &Input) {
    let failures: Vec<&Failure> = match input {
        Input::Tick | Input::Shutdown => Vec::new(),
        Input::Cluster { view, .. } => [view.templates.failure(), view.pods.failure()]
            .into_iter()
            .flatten()
            .collect(),
        Input::Buildkite { look, .. } => match &look.end {
            LookEnd::Failed(_, failure) => vec![failure],
            LookEnd::Complete | LookEnd::More(_) => Vec::new(),
        },
        Input::Outcome { outcome, .. } => match outcome {
            Outcome::Failed(failure) => vec![failure],
            Outcome::Done => Vec::new(),
        },
        Input::Lease { view, .. } => view.failure().into_iter().collect(),
    };
    for failure in failures {
        assert_short(&failure.to_string());
    }
}

/// Messages go to the log: one line each, of bounded length.
pub(crate) fn assert_short(message: &str) {
    assert!(
        message.chars().count() <= LONGEST_MESSAGE,
        "a message of {} letters",
        message.len()
    );
    assert!(
        !message.contains(char::is_control),
        "a message of more than one line: {message:?}"
    );
}

/// The pieces between the marks; at least one.
pub(crate) fn split<'b>(bytes: &'b [u8], mark: &[u8]) -> Vec<&'b [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while let Some(at) = find(rest, mark) {
        pieces.push(&rest[..at]);
        rest = &rest[at + mark.len()..];
    }
    pieces.push(rest);
    pieces
}

fn replace(bytes: &[u8], mark: &[u8], by: &[u8]) -> Vec<u8> {
    split(bytes, mark).join(by)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
