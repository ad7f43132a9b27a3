//! Sees the raw answers that the SDK reads for us, and what it would read over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
    BeforeTransmitInterceptorContextMut,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use http_body_util::Limited;
use jiff::SignedDuration;

use crate::store::wire::{self, PAGE_BYTES_MAX, check_document};

/// What one answer showed beside its parsed content.
#[derive(Debug, Default)]
pub(super) struct Witness {
    of_listing: bool,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    status: u16,
    clock_offset: Option<SignedDuration>,
    retry_after: Option<Duration>,
    region: Option<String>,
    garbled: Option<String>,
}

impl Witness {
    /// One that looks for a whole listing in the body.
    pub(super) fn of_listing() -> Witness {
        Witness { of_listing: true, ..Witness::default() }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The status of the answer; 0 before there is one.
    pub(super) fn status(&self) -> u16 {
        self.seen().status
    }

    pub(super) fn clock_offset(&self) -> Option<SignedDuration> {
        self.seen().clock_offset
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.seen().retry_after
    }

    /// Where the bucket lies, if the answer says so; letters, digits and dashes only.
    pub(super) fn region(&self) -> Option<String> {
        self.seen().region
    }

    /// What is wrong with a listing that came as a success.
    pub(super) fn garbled(&self) -> Option<String> {
        self.seen().garbled
    }
}

/// The SDK wants an owner.
#[derive(Debug)]
pub(super) struct Shared(pub Arc<Witness>);

// The attribute macro for hints is of a crate that is not ours to name; the default is right.
impl Intercept for Shared {
    fn name(&self) -> &'static str {
        "witness"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("accept-encoding", "identity");
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let headers = response.headers();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let seen = Seen {
            status: response.status().as_u16(),
            clock_offset: headers.get("date").and_then(wire::clock_offset),
            retry_after: headers
                .get("retry-after")
                .or_else(|| headers.get("x-amz-retry-after"))
                .and_then(wire::retry_after),
            region: headers
                .get("x-amz-bucket-region")
                .filter(|region| region.len() < 40 && region.chars().all(is_plain))
                .map(str::to_owned),
            garbled: None,
        };
        // Everything but the bytes of an object is collected in memory by the SDK.
        if self.0.of_listing || !response.status().is_success() {
            let body = response.take_body();
            *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, PAGE_BYTES_MAX));
        }
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !self.0.of_listing || !response.status().is_success() {
            return Ok(());
        }
        let Some(body) = response.body().bytes() else { return Ok(()) };
        check_document(body, "ListBucketResult").map_err(|fault| {
            let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.garbled = Some(fault.text.clone());
            fault.text.into()
        })
    }
}
