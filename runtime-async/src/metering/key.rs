//! The product's public key.

use std::path::Path;

use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

/// The shortest key whose signatures are worth anything; ring refuses others.
const LEAST_BITS: usize = 2048;
/// The object identifier of RSA keys, and the empty parameters that follow.
const RSA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// A key that AWS signs registrations with.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// `RSAPublicKey` in DER.
    rsa: Vec<u8>,
}

/// Why a file is no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// There is no file, or it cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is not PEM with `BEGIN PUBLIC KEY`, or not an RSA key.
    #[error("it holds no RSA key as PEM with the heading BEGIN PUBLIC KEY")]
    NoKey,
    /// A signature by such a key can be forged.
    #[error("its key has {0} bits, and a signature proves something from {LEAST_BITS} bits on only")]
    Short(usize),
}

impl PublicKey {
    /// Reads the PEM file that AWS gives with the product.
    ///
    /// # Errors
    /// If it cannot be read, is no RSA key, or the key is too short.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        let pem = std::fs::read(file).map_err(|error| KeyError::Unreadable(error.to_string()))?;
        Self::from_pem(&pem)
    }

    fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NoKey)?;
        let (rsa, bits) = unwrap(&info).ok_or(KeyError::NoKey)?;
        if bits < LEAST_BITS {
            return Err(KeyError::Short(bits));
        }
        Ok(Self { rsa: rsa.to_vec() })
    }

    /// Whether the key's owner signed the message (PS256).
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &self.rsa)
            .verify(message, signature)
            .is_ok()
    }
}

/// The RSA key in a `SubjectPublicKeyInfo`, and the length of its modulus.
fn unwrap(info: &[u8]) -> Option<(&[u8], usize)> {
    let (info, _) = element(SEQUENCE, info)?;
    let (algorithm, rest) = element(SEQUENCE, info)?;
    let (bits, _) = element(BIT_STRING, rest)?;
    let rsa = bits.strip_prefix(&[0])?;
    let (numbers, _) = element(SEQUENCE, rsa)?;
    let (modulus, _) = element(INTEGER, numbers)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let length = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    (algorithm == RSA).then_some((rsa, length))
}

/// The content of the DER element that begins here, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, short], rest) = der.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if long.len() > 3 {
            return None;
        }
        let length = long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        (length, rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &[u8] = include_bytes!("../../tests/metering/keys/public.pem");
    const SHORT: &[u8] = include_bytes!("../../tests/metering/keys/public-1024.pem");
    const ELLIPTIC: &[u8] = include_bytes!("../../tests/metering/keys/public-elliptic.pem");

    #[test]
    fn an_rsa_key_of_2048_bits_is_read() {
        assert!(PublicKey::from_pem(LONG).is_ok());
    }

    /// AWS' own sample key is one.
    #[test]
    fn a_key_of_1024_bits_is_refused() {
        assert_eq!(PublicKey::from_pem(SHORT).unwrap_err(), KeyError::Short(1024));
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        for pem in [
            ELLIPTIC,
            b"",
            b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
        ] {
            assert_eq!(PublicKey::from_pem(pem).unwrap_err(), KeyError::NoKey);
        }
    }

    #[test]
    fn a_key_that_was_cut_anywhere_is_refused_without_a_panic() {
        let whole = SubjectPublicKeyInfoDer::from_pem_slice(LONG).unwrap();
        for length in 0..whole.len() {
            assert!(unwrap(&whole[..length]).is_none());
        }
        assert!(unwrap(&whole).is_some());
    }
}
