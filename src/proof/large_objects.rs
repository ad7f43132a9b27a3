//! Large objects, read back page by page.

use crate::digest::RowHash;
use crate::postgres::{Error, Kind, Session};
use crate::proof::pace::Pace;
use crate::restore::LargeObjectSum;

/// The bytes of a page of `pg_largeobject`, a quarter of a block of the default size.
const PAGE_BYTES: u64 = 2048;
/// A hole in an object reads as zeros; they are hashed in pieces of this size.
const ZEROS: [u8; PAGE_BYTES as usize] = [0; PAGE_BYTES as usize];

/// What is read at once of one object, where pages can't be read.
const STRETCH_BYTES: u64 = 256 * 1024;

/// Who is no superuser may not read the pages.
const NOT_PERMITTED: &str = "42501";

/// The hash of every large object of the database, in constant memory.
pub async fn read_back(session: &Session) -> Result<RowHash, Error> {
    let read = match read_pages(session, None).await {
        Err(error) if error.sqlstate() == Some(NOT_PERMITTED) => read_one_by_one(session, None).await,
        read => read,
    };
    Ok(read?.0)
}

/// The hash of every large object, and their bytes in all. Only a superuser may read pages.
pub async fn read_pages(session: &Session, pace: Option<&Pace>) -> Result<(RowHash, u64), Error> {
    let sql = "COPY (SELECT m.oid, l.pageno, pg_catalog.encode(l.data, 'hex') \
               FROM pg_catalog.pg_largeobject_metadata m \
               LEFT JOIN pg_catalog.pg_largeobject l ON l.loid = m.oid ORDER BY m.oid, l.pageno) TO STDOUT";
    let mut rows = session.copy_out(sql).await?;
    let mut sum = LargeObjectSum::default();
    let mut bytes = 0;
    let mut open = None;
    while let Some(row) = rows.next().await? {
        let page =
            Page::read(&row).ok_or_else(|| Error::new(Kind::Protocol, "read large objects: not a page"))?;
        let mut offset = match open {
            Some((oid, offset)) if oid == page.oid => offset,
            _ => {
                sum.begin(page.oid);
                0
            }
        };
        while offset < page.offset {
            let hole = (page.offset - offset).min(PAGE_BYTES);
            sum.update(ZEROS.get(..hole as usize).unwrap_or_default());
            offset += hole;
            bytes += hole;
        }
        sum.update(&page.bytes);
        let more = page.bytes.len() as u64;
        bytes += more;
        if let Some(pace) = pace {
            pace.pay(more).await;
        }
        open = Some((page.oid, offset + more));
    }
    Ok((sum.finish(), bytes))
}

/// The same, object by object, for whoever may read each of them but no pages.
pub async fn read_one_by_one(session: &Session, pace: Option<&Pace>) -> Result<(RowHash, u64), Error> {
    let unexpected = || Error::new(Kind::Protocol, "read large objects: not a stretch of one");
    let list = "SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid";
    let mut sum = LargeObjectSum::default();
    let mut bytes = 0;
    for row in session.rows(list).await? {
        let oid: u32 = row.first().and_then(|oid| oid.as_deref()?.parse().ok()).ok_or_else(unexpected)?;
        sum.begin(oid);
        let mut offset = 0_u64;
        loop {
            let sql = format!(
                "SELECT pg_catalog.encode(pg_catalog.lo_get({oid}, {offset}, {STRETCH_BYTES}), 'hex')"
            );
            let rows = session.rows(&sql).await?;
            let stretch = rows.first().and_then(|row| hex::decode(row.first()?.as_deref()?).ok());
            let stretch = stretch.ok_or_else(unexpected)?;
            sum.update(&stretch);
            let more = stretch.len() as u64;
            (offset, bytes) = (offset + more, bytes + more);
            if let Some(pace) = pace {
                pace.pay(more).await;
            }
            if more < STRETCH_BYTES {
                break;
            }
        }
    }
    Ok((sum.finish(), bytes))
}

/// One row of the answer.
struct Page {
    oid: u32,
    offset: u64,
    bytes: Vec<u8>,
}

impl Page {
    fn read(row: &[u8]) -> Option<Page> {
        let text = std::str::from_utf8(row).ok()?.trim_end_matches('\n');
        let mut fields = text.split('\t');
        let (oid, page, data) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
        if page == "\\N" {
            return Some(Page { oid, offset: 0, bytes: Vec::new() });
        }
        let page: u64 = page.parse().ok()?;
        let bytes = hex::decode(data).ok()?;
        Some(Page { oid, offset: page.checked_mul(PAGE_BYTES)?, bytes })
    }
}
