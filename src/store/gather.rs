//! A complete listing, or none: pages are believed only as far as they agree with each other.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::store::driver::{Driver, Fault, FaultKind, Page};
use crate::store::error::{Error, ErrorKind, scrub};
use crate::store::object::{Listing, Object};
use crate::store::retry::{Question, Retry};

/// More objects than this under one location are refused.
pub(super) const OBJECTS_MAX: usize = 1_000_000;
/// Pages may be short or even empty, but there is an end to it.
const PAGES_MAX: u32 = 20_000;

/// Turns pages until the store says that this was the last.
pub(super) async fn gather(driver: &dyn Driver, retry: &Retry, uri: &str) -> Result<Listing, Error> {
    let mut sheets = Sheets::default();
    let mut clock_offset = None;
    let mut token: Option<String> = None;
    loop {
        let question = Question::List(format!("list {uri}"));
        let last = sheets.objects.last();
        let seen = &sheets.tokens;
        let page = retry
            .ask(driver, question, || async {
                let page = driver.page(token.as_deref()).await?;
                check(&page, last, seen)?;
                Ok(page)
            })
            .await?;
        clock_offset = page.clock_offset.or(clock_offset);
        token = page.next.clone();
        sheets.add(page).map_err(|cause| {
            Error::new(ErrorKind::ListIncomplete, format!("list {uri}"), cause)
                .with_remedy(Some("give the backups of each service a prefix of their own".into()))
        })?;
        if token.is_none() {
            break;
        }
    }
    let mut objects = sheets.objects;
    // The stores' order is by bytes (S3) or by UTF-16 (Azure); ours is by bytes.
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Listing { objects, pages: sheets.pages, listed_at: Timestamp::now(), clock_offset })
}

#[derive(Default)]
struct Sheets {
    objects: Vec<Object>,
    tokens: HashSet<String>,
    pages: u32,
}

impl Sheets {
    fn add(&mut self, page: Page) -> Result<(), String> {
        self.pages += 1;
        self.objects.extend(page.objects);
        self.tokens.extend(page.next);
        if self.objects.len() > OBJECTS_MAX {
            return Err(format!("there are more than {OBJECTS_MAX} objects"));
        }
        if self.pages >= PAGES_MAX {
            return Err(format!("the listing does not end after {PAGES_MAX} pages"));
        }
        Ok(())
    }
}

/// Names are at most 1,024 characters in every store, tokens somewhat longer.
const NAME_BYTES_MAX: usize = 4 << 10;
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A page continues the ones before it: keys strictly increase, and its token is new.
fn check(page: &Page, last: Option<&Object>, tokens: &HashSet<String>) -> Result<(), Fault> {
    let garbled = |text: String| Fault::new(FaultKind::Garbled, text);
    let keys = || last.into_iter().chain(&page.objects).map(|object| object.key.as_str());
    let increases =
        |before: &str, after: &str| before < after || before.encode_utf16().lt(after.encode_utf16());
    if let Some((before, after)) =
        keys().zip(keys().skip(1)).find(|(before, after)| !increases(before, after))
    {
        return Err(garbled(format!("its listing has '{}' after '{}'", scrub(after), scrub(before))));
    }
    let is_oversized = |object: &Object| {
        object.key.len() > NAME_BYTES_MAX
            || object.etag.as_ref().is_some_and(|etag| etag.len() > NAME_BYTES_MAX)
    };
    if page.objects.iter().any(is_oversized) {
        return Err(garbled("its listing has a name that is too long to be one".into()));
    }
    match &page.next {
        Some(next) if next.len() > TOKEN_BYTES_MAX => {
            Err(garbled("its listing goes on at a place that is too long to name".into()))
        }
        Some(next) if next.is_empty() => Err(garbled("its listing goes on, and does not say where".into())),
        Some(next) if tokens.contains(next) => Err(garbled("its listing goes round in a circle".into())),
        _ => Ok(()),
    }
}
