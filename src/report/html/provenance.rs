//! Where everything came from: the backup, the tool, the machine, the settings, the file.

use std::collections::BTreeMap;

use crate::record::{
    Anchor, Artifact, ConsistencySource, Copied, CopyChoice, Environment, EnvironmentKind, Network, Record,
    Restore, Selection, Signing, Trigger, WindowChoice,
};
use crate::report::encode;
use crate::report::html::words;
use crate::report::stored::Drill;

/// How many items a line lists.
const ITEMS_MAX: usize = 40;

/// A few lines under one heading.
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// Names and values.
    pub lines: Vec<Line>,
}

/// A name and its value.
pub struct Line {
    /// What it is.
    pub name: &'static str,
    /// What it says.
    pub value: String,
    /// Whether it is an identifier, to be set in a fixed width.
    pub is_code: bool,
}

/// Everything about where a drill's figures come from.
pub fn provenance(drill: &Drill) -> Vec<Group> {
    let record = &drill.record;
    let mut groups = vec![Group { title: "Backup", lines: backup(record) }];
    groups.push(Group { title: "Restore", lines: restore(record) });
    groups.push(Group { title: "Scratch server", lines: scratch(record) });
    groups.push(Group { title: "Drill", lines: run(record) });
    groups.push(Group { title: "Evidence", lines: evidence(drill) });
    groups.retain(|group| !group.lines.is_empty());
    groups
}

#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn say(&mut self, name: &'static str, value: Option<String>) {
        self.0.extend(value.map(|value| Line { name, value, is_code: false }));
    }

    fn code(&mut self, name: &'static str, value: Option<String>) {
        self.0.extend(value.map(|value| Line { name, value, is_code: true }));
    }
}

fn backup(record: &Record) -> Vec<Line> {
    let mut lines = Lines::default();
    if let Some(selection) = &record.selection {
        of_the_choice(selection, &mut lines);
    }
    if let Some(artifact) = &record.artifact {
        of_the_bytes(artifact, &mut lines);
    }
    lines.0
}

fn of_the_choice(selection: &Selection, lines: &mut Lines) {
    if let Some(selected) = &selection.selected {
        lines.code("Address", Some(words::long(&selected.uri)));
        lines.code("Version", selected.version_id.as_deref().map(words::name));
        lines.say("Size", Some(encode::bytes(selected.size_bytes)));
        lines.say("Last changed", selected.last_modified.map(words::moment));
    }
    let listing = if selection.listing.complete { "a complete listing" } else { "an incomplete listing" };
    lines.say(
        "Chosen",
        Some(format!(
            "“{}” of {} in {listing} of {}",
            words::name(&selection.policy_text),
            encode::plural(selection.candidates, "candidate"),
            encode::plural(selection.listing.objects, "object"),
        )),
    );
    lines.say(
        "Passed over",
        (selection.rejected_total > 0).then(|| encode::plural(selection.rejected_total, "object")),
    );
    lines.say(
        "Newest backup",
        selection.newest.as_ref().map(|newest| {
            let moment = words::moment(newest.consistency_point.time);
            format!("{}, of {moment}: its age meets the objective", words::long(&newest.uri))
        }),
    );
    lines.say(
        "Speaks for",
        selection.consistency_point.as_ref().map(|point| {
            let source = match point.source {
                ConsistencySource::Stamp => "by its stamp",
                ConsistencySource::ObjectMetadata => "by its metadata",
                ConsistencySource::NamePattern => "by its name",
                ConsistencySource::ArchiveHeader => "by its header",
                ConsistencySource::LastModified => "at the latest, by when it was stored",
            };
            format!("the data as of {}, {source}", words::moment(point.time))
        }),
    );
}

fn of_the_bytes(artifact: &Artifact, lines: &mut Lines) {
    let observed = artifact.observed.as_ref();
    lines.code("SHA-256", observed.map(|observed| observed.sha256.to_string()));
    let anchor = match artifact.expected.source {
        Anchor::Stamp => "the signed stamp taken with the dump",
        Anchor::Sidecar => "a digest that lies beside it",
        Anchor::StoreChecksum => "the checksum that the store kept since the upload",
        Anchor::Codec => "the archive's own checksums; nothing from outside",
        Anchor::None => "nothing",
    };
    let found = match artifact.matches {
        Some(true) => ", and the bytes agree",
        Some(false) => ", and the bytes do not agree",
        None => "",
    };
    lines.say("Vouched for by", Some(format!("{anchor}{found}")));
    let name = |text: &Option<String>| text.as_deref().map(words::name);
    let format = [name(&artifact.format), name(&artifact.archive_version), name(&artifact.compression)];
    let format: Vec<String> = format.into_iter().flatten().collect();
    lines.say("Format", (!format.is_empty()).then(|| format.join(", ")));
    lines.say("Database", name(&artifact.database));
    lines.say(
        "Dumped from",
        name(&artifact.dump_server_version).map(|version| format!("PostgreSQL {version}")),
    );
    lines.say("Dumped by", name(&artifact.dump_tool_version).map(|version| format!("pg_dump {version}")));
}

fn restore(record: &Record) -> Vec<Line> {
    let mut lines = Lines::default();
    if let Some(restore) = &record.restore {
        of_the_entries(restore, &mut lines);
    }
    if let Some(traffic) = &record.traffic {
        lines.say(
            "Store",
            Some(format!(
                "{} in {}, {} of them repeated",
                encode::bytes(traffic.bytes),
                encode::plural(traffic.requests, "request"),
                encode::count(traffic.retries)
            )),
        );
    }
    lines.0
}

fn of_the_entries(restore: &Restore, lines: &mut Lines) {
    lines.say(
        "Entries",
        Some(format!(
            "{} of {} restored, {} left out by policy, {} failed",
            encode::count(restore.toc_entries_restored),
            encode::count(restore.toc_entries_in_archive),
            encode::count(restore.toc_entries_excluded),
            encode::count(restore.toc_entries_failed)
        )),
    );
    lines.say(
        "Left out",
        list(restore.excluded.iter().map(|entry| {
            format!(
                "{} {} ({})",
                words::name(&entry.kind),
                words::name(&entry.name),
                words::name(&entry.reason)
            )
        })),
    );
    lines.say(
        "Failed",
        list(restore.failed.iter().map(|entry| {
            let state = entry.sqlstate.as_deref().map(|state| format!(" (SQLSTATE {})", words::name(state)));
            format!("{} {}{}", words::name(&entry.kind), words::name(&entry.name), state.unwrap_or_default())
        })),
    );
    lines.say(
        "Came back",
        list(restore.objects.iter().map(|(kind, count)| {
            format!("{} {}", encode::count(*count), words::name(kind).replace('_', " "))
        })),
    );
    lines.say("Invalid indexes", restore.invalid_indexes.map(encode::count));
    lines.say("Unvalidated constraints", restore.unvalidated_constraints.map(encode::count));
    lines.say("Roles without login", list(restore.placeholder_roles.iter().map(|role| words::name(role))));
    lines.say(
        "Width",
        Some(format!(
            "{}, {}, parts of {}",
            to_the_server(restore),
            to_the_store(restore),
            encode::bytes(restore.part_bytes)
        )),
    );
    lines.say("Read twice, for several tables at once", twice(restore));
    lines.say("Rows sent as", Some(forms(&restore.copy)));
}

/// How much of the backup was read twice.
fn twice(restore: &Restore) -> Option<String> {
    Some(restore.read_twice_bytes).filter(|bytes| *bytes > 0).map(encode::bytes)
}

/// How many connections to the server there were, and how many of them took rows.
fn to_the_server(restore: &Restore) -> String {
    let all = format!("{} to the server", encode::plural(restore.jobs, "connection"));
    match restore.copy_connections < restore.jobs {
        true => {
            format!("{all} of which at most {} took rows at once", encode::count(restore.copy_connections))
        }
        false => all,
    }
}

/// How many connections to the store there were, and who chose so.
fn to_the_store(restore: &Restore) -> String {
    let window = restore.store_window;
    let used = encode::plural(restore.store_connections, "connection");
    let chosen = match window.chosen {
        WindowChoice::Pinned => format!("pinned to {}", encode::count(window.most)),
        WindowChoice::Adaptive => format!("adaptive, up to {}", encode::count(window.most)),
    };
    let throttled = match window.throttled {
        0 => String::new(),
        1 => ", asked to slow down once".to_owned(),
        times => format!(", asked to slow down {} times", encode::count(times)),
    };
    format!("{used} to the store ({chosen}{throttled})")
}

/// In which form rows went to the server.
fn forms(copy: &Copied) -> String {
    let binary = match copy.pieces_fallen_back {
        0 => format!("binary: {}", encode::plural(copy.tables_binary, "table")),
        back => format!(
            "binary: {}, {} of them as text all the same",
            encode::plural(copy.tables_binary, "table"),
            encode::plural(back, "piece")
        ),
    };
    let text = format!("text: {}", encode::plural(copy.tables_text, "table"));
    match (copy.tables_binary, copy.tables_text, copy.chosen) {
        (0, _, CopyChoice::Text) => "text, as the plan wants it".to_owned(),
        (0, _, CopyChoice::Auto) => text,
        (_, 0, _) => binary,
        _ => format!("{binary}; {text}"),
    }
}

fn scratch(record: &Record) -> Vec<Line> {
    let mut lines = Lines::default();
    let Some(environment) = &record.environment else { return lines.0 };
    lines.say("Server", Some(server(environment)));
    let network = match environment.sandbox.network {
        Network::None => "none: nothing could be reached",
        Network::Host => "that of the machine",
        Network::Server => "that of the given server",
    };
    lines.say("Network", Some(network.to_owned()));
    lines.say("User", environment.sandbox.user.as_deref().map(words::name));
    lines.say(
        "Settings unlike production",
        Some(pairs(&environment.settings_relaxed).unwrap_or_else(|| "none".to_owned())),
    );
    let hardware = [
        environment.hardware.vcpus.map(|count| encode::plural(count, "processor")),
        environment.hardware.memory_bytes.map(|bytes| format!("{} of memory", encode::bytes(bytes))),
    ];
    let hardware: Vec<String> = hardware.into_iter().flatten().collect();
    lines.say("Machine", (!hardware.is_empty()).then(|| hardware.join(", ")));
    let like = if environment.production_like { "the plan says so" } else { "the plan does not say so" };
    lines.say("Like production", Some(like.to_owned()));
    let extensions = environment.extensions.iter();
    lines.say(
        "Extensions",
        list(extensions.map(|one| format!("{} {}", words::name(&one.name), words::name(&one.version)))),
    );
    lines.say("Clean-up", Some(cleanup(record)));
    lines.0
}

fn server(environment: &Environment) -> String {
    let made = match (environment.kind, environment.cluster_created_by_run) {
        (EnvironmentKind::Cluster, true) => "a cluster made for this drill",
        (EnvironmentKind::Cluster, false) => "a cluster that this drill did not make",
        (EnvironmentKind::Server, _) => "a database made for this drill on a given server",
    };
    format!("PostgreSQL {}, {made}", words::name(&environment.postgres_version))
}

fn cleanup(record: &Record) -> String {
    match &record.cleanup {
        None => "not known".to_owned(),
        Some(cleanup) if cleanup.scratch_removed && cleanup.removal_verified && cleanup.leaked.is_empty() => {
            "removed, and seen to be gone".to_owned()
        }
        Some(cleanup) => match list(cleanup.leaked.iter().map(|what| words::long(what))) {
            Some(left) => format!("left behind: {left}"),
            None => "not seen to be gone".to_owned(),
        },
    }
}

fn run(record: &Record) -> Vec<Line> {
    let run = &record.run;
    let mut lines = Lines::default();
    let ended = run.finished_at.map(|at| format!(" to {}", words::moment(at))).unwrap_or_default();
    lines.say("Time", Some(format!("{}{ended}", words::moment(run.started_at))));
    let trigger = match run.trigger {
        Trigger::Manual => "by hand",
        Trigger::Timer => "by a timer",
        Trigger::Demo => "as a demonstration",
    };
    let actor = run.actor.as_deref().map(|actor| format!(", as {}", words::name(actor)));
    lines.say(
        "Started",
        Some(format!("{trigger}{}, scenario “{}”", actor.unwrap_or_default(), words::name(&run.scenario))),
    );
    let host: Vec<&String> = [&run.host.name, &run.host.os, &run.host.kernel].into_iter().flatten().collect();
    lines.say("Host", list(host.into_iter().map(|part| words::name(part))));
    let commit = run.tool.git_commit.as_deref().map(|commit| format!(" ({})", words::name(commit)));
    lines.say(
        "Tool",
        Some(format!(
            "{} {}{}",
            words::name(&run.tool.name),
            words::name(&run.tool.version),
            commit.unwrap_or_default()
        )),
    );
    lines.code("SHA-256 of the tool", run.tool.binary_sha256.map(|digest| digest.to_string()));
    lines.code("SHA-256 of the plan", run.plan_sha256.map(|digest| digest.to_string()));
    lines.say(
        "Clock",
        record.clock.offset_vs_store_ms.map(|offset| {
            let side = if offset.get() < 0 { "behind" } else { "ahead of" };
            format!("{} ms {side} the store's", offset.get().unsigned_abs())
        }),
    );
    lines.code("Run", Some(run.run_id.to_string()));
    lines.0
}

fn evidence(drill: &Drill) -> Vec<Line> {
    let mut lines = Lines::default();
    let chain = &drill.record.chain;
    lines.code("File", drill.evidence.as_ref().map(|path| words::long(&path.to_string_lossy())));
    if drill.evidence.is_none() {
        lines.say("File", Some("none: it could not be stored, or not be read back".to_owned()));
    }
    lines.say("Place in its log", chain.sequence.map(|sequence| sequence.to_string()));
    lines.code("Follows", chain.previous_envelope_sha256.map(|digest| digest.to_string()));
    let signing = match chain.signing {
        Signing::None => "not signed",
        Signing::Ed25519 => "signed, Ed25519",
    };
    lines.say("Signature", Some(signing.to_owned()));
    lines.say(
        "Killed before it",
        list(chain.abandoned_runs.iter().map(|run| {
            let began = run.started_at.map(|at| format!(", begun {}", words::moment(at))).unwrap_or_default();
            format!("{}{began} ({})", run.run_id, words::name(&run.last_state))
        })),
    );
    lines.0
}

/// The items with commas between, or nothing; a long list says what it leaves out.
fn list(items: impl ExactSizeIterator<Item = String>) -> Option<String> {
    let more = items.len().saturating_sub(ITEMS_MAX);
    let mut shown: Vec<String> = items.take(ITEMS_MAX).collect();
    if more > 0 {
        shown.push(format!("and {} more", encode::count(more as u64)));
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn pairs(settings: &BTreeMap<String, String>) -> Option<String> {
    list(settings.iter().map(|(name, value)| format!("{} = {}", words::name(name), words::name(value))))
}
