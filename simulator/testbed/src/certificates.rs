//! The certificate authority of one control plane.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::error::TestbedError;

/// The group whose members may do everything.
pub const ADMINISTRATORS: &str = "system:masters";

/// Signs the certificates of a server and of its users.
///
/// Kubernetes reads the common name of a client certificate as the user and the
/// organisation as a group; RBAC then holds for them as for anybody.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its private key, both PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// The key pair with which service account tokens are signed and checked, both PEM.
#[derive(Clone)]
pub struct SigningKeys {
    /// The key that signs.
    pub private: String,
    /// The key that checks.
    pub public: String,
}

impl Authority {
    /// Makes an authority with a key of its own.
    pub fn new() -> Result<Self, TestbedError> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "buildscaler-testbed");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// Returns the certificate of the authority, PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// Signs for a server on loopback.
    pub fn server(&self) -> Result<Identity, TestbedError> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        params.subject_alt_names.push(SanType::IpAddress(loopback));
        params.distinguished_name.push(DnType::CommonName, "testbed-server");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Signs for a user, who may be a member of one group.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity, TestbedError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> Result<Identity, TestbedError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

impl SigningKeys {
    /// Makes a key pair (ECDSA, P-256).
    pub fn new() -> Result<Self, TestbedError> {
        let pair = KeyPair::generate()?;
        Ok(Self {
            private: pair.serialize_pem(),
            public: pair.public_key_pem(),
        })
    }
}
