//! The options for AWS Marketplace. Only the in-cluster controller has them.

use std::path::PathBuf;

use buildscaler_core::MeteringConfig;
use clap::Args;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

use super::{KeyError, Metering, PublicKey};

/// Letters that AWS allows in product codes.
const PRODUCT_CODE_LENGTH: usize = 255;

/// What AWS Marketplace is told, if anything.
#[derive(Clone, Debug, Args)]
pub(crate) struct MeteringArgs {
    /// Meter the usage of this AWS Marketplace product; the controller then has
    /// to run on EKS with the role of a service account [default: no metering]
    #[arg(long, value_name = "TEXT", value_parser = product_code)]
    marketplace_product_code: Option<String>,

    /// Version of the product's public key
    #[arg(long, value_name = "INTEGER", default_value = "1", requires = "marketplace_product_code",
        allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=2_147_483_647))]
    marketplace_public_key_version: u32,

    /// The product's dimension in which agent-hours are counted
    #[arg(long, value_name = "TEXT", default_value = "agents", requires = "marketplace_product_code",
        value_parser = dimension)]
    marketplace_dimension: String,

    /// PEM file with the product's public key, by which the registration has to
    /// be signed [default: its signature is not checked]
    #[arg(long, value_name = "FILE", requires = "marketplace_product_code")]
    marketplace_public_key: Option<PathBuf>,
}

/// Why the options cannot be used.
#[derive(Debug, Error)]
pub(crate) enum MeteringError {
    /// The file of `--marketplace-public-key`.
    #[error("--marketplace-public-key={}: {error}", file.display())]
    Key {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        error: KeyError,
    },
    /// Without it two processes might be taken for one.
    #[error("the operating system gives no random numbers")]
    Randomness,
}

impl MeteringArgs {
    /// The metering they ask for, if any.
    pub(crate) fn metering(&self) -> Result<Option<Metering>, MeteringError> {
        let Some(product_code) = self.marketplace_product_code.clone() else {
            return Ok(None);
        };
        let key = self.marketplace_public_key.as_deref().map(|file| {
            PublicKey::read(file).map_err(|error| MeteringError::Key {
                file: file.to_owned(),
                error,
            })
        });
        let key = key.transpose()?;
        let config = MeteringConfig {
            product_code,
            public_key_version: self.marketplace_public_key_version,
            dimension: self.marketplace_dimension.clone(),
            instance: instance()?,
        };
        tracing::info!(
            product_code = config.product_code,
            public_key_version = config.public_key_version,
            dimension = config.dimension,
            signature = if key.is_some() { "verified" } else { "not verified" },
            "usage is metered"
        );
        Ok(Some(Metering::new(config, key, |name| std::env::var(name).ok())))
    }
}

/// What no other process calls itself.
fn instance() -> Result<String, MeteringError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| MeteringError::Randomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn product_code(text: &str) -> Result<String, String> {
    let code = text.trim();
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-/=:_.@".contains(letter);
    if code.is_empty() {
        Err("it is blank; leave the option out for no metering".into())
    } else if code.len() > PRODUCT_CODE_LENGTH || !code.chars().all(fits) {
        Err("it is no product code; AWS Marketplace shows it with the product".into())
    } else {
        Ok(code.to_owned())
    }
}

fn dimension(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.len() > PRODUCT_CODE_LENGTH || name.chars().any(char::is_whitespace) {
        Err("it is no name of a dimension: those have up to 255 letters and no blanks".into())
    } else {
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: MeteringArgs,
    }

    fn parse(options: &[&str]) -> Result<MeteringArgs, String> {
        let all = ["buildscaler"].iter().chain(options);
        Cli::try_parse_from(all)
            .map(|cli| cli.args)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_product_code_nothing_is_metered() {
        assert!(parse(&[]).unwrap().metering().unwrap().is_none());
        let refused = parse(&["--marketplace-dimension=agents"]).unwrap_err();
        assert!(refused.contains("--marketplace-product-code"), "{refused}");
    }

    #[test]
    fn the_options_reach_the_configuration_and_each_process_is_another() {
        let options = [
            "--marketplace-product-code=abc",
            "--marketplace-public-key-version=3",
            "--marketplace-dimension=hours",
        ];
        let configs: Vec<_> = (0..2)
            .map(|_| parse(&options).unwrap().metering().unwrap().unwrap().config)
            .collect();
        let MeteringConfig {
            product_code,
            public_key_version,
            dimension,
            instance,
        } = configs[0].clone();
        assert_eq!(
            (product_code.as_str(), public_key_version, dimension.as_str()),
            ("abc", 3, "hours")
        );
        assert_ne!(instance, configs[1].instance);
    }

    #[test]
    fn what_aws_would_refuse_is_refused_by_name() {
        for option in [
            "--marketplace-product-code= ",
            "--marketplace-product-code=ü",
            "--marketplace-public-key-version=0",
            "--marketplace-dimension=a b",
        ] {
            let name = option.split('=').next().unwrap();
            let refused = parse(&["--marketplace-product-code=p", option]).unwrap_err();
            assert!(refused.contains(name), "{refused}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_by_name() {
        let options = ["--marketplace-product-code=p", "--marketplace-public-key=/nowhere.pem"];
        let refused = parse(&options).unwrap().metering().unwrap_err().to_string();
        assert!(refused.contains("--marketplace-public-key=/nowhere.pem"), "{refused}");
    }
}
