//! A `[service.NAME.scratch]` table.

use std::ops::RangeInclusive;

use crate::plan::fault::Complaint;
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::read::{Context, key_source, text};
use crate::plan::{Scratch, ScratchServer, Settings};
use crate::postgres::Isolation;

/// The words for what a drill restores into.
const KINDS: [(&str, Kind); 2] = [("cluster", Kind::Cluster), ("server", Kind::Server)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cluster,
    Server,
}

/// How long a marker is: long enough that nobody writes it by chance.
const MARKER_CHARACTERS: RangeInclusive<usize> = 16..=128;

/// Reads the table; without one, a cluster of the drill's own.
pub fn read(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Scratch {
    let mut scratch = Scratch {
        server: None,
        settings: Settings::Durable,
        isolation: Isolation::Required,
        postgres_bin: None,
        directory: None,
    };
    let Some(mut table) = table.take_table("scratch", faults) else { return scratch };
    let kind = table.take_text("kind", faults, |kind| text::one_of(kind, &KINDS));
    if kind == Some(Kind::Server) {
        scratch.server = read_server(&mut table, context, faults);
        scratch.isolation = Isolation::Off;
        table.finish(faults);
        return scratch;
    }
    let settings = [("durable", Settings::Durable), ("fast", Settings::Fast)];
    if let Some(settings) = table.take_text("settings", faults, |word| text::one_of(word, &settings)) {
        scratch.settings = settings;
    }
    let isolations =
        [("required", Isolation::Required), ("best-effort", Isolation::BestEffort), ("off", Isolation::Off)];
    if let Some(isolation) = table.take_text("isolation", faults, |word| text::one_of(word, &isolations)) {
        scratch.isolation = isolation;
    }
    scratch.directory = table.take_text("directory", faults, |path| text::path(path, context.base));
    if let Some(mut postgres) = table.take_table("postgres", faults) {
        scratch.postgres_bin = postgres.take_text("bin", faults, |path| text::path(path, context.base));
        postgres.finish(faults);
    }
    table.finish(faults);
    scratch
}

fn read_server(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<ScratchServer> {
    for key in ["settings", "isolation", "directory", "postgres"] {
        if let Some(item) = table.take(key) {
            let problem =
                format!("'{key}' speaks of a cluster of the drill's own, and the scratch is on a server");
            item.fault(faults, Complaint::new(problem, "remove it"));
        }
    }
    let url = key_source::read(table, ["url_file", "url_env", "url_credential"], context, faults);
    if url.is_none() {
        table.missing(
            "url_env",
            "name the variable that holds postgres://user:password@host/database",
            faults,
        );
    }
    for (key, remedy) in [
        ("marker", "write the comment of the server's database firedrill_scratch_ok"),
        ("system_identifier", "write what 'select system_identifier from pg_control_system()' gives there"),
    ] {
        if !table.has(key) {
            table.missing(key, remedy, faults);
        }
    }
    let marker = table.take_text("marker", faults, marker);
    let system_identifier = table.take_text("system_identifier", faults, system_identifier);
    Some(ScratchServer { url: url?, marker: marker?, system_identifier: system_identifier? })
}

fn marker(text: &str) -> Result<String, Complaint> {
    if MARKER_CHARACTERS.contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(
        "a marker has 16 to 128 characters",
        "make one with 'openssl rand -hex 16', and put it on the server as the comment of firedrill_scratch_ok",
    ))
}

fn system_identifier(text: &str) -> Result<String, Complaint> {
    if text.parse::<u64>().is_ok_and(|number| number > 0 && number.to_string() == text) {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(
        "it is no system identifier",
        "write what 'select system_identifier from pg_control_system()' gives there, in quotes",
    ))
}
