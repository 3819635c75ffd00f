//! The answer to a registration: a JWT (RFC 7519) that repeats the question,
//! signed by AWS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::key::PublicKey;

/// What the answer has to repeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claims<'a> {
    pub(super) product_code: &'a str,
    pub(super) nonce: &'a str,
    pub(super) public_key_version: u32,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    product_code: String,
    nonce: String,
    public_key_version: Value,
}

/// Whether the token answers this very question and, if there is a key, was
/// signed by its owner; what is wrong with it otherwise.
pub(super) fn verify(token: &str, asked: &Claims<'_>, key: Option<&PublicKey>) -> Result<(), String> {
    let (signed, signature) = token.rsplit_once('.').ok_or(NO_TOKEN)?;
    let (header, payload) = signed.split_once('.').ok_or(NO_TOKEN)?;
    let header: Header = decode(header)?;
    if header.alg != "PS256" {
        return Err("the registration is not signed with PS256".into());
    }
    let payload: Payload = decode(payload)?;
    let version = asked.public_key_version;
    let same_version = payload.public_key_version == version
        || payload
            .public_key_version
            .as_str()
            .is_some_and(|text| text.parse() == Ok(version));
    if payload.product_code != asked.product_code || !same_version {
        return Err("the registration is for another product or key version than was asked for".into());
    }
    if payload.nonce != asked.nonce {
        return Err("the registration repeats another nonce than was sent: it was meant for another process".into());
    }
    let Some(key) = key else { return Ok(()) };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| NO_TOKEN)?;
    if key.signed(signed.as_bytes(), &signature) {
        Ok(())
    } else {
        Err("the registration is not signed by the key of --marketplace-public-key".into())
    }
}

const NO_TOKEN: &str = "the registration is no signed token";

fn decode<'a, T: for<'de> Deserialize<'de>>(part: &'a str) -> Result<T, &'static str> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| NO_TOKEN)?;
    serde_json::from_slice(&json).map_err(|_| NO_TOKEN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ASKED: Claims<'_> = Claims {
        product_code: "product",
        nonce: "nonce",
        public_key_version: 1,
    };

    fn token(alg: &str, payload: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({"alg": alg})), part(payload))
    }

    fn payload(product: &str, nonce: &str, version: impl Into<Value>) -> Value {
        json!({"productCode": product, "nonce": nonce, "publicKeyVersion": version.into()})
    }

    #[test]
    fn what_repeats_the_question_is_taken_without_a_key() {
        assert_eq!(
            verify(&token("PS256", &payload("product", "nonce", 1)), &ASKED, None),
            Ok(())
        );
        assert_eq!(
            verify(&token("PS256", &payload("product", "nonce", "1")), &ASKED, None),
            Ok(())
        );
    }

    #[test]
    fn what_differs_from_the_question_is_refused() {
        let others = [
            token("PS256", &payload("other", "nonce", 1)),
            token("PS256", &payload("product", "other", 1)),
            token("PS256", &payload("product", "nonce", 2)),
            token("none", &payload("product", "nonce", 1)),
            token("RS256", &payload("product", "nonce", 1)),
            token("PS256", &json!({"productCode": "product"})),
        ];
        for other in others {
            assert!(verify(&other, &ASKED, None).is_err(), "{other}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for other in ["", ".", "..", "a.b.c", "e30.e30.e30", "ä.ö.ü"] {
            assert!(verify(other, &ASKED, None).is_err(), "{other}");
        }
    }
}
