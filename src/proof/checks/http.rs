//! What an address answers.

use std::time::Duration;

use reqwest::{Client, redirect};

use crate::plan::{Expectation, duration};
use crate::proof::checks::{Answer, Answered};

/// The longest body that is read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Asks the address once. Redirects are not followed and no proxy is used, so that nobody but
/// the one who is named can answer. What it says beside its status never leaves this function.
pub async fn probe(url: &str, status: u16, body: Option<&Expectation>, timeout: Duration) -> Answered {
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().timeout(timeout).build();
    let Ok(client) = client else { return Answered::none("no client could be made") };
    match client.get(url).send().await {
        Ok(response) => answer(response, status, body, timeout).await,
        Err(error) => Answered::none(why(&error, timeout)),
    }
}

async fn answer(
    mut response: reqwest::Response,
    status: u16,
    body: Option<&Expectation>,
    timeout: Duration,
) -> Answered {
    let came = response.status().as_u16();
    let observed = format!("status {came}");
    let Some(body) = body.filter(|_| came == status) else { return Answered::of(observed, came == status) };
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) if bytes.len().saturating_add(piece.len()) <= BODY_BYTES_MAX => {
                bytes.extend_from_slice(&piece);
            }
            Ok(Some(_)) => return Answered::none("its body is longer than 1 MiB"),
            Ok(None) => break,
            Err(error) => return Answered::none(why(&error, timeout)),
        }
    }
    let Ok(text) = std::str::from_utf8(&bytes) else { return Answered::none("its body is no text") };
    match body.accepts(text.trim_end_matches(['\r', '\n'])) {
        Ok(true) => Answered::of(format!("{observed}, and such a body"), true),
        Ok(false) => Answered::of(format!("{observed}, and another body"), false),
        Err(why) => Answered { answer: Answer::Errored(why), ..Answered::of(observed, false) },
    }
}

/// Without the address, which may hold more than everybody should know.
fn why(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {}", duration::text(timeout));
    }
    let what = if error.is_connect() { "nobody answers there" } else { "the answer broke off" };
    what.to_owned()
}
