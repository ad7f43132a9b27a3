//! Large objects, read back page by page.

use crate::digest::RowHash;
use crate::postgres::{Error, Kind, Session};
use crate::restore::LargeObjectSum;

/// The bytes of a page of `pg_largeobject`, a quarter of a block of the default size.
const PAGE_BYTES: u64 = 2048;
/// A hole in an object reads as zeros; they are hashed in pieces of this size.
const ZEROS: [u8; PAGE_BYTES as usize] = [0; PAGE_BYTES as usize];

/// The hash of every large object of the database, in constant memory.
pub async fn read_back(session: &Session) -> Result<RowHash, Error> {
    let sql = "COPY (SELECT m.oid, l.pageno, pg_catalog.encode(l.data, 'hex') \
               FROM pg_catalog.pg_largeobject_metadata m \
               LEFT JOIN pg_catalog.pg_largeobject l ON l.loid = m.oid ORDER BY m.oid, l.pageno) TO STDOUT";
    let mut rows = session.copy_out(sql).await?;
    let mut sum = LargeObjectSum::default();
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
        }
        sum.update(&page.bytes);
        open = Some((page.oid, offset + page.bytes.len() as u64));
    }
    Ok(sum.finish())
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
