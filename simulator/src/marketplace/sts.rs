//! STS: `AssumeRoleWithWebIdentity`, which is not signed and answers in XML.

use std::collections::BTreeMap;

use buildscaler_core::Timestamp;
use http::{Response, StatusCode};

use super::{FakeMarketplace, respond};

impl FakeMarketplace {
    pub(super) fn exchange(&mut self, now: Timestamp, body: &[u8]) -> Response<Vec<u8>> {
        let body = String::from_utf8_lossy(body);
        let fields: BTreeMap<&str, String> = body
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(key, value)| (key, decode(value)))
            .collect();
        let field = |key: &str| fields.get(key).map_or("", String::as_str);
        let refused = match (field("Action"), field("RoleArn"), field("WebIdentityToken")) {
            ("AssumeRoleWithWebIdentity", role, token) if role == self.role_arn && token == self.web_identity => None,
            ("AssumeRoleWithWebIdentity", role, _) if role == self.role_arn => Some("InvalidIdentityToken"),
            ("AssumeRoleWithWebIdentity", _, _) => Some("AccessDenied"),
            _ => Some("InvalidAction"),
        };
        if let Some(code) = refused {
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>the fake says \
                 {code}</Message></Error></ErrorResponse>"
            );
            let status = if code == "AccessDenied" {
                StatusCode::FORBIDDEN
            } else {
                StatusCode::BAD_REQUEST
            };
            return respond(status, "text/xml", body);
        }
        let session = format!("session-{}-{}", self.exchanges, now.as_millis());
        self.sessions.insert(session.clone());
        let secret = Self::SECRET;
        let role = &self.role_arn;
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>ASIAFAKE</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{session}</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>\
             <AssumedRoleUser><Arn>{role}</Arn><AssumedRoleId>AROA:buildscaler</AssumedRoleId></AssumedRoleUser>\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        );
        respond(StatusCode::OK, "text/xml", body)
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let code = std::str::from_utf8(&digits).ok();
                bytes.extend(code.and_then(|code| u8::from_str_radix(code, 16).ok()));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
