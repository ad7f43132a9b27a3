//! Real archives of six majors of pg_dump, read to their last byte.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers are tests too")]

mod archive_support;

use std::collections::{BTreeMap, BTreeSet};

use archive_support::{Shape, joined, load, path, pieces};
use firedrill::archive::{
    BlockWalker, Compression, CopyTarget, DataPosition, Entry, LocaleProvider, Piece, Survey, TableOfData,
    Toc, TocParser, survey,
};
use firedrill::digest::RowHash;

const PART_BYTES: usize = 64 << 10;

/// Every custom-format archive under `fixtures/archives`, by the major of pg_dump.
const FIXTURES: &[(u32, &[&str])] =
    &[(13, BASIC), (15, BASIC), (16, BASIC), (17, WITH_CODECS), (18, WITH_STATISTICS), (19, WITH_STATISTICS)];

const BASIC: &[&str] = &[
    "column-inserts",
    "data-only",
    "gzip",
    "gzip-piped",
    "inserts",
    "none",
    "none-piped",
    "schema-only",
    "via-root",
];

const WITH_CODECS: &[&str] = &[
    "column-inserts",
    "data-only",
    "gzip",
    "gzip-piped",
    "inserts",
    "lz4",
    "lz4-piped",
    "none",
    "none-piped",
    "schema-only",
    "via-root",
    "zstd",
    "zstd-piped",
];

const WITH_STATISTICS: &[&str] = &[
    "column-inserts",
    "data-only",
    "gzip",
    "gzip-piped",
    "inserts",
    "lz4",
    "lz4-piped",
    "none",
    "none-piped",
    "schema-only",
    "statistics",
    "via-root",
    "zstd",
    "zstd-piped",
];

/// All fixtures, as (major, name).
fn all() -> impl Iterator<Item = (u32, &'static str)> {
    FIXTURES.iter().flat_map(|(major, names)| names.iter().map(|name| (*major, *name)))
}

fn surveyed(major: u32, name: &str) -> Survey {
    survey(&load(major, name), PART_BYTES).unwrap_or_else(|error| panic!("pg{major} {name}: {error}"))
}

/// Rows and hash by the table's qualified name.
fn tables(survey: &Survey) -> BTreeMap<String, (u64, Option<RowHash>)> {
    let name = |entry: &Entry| format!("{}.{}", entry.namespace.as_deref().unwrap(), entry.tag);
    let row = |table: &firedrill::archive::SurveyedTable| {
        (name(survey.toc.entry(table.id).unwrap()), (table.rows, table.hash))
    };
    survey.tables.iter().map(row).collect()
}

#[test]
fn every_archive_under_fixtures_is_in_the_list() {
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(path(13, "x").parent().unwrap().parent().unwrap()).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|extension| extension == "dump") {
                found.insert(file);
            }
        }
    }
    let listed: BTreeSet<_> = all().map(|(major, name)| path(major, name)).collect();
    assert_eq!(found, listed);
}

/// A table of contents as `pg_restore -l` of the same major shows it.
fn listing(toc: &Toc) -> String {
    let header = &toc.header;
    let compression =
        header.compression_level.map_or(header.compression.to_string(), |level| level.to_string());
    let mut text = format!(
        ";\n; Archive created at {} UTC\n;     dbname: {}\n;     TOC Entries: {}\n;     Compression: {compression}\n\
         ;     Dump Version: {}.{}-{}\n;     Format: CUSTOM\n;     Integer: {} bytes\n;     Offset: {} bytes\n\
         ;     Dumped from database version: {}\n;     Dumped by pg_dump version: {}\n\
         ;\n;\n; Selected TOC Entries:\n;\n",
        header.created.unwrap().strftime("%Y-%m-%d %H:%M:%S"),
        header.database,
        toc.entries.len(),
        header.version.0,
        header.version.1,
        header.revision,
        header.int_bytes,
        header.offset_bytes,
        header.server_version,
        header.dump_version,
    );
    let unseen = ["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"];
    for entry in &toc.entries {
        if unseen.contains(&entry.kind.as_str()) || entry.tag.starts_with("DATABASE ") {
            continue;
        }
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        let namespace = entry.namespace.as_deref().filter(|name| !name.is_empty()).unwrap_or("-");
        text.push_str(&format!(
            "{}; {} {} {} {} {} {}\n",
            entry.id,
            entry.table_oid,
            entry.oid,
            entry.kind,
            line(namespace),
            line(&entry.tag),
            line(entry.owner.as_deref().unwrap_or("")),
        ));
    }
    text
}

#[test]
fn the_table_of_contents_reads_as_pg_restore_lists_it() {
    for (major, name) in all() {
        let expected = std::fs::read_to_string(path(major, name).with_extension("dump.list")).unwrap();
        let toc = surveyed(major, name).toc;
        assert_eq!(listing(&toc), expected, "pg{major} {name}");
        assert_eq!(toc.header.server_major(), Some(major));
        assert_eq!(toc.header.dump_major(), Some(major));
    }
}

#[test]
fn every_stream_of_every_archive_decodes_to_its_end() {
    for (major, name) in all() {
        let bytes = load(major, name);
        let survey = survey(&bytes, PART_BYTES).unwrap_or_else(|error| panic!("pg{major} {name}: {error}"));
        assert_eq!(survey.trailer.unread_bytes, 0, "pg{major} {name}");
        assert_eq!(survey.trailer.bytes, bytes.len() as u64, "pg{major} {name}");
        let announced = survey.toc.entries.iter().filter(|entry| entry.has_data).count() as u64;
        assert_eq!(survey.trailer.blocks, announced, "pg{major} {name}");
        let expected = if name == "schema-only" { (0, 0) } else { (24, 8) };
        let seen = (survey.tables.len().min(24), survey.large_objects.len());
        assert_eq!(seen, expected, "pg{major} {name}");
    }
}

#[test]
fn a_piped_archive_differs_from_a_written_one_in_its_positions_alone() {
    for (major, names) in FIXTURES {
        for piped in names.iter().filter(|name| name.ends_with("-piped")) {
            let written = surveyed(*major, piped.trim_end_matches("-piped"));
            let piped = surveyed(*major, piped);
            assert_eq!(piped.tables, written.tables);
            assert_eq!(piped.large_objects, written.large_objects);
            let with_data =
                |toc: &Toc| toc.entries.iter().filter(|e| e.has_data).map(|e| e.position).collect();
            let piped: Vec<DataPosition> = with_data(&piped.toc);
            let written: Vec<DataPosition> = with_data(&written.toc);
            assert!(piped.iter().all(|position| *position == DataPosition::Unknown));
            assert!(written.iter().all(|position| matches!(position, DataPosition::At(_))));
        }
    }
}

#[test]
fn every_codec_and_option_of_a_major_holds_the_same_rows() {
    for (major, names) in FIXTURES {
        let reference = surveyed(*major, "none");
        let objects =
            |survey: &Survey| survey.large_objects.iter().map(|o| (o.oid, o.digest.to_string())).collect();
        let reference_objects: BTreeMap<u32, String> = objects(&reference);
        for name in names.iter().filter(|name| **name != "schema-only") {
            let survey = surveyed(*major, name);
            let inserts = name.ends_with("inserts");
            for (table, (rows, hash)) in tables(&survey) {
                let expected = tables(&reference)[&table];
                assert_eq!(rows, expected.0, "pg{major} {name} {table}");
                assert_eq!(hash.is_none(), inserts, "pg{major} {name} {table}");
                assert!(inserts || hash == expected.1, "pg{major} {name} {table}");
            }
            assert_eq!(objects(&survey), reference_objects, "pg{major} {name}");
        }
    }
}

#[test]
fn the_same_schema_holds_as_many_rows_in_every_major() {
    // Hashing an enum goes by its OID, so the halves of this one differ from server to server.
    let halves = ["app.henum0", "app.henum1"];
    let rows = |major| {
        let tables = tables(&surveyed(major, "gzip"));
        let mut rows: BTreeMap<String, u64> =
            tables.into_iter().map(|(name, (rows, _))| (name, rows)).collect();
        let sum = halves.iter().filter_map(|half| rows.remove(*half)).sum();
        rows.insert("app.henum".into(), sum);
        rows
    };
    let reference = rows(13);
    assert_eq!(reference["app.henum"], 50);
    for (major, _) in FIXTURES {
        let rows = rows(*major);
        // A major lacks a table or two whose types it does not know.
        let common: Vec<_> = reference.keys().filter(|table| rows.contains_key(*table)).collect();
        assert!(common.len() + 1 >= reference.len(), "pg{major}: {common:?}");
        for table in common {
            assert_eq!(rows[table], reference[table], "pg{major} {table}");
        }
    }
}

#[test]
fn the_size_of_the_parts_makes_no_difference() {
    for (major, name) in [(13, "gzip"), (18, "none-piped"), (18, "lz4"), (19, "zstd-piped"), (15, "inserts")]
    {
        let bytes = load(major, name);
        let whole = survey(&bytes, bytes.len()).unwrap();
        for part_bytes in [1, 7, 4096, 1 << 20] {
            let parts = survey(&bytes, part_bytes).unwrap();
            assert_eq!(parts.toc.entries, whole.toc.entries, "pg{major} {name} in {part_bytes}");
            assert_eq!(parts.tables, whole.tables, "pg{major} {name} in {part_bytes}");
            assert_eq!(parts.large_objects, whole.large_objects, "pg{major} {name} in {part_bytes}");
            assert_eq!(parts.trailer, whole.trailer, "pg{major} {name} in {part_bytes}");
        }
    }
}

#[test]
fn small_chunks_are_joined_into_one_piece() {
    let (_, pieces) = pieces(&load(15, "none"));
    let mut chunks = 0;
    for piece in pieces {
        match piece {
            Piece::Chunk(_) => chunks += 1,
            _ => chunks = 0,
        }
        assert!(chunks <= 1, "a stream below 64 KiB came in more than one piece");
    }
}

#[test]
fn every_copy_statement_names_its_table_or_its_root() {
    for (major, name) in all() {
        let toc = surveyed(major, name).toc;
        let mut via_root = BTreeSet::new();
        for entry in toc.entries.iter().filter(|entry| entry.is_table_data()) {
            let target = CopyTarget::of(entry).unwrap();
            assert_eq!(target.is_none(), name.ends_with("inserts"), "pg{major} {name} {}", entry.label());
            let Some(target) = target else { continue };
            if entry.load_via_root().is_some() {
                assert_ne!(target.table, entry.tag);
                via_root.insert(target.table.clone());
            }
            let without_columns = ["onlygen", "zerocol"].contains(&entry.tag.as_str());
            assert_eq!(target.columns.is_none(), without_columns, "pg{major} {name} {}", entry.label());
        }
        let expected: &[&str] = match name {
            "schema-only" | "inserts" | "column-inserts" => &[],
            "via-root" => &["ev", "henum"],
            // Hash partitions by an enum are loaded via their root without being asked to.
            _ => &["henum"],
        };
        assert_eq!(via_root.iter().map(String::as_str).collect::<Vec<_>>(), expected, "pg{major} {name}");
    }
}

#[test]
fn rows_are_traced_to_their_tables() {
    let toc = surveyed(18, "gzip").toc;
    for data in toc.entries.iter().filter(|entry| entry.is_table_data()) {
        let TableOfData::Table(table) = toc.table_of_data(data) else { panic!("{}", data.label()) };
        assert_eq!((&table.tag, &table.namespace), (&data.tag, &data.namespace));
    }
    let toc = surveyed(18, "data-only").toc;
    for data in toc.entries.iter().filter(|entry| entry.is_table_data()) {
        assert_eq!(toc.table_of_data(data), TableOfData::Absent);
    }
}

#[test]
fn partitions_are_found_on_every_level() {
    for (major, _) in FIXTURES {
        let toc = surveyed(*major, "gzip").toc;
        let partitions = toc.partitions();
        let table = |tag: &str| toc.entries.iter().find(|e| e.kind == "TABLE" && e.tag == tag).unwrap().id;
        let mut below: Vec<_> = partitions.descendants(table("ev")).into_iter().collect();
        below.sort_unstable();
        let mut expected = ["ev_2020", "ev_2021", "ev_def", "ev_def_a", "ev_def_d"].map(table);
        expected.sort_unstable();
        assert_eq!(below, expected, "pg{major}");
        assert_eq!(partitions.root(table("ev_def_a")), table("ev"));
        assert!(!partitions.is_parent(table("big")));
    }
}

#[test]
fn the_surroundings_of_a_database_are_told() {
    for (major, _) in FIXTURES {
        let toc = surveyed(*major, "gzip").toc;
        let settings = toc.database_settings().unwrap().unwrap();
        assert_eq!(settings.encoding.as_deref(), Some("UTF8"));
        assert_eq!(settings.locale.as_deref(), Some("C.UTF-8"));
        assert_eq!(settings.provider, LocaleProvider::Libc);
        assert!(settings.ignored.is_empty());
        let clauses: Vec<_> =
            toc.database_properties().unwrap().settings.iter().map(|setting| setting.set_clause()).collect();
        assert_eq!(clauses, [r#"SET "search_path" TO 'app', 'public'"#, r#"SET "DateStyle" TO 'German'"#]);
        let extensions: BTreeSet<_> = toc.required_extensions().into_iter().collect();
        assert!(
            extensions.iter().all(|name| ["citext", "hstore"].contains(&name.as_str())),
            "{extensions:?}"
        );
        assert!(toc.owners().contains("weird \"role"));
        assert!(toc.std_strings());
        assert_eq!(toc.encoding.name(), "UTF8");
        assert_eq!(
            toc.search_path_statement(),
            Some("SELECT pg_catalog.set_config('search_path', '', false);")
        );
    }
}

#[test]
fn an_archive_rewritten_in_another_shape_reads_the_same() {
    let shapes = [
        Shape { version: (1, 12), positions: true, ..Shape::NEWEST },
        Shape { version: (1, 13), ..Shape::NEWEST },
        Shape { version: (1, 14), chunk_bytes: 1, ..Shape::NEWEST },
        Shape { version: (1, 15), positions: true, ..Shape::NEWEST },
        Shape { int_bytes: 8, ..Shape::NEWEST },
        Shape { int_bytes: 5, offset_bytes: 4, positions: true, ..Shape::NEWEST },
        Shape { offset_bytes: 3, positions: true, chunk_bytes: 100_000, ..Shape::NEWEST },
    ];
    for (major, name) in [(13, "gzip"), (18, "none"), (19, "gzip-piped")] {
        let (toc, pieces) = pieces(&load(major, name));
        let original = surveyed(major, name);
        for shape in shapes {
            let rewritten = shape.write(&toc, &pieces);
            let survey = survey(&rewritten, PART_BYTES)
                .unwrap_or_else(|error| panic!("pg{major} {name} as {shape:?}: {error}"));
            assert_eq!(survey.toc.header.version, shape.version);
            assert_eq!(survey.tables, original.tables, "pg{major} {name} as {shape:?}");
            assert_eq!(survey.large_objects, original.large_objects, "pg{major} {name} as {shape:?}");
            let seen: Vec<_> =
                survey.toc.entries.iter().map(|e| (e.id, &e.tag, &e.definition, &e.copy)).collect();
            let before: Vec<_> = toc.entries.iter().map(|e| (e.id, &e.tag, &e.definition, &e.copy)).collect();
            assert_eq!(seen, before, "pg{major} {name} as {shape:?}");
        }
    }
}

#[test]
fn chunks_of_any_size_make_the_same_streams() {
    let (toc, pieces) = pieces(&load(18, "none"));
    for chunk_bytes in [1, 100, 70_000, 1 << 20] {
        let archive = Shape { chunk_bytes, ..Shape::NEWEST }.write(&toc, &pieces);
        let (_, rewritten) = archive_support::pieces(&archive);
        assert_eq!(joined(&rewritten), joined(&pieces), "{chunk_bytes}");
    }
}

#[test]
fn a_stream_longer_than_a_piece_is_cut_into_slices_and_joints() {
    let (toc, _) = pieces(&load(18, "data-only"));
    let data = toc.entries.iter().find(|entry| entry.is_table_data()).unwrap().clone();
    let others = toc.entries.iter().filter(|entry| !entry.has_data).cloned();
    let mut toc = toc.clone();
    toc.entries = others.chain([data.clone()]).collect();
    let stream: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let whole = vec![Piece::TableData { id: data.id }, Piece::Chunk(stream.into()), Piece::BlockEnd];
    for (chunk_bytes, most) in [(4096, 256 << 10), (100, 256 << 10), (131_072, 131_072), (1 << 20, 1 << 20)] {
        let archive = Shape { chunk_bytes, ..Shape::NEWEST }.write(&toc, &whole);
        let (_, pieces) = archive_support::pieces(&archive);
        let chunks = pieces.iter().filter_map(|piece| match piece {
            Piece::Chunk(chunk) => Some(chunk.len()),
            _ => None,
        });
        let lengths: Vec<usize> = chunks.collect();
        assert!(lengths.iter().all(|length| *length <= most), "{lengths:?}");
        let (_, all_but_last) = lengths.split_last().unwrap();
        assert!(all_but_last.iter().all(|length| *length >= 64 << 10), "{lengths:?}");
        assert_eq!(joined(&pieces), whole);
    }
}

#[test]
fn bytes_behind_the_last_block_are_counted_and_not_read() {
    for name in ["gzip-piped", "schema-only"] {
        let mut archive = load(15, name);
        let intact = survey(&archive, PART_BYTES).unwrap();
        assert_eq!(intact.trailer.unread_bytes, 0);
        archive.extend_from_slice(&[0; 1000]);
        let appended = survey(&archive, PART_BYTES).unwrap();
        assert_eq!(appended.trailer.unread_bytes, 1000);
        assert_eq!(appended.tables, intact.tables);
    }
}

#[test]
fn a_parser_hands_out_what_lies_behind_the_table_of_contents() {
    let archive = load(17, "zstd");
    let mut parser = TocParser::new();
    let mut pushed = 0;
    while !parser.is_complete() {
        assert!(parser.finish_if_complete().unwrap().is_none());
        parser.push(&archive[pushed..pushed + 1000]).unwrap();
        pushed += 1000;
    }
    let (toc, rest) = parser.finish_if_complete().unwrap().unwrap();
    assert_eq!(toc.bytes + rest.len() as u64, pushed as u64);
    assert_eq!(&archive[toc.bytes as usize..pushed], &rest[..]);
    assert_eq!(toc.header.compression, Compression::Zstd);
    assert!(parser.finish_if_complete().unwrap().is_none());
    assert!(!BlockWalker::new(&toc).is_done());
}
