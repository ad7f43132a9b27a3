//! From the plan's key to a signed record: what signs, what stops a run, and what nobody sees.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use firedrill::evidence::{Options, PublicKey, Trust, verify};
use firedrill::exit_code::ExitCode;
use serde_json::Value;
use tempfile::TempDir;

/// A home with a plan, whose one service has no backup: a drill that fails in a moment, needs no
/// PostgreSQL, and leaves a record as any other.
struct Home(TempDir);

impl Home {
    fn new(evidence: &str) -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        fs::create_dir(home.path().join("backups")).unwrap();
        home.plan(evidence);
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn plan(&self, evidence: &str) {
        let text = format!(
            "{evidence}\n[service.orders]\nchecks = \"content only\"\n\
             [service.orders.backup]\nlocation = \"file://{}/backups/\"\n",
            self.path().display()
        );
        fs::write(self.path().join("firedrill.toml"), text).unwrap();
    }

    fn keygen(&self) -> PublicKey {
        self.run(&["keygen", "--out", "keys"]).ended(ExitCode::Passed);
        PublicKey::read(&self.path().join("keys/evidence.pub")).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.path()).env("PATH", "/usr/bin:/bin");
        command.env("STATE_DIRECTORY", self.path().join("state"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().unwrap())
    }

    /// The files of evidence, in order.
    fn files(&self) -> Vec<PathBuf> {
        files_in(&self.path().join("state/evidence/orders"))
    }
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[derive(Debug)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn of(output: Output) -> Answer {
        Answer {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    fn ended(self, code: ExitCode) -> Answer {
        assert_eq!(self.code, Some(code.number().into()), "{self:#?}");
        self
    }

    /// The predicate of the one drill of `run --json`.
    fn drill(&self) -> Value {
        let document: Value = serde_json::from_str(&self.stdout).unwrap();
        document["drills"][0].clone()
    }
}

const BY_FILE: &str = "evidence.key = \"keys/evidence.key\"";

#[test]
fn a_pair_of_keys_is_made_once_and_never_overwritten() {
    let home = Home::new("");
    let answer = home.run(&["keygen", "--out", "keys"]).ended(ExitCode::Passed);
    let public = PublicKey::read(&home.path().join("keys/evidence.pub")).unwrap();
    assert!(answer.stdout.contains(public.id()), "{}", answer.stdout);
    let private = home.path().join("keys/evidence.key");
    assert_eq!(fs::metadata(&private).unwrap().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&private).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "PKCS#8 in PEM");
    assert!(!answer.stdout.contains(text.lines().nth(1).unwrap()), "the key itself is not shown");

    for kept in ["evidence.pub", "evidence.key"] {
        let answer = home.run(&["keygen", "--out", "keys"]).ended(ExitCode::Usage);
        assert!(answer.stderr.contains("never overwritten"), "{}", answer.stderr);
        assert_eq!(fs::read_to_string(&private).unwrap(), text);
        let other = if kept == "evidence.pub" { "evidence.key" } else { "evidence.pub" };
        fs::rename(home.path().join("keys").join(other), home.path().join(other)).unwrap();
        home.run(&["keygen", "--out", "keys"]).ended(ExitCode::Usage);
        assert_eq!(files_in(&home.path().join("keys")), [home.path().join("keys").join(kept)]);
        fs::rename(home.path().join(other), home.path().join("keys").join(other)).unwrap();
    }
}

#[test]
fn every_drill_is_signed_by_the_key_of_the_plan_and_chained() {
    let home = Home::new(BY_FILE);
    let public = home.keygen();
    for night in 1..=3 {
        let answer = home.run(&["run", "--json"]).ended(ExitCode::Failed);
        assert_eq!(answer.drill()["chain"]["signing"], "ed25519");
        assert_eq!(answer.drill()["chain"]["sequence"], night);
        let limitations = answer.drill()["limitations"].to_string();
        assert!(!limitations.contains("not signed"), "{limitations}");
        assert!(!answer.stderr.contains("not signed"), "{}", answer.stderr);
    }
    assert_eq!(home.files().len(), 3);
    let report = verify(&home.path().join("state/evidence"), &[public], &Options::default()).unwrap();
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!(report.trust(), Trust::Chain);
}

#[test]
fn the_key_comes_from_a_file_a_variable_or_a_credential_alike() {
    let home = Home::new(BY_FILE);
    let public = home.keygen();
    home.run(&["run"]).ended(ExitCode::Failed);
    home.plan("evidence.key_env = \"EVIDENCE_KEY\"");
    let text = fs::read_to_string(home.path().join("keys/evidence.key")).unwrap();
    let output = home.command(&["run"]).env("EVIDENCE_KEY", text).output().unwrap();
    Answer::of(output).ended(ExitCode::Failed);
    home.plan("evidence.key_credential = \"evidence.key\"");
    let output = home.command(&["run"]).env("CREDENTIALS_DIRECTORY", home.path().join("keys")).output();
    Answer::of(output.unwrap()).ended(ExitCode::Failed);
    let report = verify(&home.path().join("state/evidence"), &[public], &Options::default()).unwrap();
    assert!(report.is_sound(), "{report:#?}");
    assert_eq!(report.logs[0].records.len(), 3);
}

#[test]
fn without_the_key_that_the_plan_names_nothing_is_begun() {
    type Spoil = fn(&Home);
    let table: &[(&str, &str, Spoil, &str)] = &[
        ("no file", BY_FILE, |_| {}, "who runs firedrill may read"),
        ("readable by the group", BY_FILE, |home| chmod(home, 0o640), "others may read (mode 640)"),
        ("readable by all", BY_FILE, |home| chmod(home, 0o604), "others may read (mode 604)"),
        ("not a key", BY_FILE, |home| rewrite(home, "no key\n"), "Ed25519 private key"),
        ("empty", BY_FILE, |home| rewrite(home, ""), "Ed25519 private key"),
        ("the public one", BY_FILE, |home| rewrite_with_public(home), "Ed25519 private key"),
        ("a directory", BY_FILE, |home| make_directory(home), "it is not a file"),
        ("huge", BY_FILE, |home| rewrite(home, &"x".repeat(20_000)), "more than 16 KiB"),
        ("no variable", "evidence.key_env = \"NO_SUCH_KEY\"", |_| {}, "'NO_SUCH_KEY', which is not set"),
        ("no credentials", "evidence.key_credential = \"evidence.key\"", |_| {}, "LoadCredential="),
    ];
    for (name, evidence, spoil, says) in table {
        let home = Home::new(evidence);
        spoil(&home);
        for run in [&["run"][..], &["run", "--json"], &["run", "--quiet"]] {
            let answer = home.run(run).ended(ExitCode::PlanWrong);
            assert!(answer.stderr.contains(says), "{name}: {}", answer.stderr);
            assert!(answer.stderr.contains("hint: "), "{name}: {}", answer.stderr);
            assert_eq!(answer.stdout, "", "{name}");
        }
        assert!(home.files().is_empty(), "{name}: no record");
        assert!(!home.path().join("state/runs").exists(), "{name}: no journal");
    }
}

fn key_of(home: &Home) -> PathBuf {
    home.keygen();
    home.path().join("keys/evidence.key")
}

fn chmod(home: &Home, mode: u32) {
    fs::set_permissions(key_of(home), fs::Permissions::from_mode(mode)).unwrap();
}

fn rewrite(home: &Home, text: &str) {
    fs::write(key_of(home), text).unwrap();
}

fn rewrite_with_public(home: &Home) {
    let key = key_of(home);
    fs::copy(home.path().join("keys/evidence.pub"), &key).unwrap();
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

fn make_directory(home: &Home) {
    fs::create_dir_all(home.path().join("keys/evidence.key")).unwrap();
}

#[test]
fn an_unsigned_record_says_so_whether_the_plan_chose_that_or_not() {
    for (evidence, chosen) in [("", false), ("evidence.sign = false", true)] {
        let home = Home::new(evidence);
        let answer = home.run(&["run", "--json"]).ended(ExitCode::Failed);
        assert_eq!(answer.drill()["chain"]["signing"], "none");
        let limitations = answer.drill()["limitations"].to_string();
        assert!(limitations.contains("This record is not signed"), "{limitations}");
        assert_eq!(answer.stderr.contains("the evidence is not signed"), !chosen, "{}", answer.stderr);
        let quiet = home.run(&["run", "--quiet"]).ended(ExitCode::Failed);
        assert!(!quiet.stderr.contains("the evidence is not signed"), "{}", quiet.stderr);
        assert!(home.files().iter().all(|file| !file.to_string_lossy().contains(".dsse.")));
    }
}

#[test]
fn evidence_lies_where_the_plan_says() {
    let home = Home::new("[evidence]\nkey = \"keys/evidence.key\"\ndirectory = \"kept/evidence\"");
    home.keygen();
    home.run(&["run"]).ended(ExitCode::Failed);
    assert_eq!(files_in(&home.path().join("kept/evidence/orders")).len(), 1);
    assert!(!home.path().join("state/evidence").exists());

    fs::write(home.path().join("file"), "").unwrap();
    home.plan("[evidence]\nkey = \"keys/evidence.key\"\ndirectory = \"file/evidence\"");
    let answer = home.run(&["run"]).ended(ExitCode::PlanWrong);
    assert!(answer.stderr.contains("make the evidence directory"), "{}", answer.stderr);
}

/// A drill of a real archive, in whose scratch server a check of the plan looks around.
#[test]
fn neither_the_scratch_nor_any_output_ever_holds_the_key() {
    let home = Home::new("");
    home.keygen();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/archives/pg15/custom-gzip.dump");
    fs::copy(archive, home.path().join("backups/orders.dump")).unwrap();
    let plan = format!(
        r#"
[evidence]
key_env = "EVIDENCE_KEY"
[service.orders.backup]
location = "file://{}/backups/"
[service.orders.scratch]
settings = "fast"
isolation = "best-effort"
[[service.orders.check]]
name = "the environment of the server"
sql = "select count(*) from regexp_matches(encode(pg_read_binary_file('/proc/' || split_part(pg_read_file('postmaster.pid'), chr(10), 1) || '/environ'), 'escape'), 'EVIDENCE|PRIVATE', 'g')"
expect = "= 0"
[[service.orders.check]]
name = "there is an environment"
sql = "select count(*) from regexp_matches(encode(pg_read_binary_file('/proc/' || split_part(pg_read_file('postmaster.pid'), chr(10), 1) || '/environ'), 'escape'), 'PATH=', 'g')"
expect = ">= 1"
"#,
        home.path().display()
    );
    fs::write(home.path().join("firedrill.toml"), plan).unwrap();
    let text = fs::read_to_string(home.path().join("keys/evidence.key")).unwrap();
    let secret = text.lines().nth(1).unwrap();
    let output = home.command(&["run", "--json"]).env("EVIDENCE_KEY", &text).output().unwrap();
    let answer = Answer::of(output);
    let drill = answer.drill();
    assert_eq!(drill["checks"]["passed"], 2, "{drill:#}");
    assert_eq!(drill["chain"]["signing"], "ed25519");
    assert!(!answer.stdout.contains(secret) && !answer.stderr.contains(secret));
    for file in walk(&home.path().join("state")) {
        let bytes = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(secret), "{}", file.display());
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) =
        files_in(directory).into_iter().partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| walk(folder)));
    files
}
