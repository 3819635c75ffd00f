//! What becomes of ureq's errors: words without URLs, and whether a request
//! may have reached its server.

use std::error::Error;
use std::io::ErrorKind;

use buildscaler_wire::{SendError, SendErrorKind};
use ureq::Timeout;

use crate::transport::WHOLE_DEADLINE;

/// What went wrong before there was an answer. Only what failed before a
/// connection was there was surely not sent.
pub(crate) fn send_error(error: &ureq::Error) -> SendError {
    use ureq::Error;
    if matches!(error, Error::BadUri(_) | Error::Http(_)) {
        // Their words would quote the URL.
        return unsendable("the request cannot be sent");
    }
    let unconnected = if let Error::Io(error) = error {
        matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::AddrNotAvailable
        )
    } else {
        matches!(
            error,
            Error::Timeout(Timeout::Connect | Timeout::Resolve)
                | Error::HostNotFound
                | Error::ConnectionFailed
                | Error::ConnectProxyFailed(_)
                | Error::InvalidProxyUrl
                | Error::TlsRequired
        )
    };
    let kind = if unconnected || matches!(error, Error::Rustls(_) | Error::Tls(_) | Error::Pem(_)) {
        SendErrorKind::Unreachable
    } else if matches!(error, Error::Timeout(_)) {
        SendErrorKind::TimedOut
    } else if matches!(error, Error::Io(_) | Error::Protocol(_)) {
        SendErrorKind::Cut
    } else {
        SendErrorKind::Other
    };
    SendError {
        kind,
        sent: !unconnected,
        message: chain(error),
    }
}

/// What went wrong once the answer had begun.
pub(crate) fn answer_error(error: &ureq::Error, limit: usize) -> SendError {
    let (kind, message) = if matches!(error, ureq::Error::BodyExceedsLimit(_)) {
        let message = format!("the answer is longer than {limit} bytes");
        (SendErrorKind::TooLarge, message)
    } else if matches!(error, ureq::Error::Timeout(_)) {
        let message = format!("no whole answer within {} s", WHOLE_DEADLINE.as_secs());
        (SendErrorKind::TimedOut, message)
    } else {
        (SendErrorKind::Cut, format!("the answer broke off: {}", chain(error)))
    };
    SendError {
        kind,
        sent: true,
        message,
    }
}

/// The failure of a request that no connection was tried for.
pub(crate) fn unsendable(message: &str) -> SendError {
    SendError {
        kind: SendErrorKind::Unreachable,
        sent: false,
        message: message.into(),
    }
}

/// An error with its causes, each said once. Many errors repeat their cause.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_found_no_server_was_surely_not_sent() {
        let io = |kind: ErrorKind| ureq::Error::Io(kind.into());
        let fate = |error: &ureq::Error| {
            let error = send_error(error);
            (error.kind, error.sent)
        };
        assert_eq!(
            fate(&io(ErrorKind::ConnectionRefused)),
            (SendErrorKind::Unreachable, false)
        );
        assert_eq!(fate(&ureq::Error::HostNotFound), (SendErrorKind::Unreachable, false));
        assert_eq!(
            fate(&ureq::Error::Timeout(Timeout::Connect)),
            (SendErrorKind::Unreachable, false)
        );
        assert_eq!(fate(&io(ErrorKind::ConnectionReset)), (SendErrorKind::Cut, true));
        assert_eq!(
            fate(&ureq::Error::Timeout(Timeout::RecvResponse)),
            (SendErrorKind::TimedOut, true)
        );
    }

    #[test]
    fn no_url_is_quoted() {
        let error = send_error(&ureq::Error::BadUri("https://user:secret@host".into()));
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
}
