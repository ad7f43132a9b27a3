//! The lists of large objects in archives that are made of files: `blobs.toc`.

use crate::archive::error::Error;
use crate::archive::member::Member;
use crate::archive::wire::number;

/// The longest list that is read, in bytes: some two million objects.
pub const INDEX_BYTES_MAX: u64 = 64 << 20;

/// Reads the list `index`, one line `OID blob_OID.dat` for each object, in its order.
///
/// # Errors
/// A line of another form, or one that names another file: nothing else is ever opened.
pub fn parse_object_index(index: Member, bytes: &[u8]) -> Result<Vec<u32>, Error> {
    if bytes.len() as u64 > INDEX_BYTES_MAX {
        return Err(Error::Limit { what: format!("the length of '{index}'"), limit: INDEX_BYTES_MAX });
    }
    let Some(lines) = bytes.strip_suffix(b"\n") else {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        return Err(Error::truncated(format!("'{index}' ends within a line"), bytes.len() as u64));
    };
    let mut oids = Vec::new();
    for (line, place) in lines.split(|byte| *byte == b'\n').zip(1_u64..) {
        let oid = line_oid(line)
            .ok_or_else(|| Error::corrupt(format!("line {place} of '{index}' names no large object"), 0))?;
        oids.push(oid);
    }
    Ok(oids)
}

fn line_oid(line: &[u8]) -> Option<u32> {
    let blank = line.iter().position(|byte| *byte == b' ')?;
    let (oid, name) = line.split_at_checked(blank)?;
    let oid = number(oid).filter(|oid| *oid > 0 && !line.is_empty())?;
    let name = std::str::from_utf8(name.get(1..)?).ok()?;
    (Member::named(name) == Some(Member::LargeObject(oid))).then_some(oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_objects_in_order() {
        let list = b"950000 blob_950000.dat\n17 blob_17.dat\n4000000000 blob_4000000000.dat\n";
        assert_eq!(parse_object_index(Member::Index, list).unwrap(), [950_000, 17, 4_000_000_000]);
        assert!(parse_object_index(Member::Index, b"").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_leads_elsewhere_is_refused() {
        for list in [
            "17 ../../etc/passwd\n",
            "17 /blob_17.dat\n",
            "17 blob_18.dat\n",
            "17 17.dat\n",
            "0 blob_0.dat\n",
            " blob_17.dat\n",
            "17\n",
            "17  blob_17.dat\n",
            "\n",
            "17 blob_17.dat\n\n",
            "17 blob_17.dat\r\n",
        ] {
            let error = parse_object_index(Member::Index, list.as_bytes()).expect_err(list);
            assert!(matches!(error, Error::Corrupt { .. }), "{list:?}: {error}");
        }
        let cut = parse_object_index(Member::Index, b"17 blob_17.dat\n18 blob_").expect_err("a cut list");
        assert!(matches!(cut, Error::Truncated { .. }), "{cut}");
    }
}
