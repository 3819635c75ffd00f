//! AWS Marketplace Metering, and as much of STS as leads to it, by their
//! documentation: AWS offers nothing to test against.
//!
//! The fake refuses what the documents say is refused, and keeps what it was
//! told. What it cannot check is a request's signature, for it has no secret:
//! that there is one, for this service and with the session's token, it does.

mod records;
mod sts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use buildscaler_core::Timestamp;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::fault::Service;

pub use records::Record;

/// Signs with the product's private key.
pub type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send>;

/// The fake.
pub struct FakeMarketplace {
    /// Whether the customer has a subscription.
    pub entitled: bool,
    /// The next answers of the metering service, instead of its own: names of
    /// exceptions.
    pub refusals: VecDeque<&'static str>,
    /// What a registration's answer says instead of the nonce.
    pub nonce: Option<String>,
    /// The region that pods run in.
    pub region: String,
    /// Whom STS knows.
    pub role_arn: String,
    /// By which token.
    pub web_identity: String,
    sign: Sign,
    sessions: BTreeSet<String>,
    records: BTreeMap<(String, Timestamp), Record>,
    tokens: BTreeMap<String, Value>,
    asked: Vec<(String, Value)>,
    exchanges: u32,
}

impl fmt::Debug for FakeMarketplace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeMarketplace")
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl FakeMarketplace {
    /// The only product there is.
    pub const PRODUCT_CODE: &str = "4l5k6j7h8g9f0d1s2a3product";
    /// Its only key's version.
    pub const PUBLIC_KEY_VERSION: u64 = 1;
    /// Its dimensions.
    pub const DIMENSIONS: &[&str] = &["agents", "builds"];
    /// What STS gives as a secret.
    pub const SECRET: &str = "fake-secret-access-key";

    /// A service without records.
    pub fn new(sign: Sign) -> Self {
        Self {
            entitled: true,
            refusals: VecDeque::new(),
            nonce: None,
            region: "eu-central-1".into(),
            role_arn: "arn:aws:iam::111122223333:role/buildscaler".into(),
            web_identity: "fake-web-identity-token".into(),
            sign,
            sessions: BTreeSet::new(),
            records: BTreeMap::new(),
            tokens: BTreeMap::new(),
            asked: Vec::new(),
            exchanges: 0,
        }
    }

    /// The records, by dimension and hour.
    pub const fn records(&self) -> &BTreeMap<(String, Timestamp), Record> {
        &self.records
    }

    /// What the metering service was asked, with the names of the operations.
    pub fn asked(&self) -> &[(String, Value)] {
        &self.asked
    }

    /// How often STS was asked.
    pub const fn exchanges(&self) -> u32 {
        self.exchanges
    }

    fn meter(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<Value, &'static str> {
        self.check_signature(request)?;
        let target = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok());
        let operation = target.and_then(|target| target.strip_prefix("AWSMPMeteringService."));
        let operation = operation.ok_or("UnknownOperationException")?.to_owned();
        let body: Value = serde_json::from_slice(request.body()).map_err(|_| "SerializationException")?;
        self.asked.push((operation.clone(), body.clone()));
        if let Some(refusal) = self.refusals.pop_front() {
            return Err(refusal);
        }
        match operation.as_str() {
            "RegisterUsage" => self.register(&body),
            "MeterUsage" => self.record(now, &body),
            _ => Err("UnknownOperationException"),
        }
    }

    /// SigV4, for this service, with the token of a session that STS gave.
    fn check_signature(&self, request: &Request<Vec<u8>>) -> Result<(), &'static str> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let signed = header(AUTHORIZATION.as_str()).ok_or("MissingAuthenticationTokenException")?;
        let scope = format!("/{}/aws-marketplace/aws4_request", self.region);
        if !signed.starts_with("AWS4-HMAC-SHA256 Credential=") || !signed.contains(&scope) {
            return Err("InvalidSignatureException");
        }
        let token = header("x-amz-security-token").ok_or("UnrecognizedClientException")?;
        if self.sessions.contains(token) && signed.contains("x-amz-security-token") && header("x-amz-date").is_some() {
            Ok(())
        } else {
            Err("UnrecognizedClientException")
        }
    }

    fn register(&self, body: &Value) -> Result<Value, &'static str> {
        if body["ProductCode"] != Self::PRODUCT_CODE {
            return Err("InvalidProductCodeException");
        }
        if body["PublicKeyVersion"] != Self::PUBLIC_KEY_VERSION {
            return Err("InvalidPublicKeyVersionException");
        }
        if !self.entitled {
            return Err("CustomerNotEntitledException");
        }
        let nonce = self.nonce.as_deref().map_or_else(|| body["Nonce"].clone(), Value::from);
        let payload = json!({
            "productCode": Self::PRODUCT_CODE, "nonce": nonce, "publicKeyVersion": Self::PUBLIC_KEY_VERSION,
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({"alg": "PS256", "typ": "JWT"})), part(payload));
        let signature = URL_SAFE_NO_PAD.encode((self.sign)(signed.as_bytes()));
        Ok(json!({"Signature": format!("{signed}.{signature}")}))
    }
}

impl Service for FakeMarketplace {
    /// STS lives under `/sts`, everything else is the metering service.
    fn handle(&mut self, now: Timestamp, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        if request.uri().path().starts_with("/sts") {
            self.exchanges += 1;
            return self.exchange(now, request.body());
        }
        match self.meter(now, &request) {
            Ok(answer) => respond(StatusCode::OK, "application/x-amz-json-1.1", answer.to_string()),
            Err(exception) => {
                let status = match exception {
                    "InternalServiceErrorException" => StatusCode::INTERNAL_SERVER_ERROR,
                    _ => StatusCode::BAD_REQUEST,
                };
                let body = json!({"__type": exception, "message": format!("the fake says {exception}")});
                respond(status, "application/x-amz-json-1.1", body.to_string())
            }
        }
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
