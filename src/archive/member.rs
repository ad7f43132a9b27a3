//! The names of the files that a tar or directory archive is made of.

use std::fmt;

use crate::archive::wire::number;

/// One file of an archive that is made of files. Any other name is none of pg_dump's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Member {
    /// `toc.dat`: header and table of contents.
    Toc,
    /// `17.dat`: the rows of the entry with this dump id.
    Rows(u32),
    /// `blob_17.dat`: the content of the large object with this OID.
    LargeObject(u32),
    /// `blobs.toc`: which large objects there are (archives before 1.16).
    Index,
    /// `blobs_17.toc`: which large objects belong to the entry with this dump id.
    IndexOf(u32),
    /// `restore.sql`: a script for psql, in tar archives only. It begins with DROP DATABASE, and
    /// nothing of it is ever run.
    Script,
}

impl Member {
    /// The member of this name: only names that pg_dump writes have one, so that no path, no
    /// `..` and no other spelling of a number does.
    pub fn named(name: &str) -> Option<Member> {
        let within = |begin, end| {
            let digits: &str = name.strip_prefix(begin)?.strip_suffix(end)?;
            let plain = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
            if plain { number(digits.as_bytes()) } else { None }
        };
        match name {
            "toc.dat" => Some(Member::Toc),
            "blobs.toc" => Some(Member::Index),
            "restore.sql" => Some(Member::Script),
            _ => within("blob_", ".dat")
                .map(Member::LargeObject)
                .or_else(|| within("blobs_", ".toc").map(Member::IndexOf))
                .or_else(|| within("", ".dat").map(Member::Rows)),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Member::Toc => f.write_str("toc.dat"),
            Member::Rows(id) => write!(f, "{id}.dat"),
            Member::LargeObject(oid) => write!(f, "blob_{oid}.dat"),
            Member::Index => f.write_str("blobs.toc"),
            Member::IndexOf(id) => write!(f, "blobs_{id}.toc"),
            Member::Script => f.write_str("restore.sql"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_pg_dump_writes_are_members_and_come_back() {
        for name in [
            "toc.dat",
            "1.dat",
            "3443.dat",
            "blob_4000000000.dat",
            "blobs.toc",
            "blobs_3941.toc",
            "restore.sql",
        ] {
            assert_eq!(Member::named(name).map(|member| member.to_string()).as_deref(), Some(name));
        }
    }

    #[test]
    fn any_other_name_is_none() {
        for name in [
            "",
            "./toc.dat",
            "/toc.dat",
            "../1.dat",
            "x/1.dat",
            "01.dat",
            "+1.dat",
            "-1.dat",
            "1.dat ",
            "1.DAT",
            "1.dat.gz",
            ".dat",
            "4294967296.dat",
            "blob_.dat",
            "blob_x.dat",
            "blobs_.toc",
            "toc.dat\0",
            "١.dat",
        ] {
            assert_eq!(Member::named(name), None, "{name:?}");
        }
    }
}
