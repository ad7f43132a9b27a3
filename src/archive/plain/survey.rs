//! A whole plain dump in memory, read to its end without restoring anything.

use crate::archive::error::Error;
use crate::archive::plain::dump::{Item, PlainDump};
use crate::archive::survey::{SurveyedObject, SurveyedTable};
use crate::archive::toc::Toc;
use crate::digest::{Hasher, RowHash};

/// What a plain dump holds, counted: its table of contents, tables and large objects. It is
/// taken in parts of `part_bytes`. For small dumps, tests and fuzzing; INSERTs are counted as
/// statements.
///
/// # Errors
/// As [`PlainDump`].
pub fn survey_plain(
    script: &[u8],
    part_bytes: usize,
) -> Result<(Toc, Vec<SurveyedTable>, Vec<SurveyedObject>), Error> {
    let mut dump = PlainDump::new();
    let mut tables: Vec<SurveyedTable> = Vec::new();
    let mut objects = Vec::new();
    let mut object: Option<(u32, Hasher)> = None;
    for part in script.chunks(part_bytes.max(1)) {
        dump.push(part);
        while let Some(item) = dump.next_item()? {
            match (item, tables.last_mut()) {
                (Item::TableData { entry, .. }, _) => {
                    let hash = entry.copy.as_ref().map(|_| RowHash::default());
                    tables.push(SurveyedTable { id: entry.id, rows: 0, hash });
                }
                (Item::Rows(rows), Some(table)) => {
                    for row in rows.strip_suffix(b"\n").unwrap_or(&rows).split(|byte| *byte == b'\n') {
                        table.rows += 1;
                        if let Some(hash) = &mut table.hash {
                            hash.add(row);
                        }
                    }
                }
                (Item::Insert(_), Some(table)) => table.rows += 1,
                (Item::LargeObject { oid, offset, bytes }, _) => {
                    if offset == 0 {
                        objects.extend(object.replace((oid, Hasher::default())).map(surveyed));
                    }
                    if let Some((_, hasher)) = &mut object {
                        hasher.update(&bytes);
                    }
                }
                (Item::BlockEnd, _) => objects.extend(object.take().map(surveyed)),
                _ => {}
            }
        }
    }
    dump.finish()?;
    Ok((dump.toc()?, tables, objects))
}

fn surveyed((oid, hasher): (u32, Hasher)) -> SurveyedObject {
    SurveyedObject { oid, bytes: hasher.bytes(), digest: hasher.finish() }
}
