//! As whom to talk to the API server, and whom to take for it.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kube::config::AuthInfo;
use secrecy::ExposeSecret;
use thiserror::Error;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::exec;
use crate::transport::{bearer, settings};

/// How long files are trusted: Kubernetes rotates tokens and certificates.
const REREAD: Duration = Duration::from_secs(60);

/// Why there are no credentials to send with. The words hold no secret.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct AccessError(pub(crate) String);

/// The way to one API server.
pub(crate) struct Access {
    base: String,
    config: kube::Config,
    pass: Mutex<Option<Arc<Pass>>>,
}

/// Connections and headers to send with, for a while.
pub(crate) struct Pass {
    pub(crate) agent: Agent,
    pub(crate) headers: HeaderMap,
    until: Option<Instant>,
}

impl std::fmt::Debug for Access {
    /// Shows nothing: credentials are inside (Invariant 22).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

impl Access {
    /// Prepares to talk to the server of `config`; connects to nothing yet,
    /// and runs no program.
    pub(crate) fn new(config: kube::Config) -> Result<Self, AccessError> {
        let unsupported = |what: &str| {
            Err(AccessError(format!(
                "the kubeconfig asks for {what}, which is not supported"
            )))
        };
        if config.auth_info.auth_provider.is_some() {
            return unsupported("an auth-provider");
        }
        if config.tls_server_name.is_some() {
            return unsupported("a tls-server-name");
        }
        let access = Self {
            base: config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            config,
            pass: Mutex::new(None),
        };
        if access.config.auth_info.exec.is_none() {
            // What is wrong with files and headers is told at once.
            access.pass()?;
        }
        Ok(access)
    }

    /// The server's URL, without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What to send with now.
    pub(crate) fn pass(&self) -> Result<Arc<Pass>, AccessError> {
        let mut held = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pass) = held.as_ref().filter(|pass| pass.is_good()) {
            return Ok(Arc::clone(pass));
        }
        let fresh = Arc::new(issue(&self.config)?);
        *held = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Lets go of a pass with which something went wrong.
    pub(crate) fn forget(&self, failed: &Arc<Pass>) {
        let mut held = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|pass| Arc::ptr_eq(pass, failed)) {
            *held = None;
        }
    }
}

impl Pass {
    fn is_good(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// Reads files and runs programs, and makes of them what to send with.
fn issue(config: &kube::Config) -> Result<Pass, AccessError> {
    let auth = &config.auth_info;
    let mut headers = HeaderMap::from_iter(config.headers.iter().cloned());
    impersonate(&mut headers, auth)?;
    let mut until = rotates(config).then_some(REREAD);
    let (token, identity) = match &auth.exec {
        Some(exec) => {
            let answer = exec::credentials(exec)?;
            until = answer.lifetime().or(until);
            let identity = match (&answer.client_certificate_data, &answer.client_key_data) {
                (Some(certificate), Some(key)) => Some(identity(certificate.as_bytes(), key.as_bytes())?),
                _ => None,
            };
            (answer.token, identity)
        }
        None => (token(auth)?, own_identity(auth)?),
    };
    if let Some(authorization) = authorization(auth, token)? {
        headers.insert(header::AUTHORIZATION, authorization);
    }
    let tls = TlsConfig::builder()
        .root_certs(roots(config)?)
        .client_cert(identity)
        .disable_verification(config.accept_invalid_certs)
        .build();
    Ok(Pass {
        agent: settings(tls).proxy(None).build().new_agent(),
        headers,
        until: until.map(|lifetime| Instant::now() + lifetime),
    })
}

/// Whether any of it comes from a file.
fn rotates(config: &kube::Config) -> bool {
    let auth = &config.auth_info;
    config.root_cert_file.is_some()
        || auth.token_file.is_some()
        || auth.client_certificate.is_some()
        || auth.client_key.is_some()
}

fn token(auth: &AuthInfo) -> Result<Option<String>, AccessError> {
    if let Some(token) = &auth.token {
        return Ok(Some(token.expose_secret().to_owned()));
    }
    let read = |path: &String| {
        let token = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        Ok(token.trim().to_owned())
    };
    auth.token_file.as_ref().map(read).transpose()
}

fn authorization(auth: &AuthInfo, token: Option<String>) -> Result<Option<HeaderValue>, AccessError> {
    let unsendable = || AccessError("the Kubernetes credentials hold characters that cannot be sent".into());
    if let Some(token) = token {
        return bearer(&token).map(Some).ok_or_else(unsendable);
    }
    let (Some(name), Some(password)) = (&auth.username, &auth.password) else {
        return Ok(None);
    };
    let pair = STANDARD.encode(format!("{name}:{}", password.expose_secret()));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn impersonate(headers: &mut HeaderMap, auth: &AuthInfo) -> Result<(), AccessError> {
    if auth.impersonate_user_extra.is_some() {
        return Err(AccessError(
            "the kubeconfig asks for as-user-extra, which is not supported".into(),
        ));
    }
    let user = auth.impersonate.iter().map(|user| ("impersonate-user", user));
    let uid = auth.impersonate_uid.iter().map(|uid| ("impersonate-uid", uid));
    let groups = auth.impersonate_groups.iter().flatten();
    let groups = groups.map(|group| ("impersonate-group", group));
    for (name, value) in user.chain(uid).chain(groups) {
        let value = HeaderValue::from_str(value)
            .map_err(|_| AccessError(format!("the kubeconfig's value for {name} cannot be sent")))?;
        headers.append(HeaderName::from_static(name), value);
    }
    Ok(())
}

/// The kubeconfig's client certificate, from its data or from its files.
fn own_identity(auth: &AuthInfo) -> Result<Option<ClientCert>, AccessError> {
    let key_data = auth.client_key_data.as_ref().map(ExposeSecret::expose_secret);
    let certificate = material(
        auth.client_certificate_data.as_deref(),
        auth.client_certificate.as_ref(),
    )?;
    let key = material(key_data, auth.client_key.as_ref())?;
    match (certificate, key) {
        (Some(certificate), Some(key)) => identity(&certificate, &key).map(Some),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(AccessError(
            "the kubeconfig has a client certificate without a key, or a key without a certificate".into(),
        )),
    }
}

fn material(data: Option<&str>, path: Option<&String>) -> Result<Option<Vec<u8>>, AccessError> {
    match (data, path) {
        (Some(data), _) => STANDARD
            .decode(data.trim())
            .map(Some)
            .map_err(|_| AccessError("the kubeconfig's client certificate or key is no base64".into())),
        (None, Some(path)) => fs::read(path).map(Some).map_err(|error| unreadable(path, &error)),
        (None, None) => Ok(None),
    }
}

fn identity(certificate: &[u8], key: &[u8]) -> Result<ClientCert, AccessError> {
    let key = PrivateKey::from_pem(key).map_err(|_| AccessError("the client key is no PEM key".into()))?;
    let chain = certificates(certificate);
    if chain.is_empty() {
        return Err(AccessError("the client certificate is no PEM certificate".into()));
    }
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Whom to take for the server: those of the configuration, or the system's.
fn roots(config: &kube::Config) -> Result<RootCerts, AccessError> {
    let roots = match (&config.root_cert_file, &config.root_cert) {
        (Some(path), _) => {
            let name = path.display().to_string();
            certificates(&fs::read(path).map_err(|error| unreadable(&name, &error))?)
        }
        (None, Some(der)) => der.iter().map(|der| Certificate::from_der(der).to_owned()).collect(),
        (None, None) => return Ok(RootCerts::PlatformVerifier),
    };
    Ok(RootCerts::new_with_certs(&roots))
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    items
        .filter_map(|item| {
            if let PemItem::Certificate(certificate) = item {
                Some(certificate)
            } else {
                None
            }
        })
        .collect()
}

fn unreadable(path: &str, error: &std::io::Error) -> AccessError {
    AccessError(format!("{path} cannot be read: {error}"))
}
