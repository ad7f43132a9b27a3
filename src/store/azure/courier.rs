//! Takes each request over the wire: signed, uncompressed, and with an end to its answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Context, Request};
use futures_util::StreamExt;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::store::azure::shared_key::SharedKey;
use crate::store::wire::PAGE_BYTES_MAX;

/// What a request shows to be let in. Never printed.
#[derive(Clone)]
pub(super) enum Pass {
    /// Nothing: the container is public, or a token is added elsewhere.
    None,
    /// The account's key.
    Key(SharedKey),
    /// A shared access signature, without its question mark.
    Sas(String),
}

/// The last policy of a request.
#[derive(Clone)]
pub(super) struct Courier {
    pub pass: Pass,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Courier")
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the trait hides this lifetime, and async_trait needs it hidden alike"
)]
#[async_trait]
impl Policy for Courier {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("accept-encoding", "identity");
        match &self.pass {
            Pass::None => {}
            Pass::Sas(sas) => {
                let query = match request.url().query() {
                    Some(query) => format!("{query}&{sas}"),
                    None => sas.clone(),
                };
                request.url_mut().set_query(Some(&query));
            }
            Pass::Key(key) => sign(key, request)?,
        }
        let is_listing = request.url().query_pairs().any(|(name, value)| name == "comp" && value == "list");
        let (first, rest) = next.split_first().ok_or_else(|| failed("there is no transport"))?;
        let answer = first.send(ctx, request, rest).await?;
        let is_collected = is_listing || !answer.status().is_success();
        let answer = with_status(answer);
        Ok(if is_collected { bounded(answer) } else { answer })
    }
}

fn sign(key: &SharedKey, request: &mut Request) -> Result<(), Error> {
    let date = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&Timestamp::now())
        .map_err(|_| failed("the clock shows no date that can be written"))?;
    request.insert_header("x-ms-date", date);
    let headers: BTreeMap<String, String> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str().to_owned()))
        .collect();
    let verb = request.method().as_str().to_owned();
    let authorization = key
        .authorization(&verb, request.url(), &headers)
        .ok_or_else(|| failed("the request can't be signed"))?;
    request.insert_header("authorization", authorization);
    Ok(())
}

/// The header that carries the status to where the SDK has dropped it.
pub(super) const STATUS: &str = "firedrill-status";

fn with_status(answer: AsyncRawResponse) -> AsyncRawResponse {
    let (status, mut headers, body) = answer.deconstruct();
    headers.insert(HeaderName::from_static(STATUS), u16::from(status).to_string());
    AsyncRawResponse::new(status, headers, Box::pin(body))
}

/// The SDK collects such an answer in memory, whatever its size.
fn bounded(answer: AsyncRawResponse) -> AsyncRawResponse {
    let (status, headers, body) = answer.deconstruct();
    let mut left = PAGE_BYTES_MAX;
    let body = body.map(move |piece| {
        let piece = piece?;
        left = left.checked_sub(piece.len()).ok_or_else(|| failed("the answer is too large"))?;
        Ok(piece)
    });
    AsyncRawResponse::new(status, headers, Box::pin(body))
}

fn failed(text: &'static str) -> Error {
    Error::with_message(ErrorKind::Other, text)
}
