//! `MeterUsage`: one record an hour and dimension, which cannot be changed.

use std::time::Duration;

use buildscaler_core::Timestamp;
use serde_json::{Value, json};

use super::FakeMarketplace;

const HOUR: i64 = 3_600_000;
/// Older records are refused.
const OLDEST: Duration = Duration::from_secs(6 * 3600);

/// What was recorded for one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its `MeteringRecordId`.
    pub id: String,
    /// Units of the dimension.
    pub quantity: i64,
    /// How often it was sent.
    pub sent: u32,
}

impl FakeMarketplace {
    pub(super) fn record(&mut self, now: Timestamp, body: &Value) -> Result<Value, &'static str> {
        if body["ProductCode"] != Self::PRODUCT_CODE {
            return Err("InvalidProductCodeException");
        }
        let dimension = body["UsageDimension"].as_str().unwrap_or_default();
        if !Self::DIMENSIONS.contains(&dimension) {
            return Err("InvalidUsageDimensionException");
        }
        if !self.entitled {
            return Err("CustomerNotEntitledException");
        }
        let seconds = body["Timestamp"].as_f64().ok_or("SerializationException")?;
        // To the hour, for idempotency.
        let millis = (seconds * 1000.0) as i64;
        let hour = Timestamp::from_millis(millis.div_euclid(HOUR) * HOUR);
        if now.since(hour) > OLDEST || now < hour {
            return Err("TimestampOutOfBoundsException");
        }
        self.remember(body)?;
        let quantity = body["UsageQuantity"].as_i64().unwrap_or(0);
        let number = self.records.len() + 1;
        let record = self
            .records
            .entry((dimension.to_owned(), hour))
            .or_insert_with(|| Record {
                id: format!("record-{number}"),
                quantity,
                sent: 0,
            });
        if record.quantity != quantity {
            return Err("DuplicateRequestException");
        }
        record.sent += 1;
        Ok(json!({"MeteringRecordId": record.id}))
    }

    /// A client token belongs to the parameters that it came with first.
    fn remember(&mut self, body: &Value) -> Result<(), &'static str> {
        let Some(token) = body["ClientToken"].as_str() else {
            return Ok(());
        };
        if token.is_empty() || token.len() > 64 {
            return Err("SerializationException");
        }
        let known = self.tokens.entry(token.to_owned()).or_insert_with(|| body.clone());
        if known == body {
            Ok(())
        } else {
            Err("IdempotencyConflictException")
        }
    }
}
