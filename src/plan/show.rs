//! A plan with its defaults filled in, as TOML that reads back to the same plan.

use std::path::Path;
use std::time::Duration;

use crate::plan::{
    Amcheck, Backup, Check, Decrypt, Drift, Evidence, Expectation, KeySource, Plan, Proof, Question, Restore,
    Scratch, Service, Signing, TableName, Weight, duration, size,
};
use crate::postgres::Isolation;
use crate::store::Options;

/// Renders a plan. Everything is in it that [`crate::plan::load`] made of the file, so that
/// the text gives the same stores and services; what only guides the restore and was left
/// open stays open.
pub fn to_toml(plan: &Plan) -> String {
    let mut text = String::new();
    for (name, options) in &plan.stores {
        store(&mut Section::begin(&mut text, &format!("[store.{name}]")), options);
    }
    if plan.evidence != Evidence::default() {
        evidence(&mut Section::begin(&mut text, "[evidence]"), &plan.evidence);
    }
    for service in &plan.services {
        one_service(&mut text, service);
    }
    text
}

/// The keys below one header.
struct Section<'t> {
    text: &'t mut String,
}

impl<'t> Section<'t> {
    fn begin(text: &'t mut String, header: &str) -> Section<'t> {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(header);
        text.push('\n');
        Section { text }
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.text.push_str(key);
        self.text.push_str(" = ");
        self.text.push_str(value);
        self.text.push('\n');
    }

    fn quoted(&mut self, key: &str, value: impl AsRef<str>) {
        self.raw(key, &quote(value.as_ref()));
    }

    fn some(&mut self, key: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.quoted(key, value);
        }
    }

    fn number(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.raw(key, &value.to_string());
        }
    }

    fn length(&mut self, key: &str, value: Option<Duration>) {
        self.some(key, value.map(duration::text));
    }

    fn path(&mut self, key: &str, value: Option<&Path>) {
        self.some(key, value.map(|path| path.display().to_string()));
    }
}

fn quote(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn store(section: &mut Section<'_>, options: &Options) {
    section.some("endpoint", options.endpoint.as_ref());
    section.some("region", options.region.as_ref());
    section.some("profile", options.profile.as_ref());
    section.raw("anonymous", &options.anonymous.to_string());
    section.raw("path_style", &options.path_style.to_string());
    section.path("ca_file", options.ca_file.as_deref());
    section.some("account_key_env", options.account_key_env.as_ref());
    section.some("sas_env", options.sas_env.as_ref());
    section.some("connection_string_env", options.connection_string_env.as_ref());
}

fn evidence(section: &mut Section<'_>, evidence: &Evidence) {
    match &evidence.signing {
        Signing::Unsaid | Signing::Declined => section.raw("sign", "false"),
        Signing::By(KeySource::File(path)) => section.path("key", Some(path)),
        Signing::By(KeySource::Variable(name)) => section.quoted("key_env", name),
        Signing::By(KeySource::Credential(name)) => section.quoted("key_credential", name),
    }
    if !evidence.public.is_empty() {
        let files: Vec<String> =
            evidence.public.iter().map(|path| quote(&path.display().to_string())).collect();
        section.raw("public", &format!("[{}]", files.join(", ")));
    }
    section.path("directory", evidence.directory.as_deref());
    if let Some(remote) = &evidence.remote {
        section.quoted("location", remote.location.to_string());
        section.some("store", remote.store_name.as_ref());
        section.length("retain", remote.retain);
    }
}

fn one_service(text: &mut String, service: &Service) {
    let header = format!("service.{}", service.name);
    let mut section = Section::begin(text, &format!("[{header}]"));
    section.some("description", service.description.as_ref());
    section.number("tier", service.tier);
    section.some("owner", service.owner.as_ref());
    section.some("environment", service.environment.as_ref());
    let controls: Vec<String> = service.controls.iter().map(|control| quote(control)).collect();
    section.raw("controls", &format!("[{}]", controls.join(", ")));
    section.length("rto", service.rto);
    section.length("rpo", service.rpo);
    section.length("deadline", Some(service.deadline));
    if service.content_only {
        section.quoted("checks", "content only");
    }
    if !service.overheads.is_empty() {
        let mut section = Section::begin(text, &format!("[{header}.overhead]"));
        for (step, length) in &service.overheads {
            section.length(step, Some(*length));
        }
    }
    backup(&mut Section::begin(text, &format!("[{header}.backup]")), &service.backup);
    if let Some(keys) = &service.backup.decrypt {
        decrypt(&mut Section::begin(text, &format!("[{header}.backup.decrypt]")), keys);
    }
    scratch(&mut Section::begin(text, &format!("[{header}.scratch]")), &service.scratch);
    restore(&mut Section::begin(text, &format!("[{header}.restore]")), &service.restore);
    if service.minimum != Default::default() {
        let mut section = Section::begin(text, &format!("[{header}.minimum]"));
        section.number("tables", service.minimum.tables);
        section.number("rows", service.minimum.rows);
    }
    proof(&mut Section::begin(text, &format!("[{header}.proof]")), &service.proof);
    drift(&mut Section::begin(text, &format!("[{header}.drift]")), &service.drift);
    for check in &service.checks {
        one_check(&mut Section::begin(text, &format!("[[{header}.check]]")), check);
    }
}

fn backup(section: &mut Section<'_>, backup: &Backup) {
    section.quoted("location", backup.location.to_string());
    section.some("store", backup.store_name.as_ref());
    section.some("pattern", backup.pattern.text());
    section.some("timezone", backup.pattern.timezone().and_then(|zone| zone.iana_name()));
    section.quoted("select", backup.select.to_string());
    section.length("every", backup.every);
    section.length("grace", backup.every.map(|_| backup.grace));
    section.length("written_within", Some(backup.written_within));
    section.some("dump_timezone", backup.dump_timezone.as_ref().and_then(|zone| zone.iana_name()));
    section.some("database", backup.database.as_ref());
    section.raw("accept_unanchored", &backup.accept_unanchored.to_string());
}

fn decrypt(section: &mut Section<'_>, decrypt: &Decrypt) {
    let sources = [
        ("age_identity", &decrypt.age_identity),
        ("passphrase", &decrypt.passphrase),
        ("openpgp_key", &decrypt.openpgp_key),
        ("openpgp_key_passphrase", &decrypt.openpgp_key_passphrase),
    ];
    for (name, source) in sources {
        if let Some(source) = source {
            key_source(section, name, source);
        }
    }
    if let Some(openssl) = decrypt.openssl {
        section.quoted("openssl.digest", openssl.digest.as_str());
        section.number("openssl.iterations", Some(openssl.iterations));
    }
}

fn key_source(section: &mut Section<'_>, name: &str, source: &KeySource) {
    match source {
        KeySource::File(path) => section.path(&format!("{name}_file"), Some(path)),
        KeySource::Variable(variable) => section.quoted(&format!("{name}_env"), variable),
        KeySource::Credential(credential) => section.quoted(&format!("{name}_credential"), credential),
    }
}

fn scratch(section: &mut Section<'_>, scratch: &Scratch) {
    if let Some(server) = &scratch.server {
        section.quoted("kind", "server");
        key_source(section, "url", &server.url);
        section.quoted("marker", &server.marker);
        section.quoted("system_identifier", &server.system_identifier);
        return;
    }
    section.quoted("kind", "cluster");
    section.quoted("settings", scratch.settings.as_str());
    let isolation = match scratch.isolation {
        Isolation::Required => "required",
        Isolation::BestEffort => "best-effort",
        Isolation::Off => "off",
    };
    section.quoted("isolation", isolation);
    section.path("directory", scratch.directory.as_deref());
    section.path("postgres.bin", scratch.postgres_bin.as_deref());
}

fn restore(section: &mut Section<'_>, restore: &Restore) {
    section.quoted("engine", restore.engine.as_str());
    section.number("jobs", restore.jobs);
    section.number("copy_connections", restore.copy_connections);
    section.number("tables_at_once", restore.tables_at_once);
    section.number("connections", restore.connections);
    section.some("part", restore.part_bytes.map(size::text));
    section.quoted("copy", restore.copy.as_str());
}

fn proof(section: &mut Section<'_>, proof: &Proof) {
    section.raw("amcheck", &(proof.amcheck != Amcheck::Off).to_string());
    if proof.amcheck != Amcheck::Off {
        section.raw("heapallindexed", &(proof.amcheck == Amcheck::HeapAllIndexed).to_string());
    }
    section.raw("revalidate", &proof.revalidate.to_string());
    section.quoted("read_back", proof.read_back.to_string());
    section.quoted("stamp", proof.stamp.as_str());
    let keys: Vec<String> = proof.stamp_keys.iter().map(|key| quote(&key.display().to_string())).collect();
    if !keys.is_empty() {
        section.raw("stamp_keys", &format!("[{}]", keys.join(", ")));
    }
}

fn drift(section: &mut Section<'_>, drift: &Drift) {
    section.quoted("below", format!("{}%", drift.below_percent));
    section.quoted("rows", drift.rows.as_str());
    section.quoted("size", drift.size.as_str());
    section.quoted("schema", drift.schema.as_str());
    section.some("unchanged", drift.unchanged.map(Weight::as_str));
    section.number("least_rows", Some(drift.least_rows));
    if !drift.except.is_empty() {
        section.raw("except", &list(drift.except.iter().map(TableName::to_string)));
    }
}

fn list(items: impl Iterator<Item = impl AsRef<str>>) -> String {
    let quoted: Vec<String> = items.map(|item| quote(item.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

fn one_check(section: &mut Section<'_>, check: &Check) {
    section.quoted("name", &check.name);
    let tables = |section: &mut Section<'_>, tables: &[TableName]| {
        if !tables.is_empty() {
            section.raw("tables", &list(tables.iter().map(TableName::to_string)));
        }
    };
    match &check.question {
        Question::Expect { sql, expectation } => {
            section.quoted("sql", sql);
            section.quoted("expect", expectation.to_string());
        }
        Question::Newest { sql, age } => {
            section.quoted("sql", sql);
            section.length("newest", Some(*age));
        }
        Question::Rows { tables } => {
            let one = |(name, expectation): &(TableName, Expectation)| {
                format!("{} = {}", quote(&name.to_string()), quote(&expectation.to_string()))
            };
            let rows: Vec<String> = tables.iter().map(one).collect();
            section.raw("rows", &format!("{{ {} }}", rows.join(", ")));
        }
        Question::NoOrphans { tables: of } => {
            section.quoted("template", "no-orphans");
            tables(section, of);
        }
        Question::SequenceAhead { tables: of } => {
            section.quoted("template", "sequence-ahead");
            tables(section, of);
        }
        Question::Command { argv } => section.raw("command", &list(argv.iter())),
        Question::Http { url, status, body } => {
            section.quoted("http", url);
            section.number("status", Some(status));
            section.some("body", body.as_ref().map(Expectation::to_string));
        }
    }
    section.length("timeout", Some(check.timeout));
}
