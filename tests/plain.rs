//! Plain dumps of six majors of pg_dump, read to their last byte.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers are tests too")]

mod archive_support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use archive_support::load;
use firedrill::archive::{
    Entry, Error, SurveyedObject, SurveyedTable, TableOfData, Toc, survey, survey_plain,
};
use firedrill::digest::RowHash;

const MAJORS: [u32; 6] = [13, 15, 16, 17, 18, 19];
const PART_BYTES: usize = 64 << 10;

fn script(major: u32, name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives");
    std::fs::read(folder.join(format!("pg{major}/{name}.sql"))).unwrap()
}

/// Rows and hash by the table's qualified name.
fn tables(toc: &Toc, tables: &[SurveyedTable]) -> BTreeMap<String, (u64, Option<RowHash>)> {
    let row =
        |table: &SurveyedTable| (toc.entry(table.id).unwrap().qualified_name(), (table.rows, table.hash));
    tables.iter().map(row).collect()
}

fn objects(objects: &[SurveyedObject]) -> BTreeMap<u32, (u64, String)> {
    objects.iter().map(|object| (object.oid, (object.bytes, object.digest.to_string()))).collect()
}

/// Kind and name of what a script shows: neither how a database is made, nor what it names.
fn names(toc: &Toc) -> BTreeSet<(String, String)> {
    let named = |entry: &Entry| (entry.kind.clone(), entry.qualified_name());
    let shown = |entry: &&Entry| !entry.kind.starts_with("DATABASE") && !entry.tag.starts_with("DATABASE ");
    toc.entries.iter().filter(shown).map(named).collect()
}

#[test]
fn a_plain_dump_holds_what_the_archive_of_the_same_database_holds() {
    for major in MAJORS {
        let archive = survey(&load(major, "none"), PART_BYTES).unwrap();
        for name in ["plain", "plain-create"] {
            if name == "plain-create" && ![13, 18].contains(&major) {
                continue;
            }
            let plain = survey_plain(&script(major, name), PART_BYTES);
            let (toc, plain_tables, plain_objects) =
                plain.unwrap_or_else(|error| panic!("pg{major} {name}: {error}"));
            assert_eq!(
                tables(&toc, &plain_tables),
                tables(&archive.toc, &archive.tables),
                "pg{major} {name}"
            );
            assert_eq!(objects(&plain_objects), objects(&archive.large_objects), "pg{major} {name}");
            assert_eq!(names(&toc), names(&archive.toc), "pg{major} {name}");
            assert_eq!(toc.encoding, archive.toc.encoding);
            assert_eq!(toc.owners(), archive.toc.owners(), "pg{major} {name}");
            assert_eq!(toc.required_extensions(), archive.toc.required_extensions());
            assert_eq!(toc.header.server_version, archive.toc.header.server_version);
            assert_eq!(toc.header.dump_major(), Some(major));
        }
    }
}

#[test]
fn a_plain_dump_tells_how_its_database_was_made_if_it_was_told_to() {
    for major in [13, 18] {
        let (toc, ..) = survey_plain(&script(major, "plain-create"), PART_BYTES).unwrap();
        let archive = survey(&load(major, "none"), PART_BYTES).unwrap().toc;
        assert_eq!(toc.database_settings().unwrap(), archive.database_settings().unwrap());
        assert_eq!(toc.database_properties().unwrap(), archive.database_properties().unwrap());
        assert_eq!(toc.header.database, archive.header.database);
        let (toc, ..) = survey_plain(&script(major, "plain"), PART_BYTES).unwrap();
        assert_eq!(toc.database_settings().unwrap(), None);
    }
}

#[test]
fn what_belongs_together_is_found_though_a_script_does_not_say() {
    for major in MAJORS {
        let (toc, ..) = survey_plain(&script(major, "plain"), PART_BYTES).unwrap();
        let archive = survey(&load(major, "none"), PART_BYTES).unwrap().toc;
        let by_name = |toc: &Toc, id: u32| toc.entry(id).unwrap().qualified_name();
        let data = |toc: &Toc| -> BTreeMap<String, String> {
            let of = |entry: &Entry| match toc.table_of_data(entry) {
                TableOfData::Table(table) => table.qualified_name(),
                other => panic!("{other:?}"),
            };
            toc.entries.iter().filter(|e| e.is_table_data()).map(|e| (e.qualified_name(), of(e))).collect()
        };
        assert_eq!(data(&toc), data(&archive), "pg{major}");
        let below = |toc: &Toc| -> BTreeSet<(String, String)> {
            let partitions = toc.partitions();
            let pair = |parent, child| (by_name(toc, parent), by_name(toc, child));
            partitions
                .parents()
                .flat_map(|parent| {
                    partitions.descendants(parent).into_iter().map(move |child| pair(parent, child))
                })
                .collect()
        };
        assert_eq!(below(&toc), below(&archive), "pg{major}");
        let methods = |toc: &Toc| -> BTreeMap<String, Option<String>> {
            let tables =
                toc.entries.iter().filter(|entry| entry.kind == "TABLE" && entry.relkind != Some('p'));
            tables.map(|entry| (entry.qualified_name(), entry.access_method.clone())).collect()
        };
        for (table, method) in methods(&archive) {
            assert!(method.is_none() || methods(&toc)[&table] == method, "pg{major} {table}");
        }
        let built_on = |toc: &Toc| -> BTreeSet<(String, String)> {
            let kinds = ["INDEX", "CONSTRAINT", "FK CONSTRAINT"];
            let table = |id: &u32| toc.entry(*id).filter(|entry| entry.kind == "TABLE");
            toc.entries
                .iter()
                .filter(|entry| kinds.contains(&entry.kind.as_str()))
                .flat_map(|e| {
                    e.dependencies.iter().filter_map(table).map(|t| (e.qualified_name(), t.qualified_name()))
                })
                .collect()
        };
        assert_eq!(built_on(&toc), built_on(&archive), "pg{major}");
    }
}

#[test]
fn a_script_cut_anywhere_is_an_error() {
    let script = script(18, "plain");
    survey_plain(&script, PART_BYTES).unwrap();
    let last = script.iter().rposition(|byte| !byte.is_ascii_whitespace()).unwrap();
    let border = |at: &usize| script[*at] == b'\n';
    let mut cuts: Vec<usize> = (0..last).step_by(397).collect();
    cuts.extend((0..last).filter(border).step_by(7));
    // The last lines, byte by byte: the line that says that it is complete, and the last key.
    cuts.extend(last - 300..last);
    for cut in cuts {
        let error = survey_plain(&script[..cut], PART_BYTES).err();
        let told = matches!(error, Some(Error::Truncated { .. }))
            || (cut < 60 && matches!(error, Some(Error::Unsupported { .. })))
            || (cut > last - 80 && matches!(error, Some(Error::Unsafe { .. })));
        assert!(told, "{cut}: {error:?}");
    }
}
