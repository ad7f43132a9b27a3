//! Whose signatures are believed where nobody names a key: those that the plan knows.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use firedrill::evidence::{Log, SigningKey, keygen};
use serde_json::Value;
use tempfile::TempDir;

#[path = "support/signed.rs"]
mod signed;

use signed::night;

/// A home with a plan, an empty store, and two pairs of keys: ours, which the plan signs with,
/// and theirs.
struct Home {
    root: TempDir,
    ours: SigningKey,
    theirs: SigningKey,
}

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    fn new(evidence: &str) -> Home {
        let root = TempDir::new().unwrap();
        let made = |name: &str| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            SigningKey::read(&keygen(&folder).unwrap().0).unwrap()
        };
        let (ours, theirs) = (made("ours"), made("theirs"));
        fs::create_dir_all(root.path().join("store")).unwrap();
        let home = Home { root, ours, theirs };
        home.plan(evidence);
        home
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn plan(&self, evidence: &str) {
        let store = self.path().join("store").display().to_string();
        let plan = format!(
            "[evidence]\ndirectory = \"kept\"\n{evidence}\n[service.orders]\nchecks = \"content only\"\n\
             backup.location = \"file://{store}/\"\n"
        );
        fs::write(self.path().join("firedrill.toml"), plan).unwrap();
    }

    /// Drills of so many nights, up to last night, by these keys.
    fn drilled(&self, keys: &[Option<&SigningKey>]) -> Vec<std::path::PathBuf> {
        let log = Log::open(&self.path().join("kept"), "orders").unwrap();
        let first = 1 - i64::try_from(keys.len()).unwrap();
        let nights = (first..).zip(keys);
        nights.map(|(number, key)| log.append(&mut night(number), *key).unwrap().path).collect()
    }

    fn firedrill(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
        command.args(["--state", "state"]).args(arguments).current_dir(self.path()).stdin(Stdio::null());
        let output = command.env_clear().env("HOME", self.path()).output().unwrap();
        Answer {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn page(&self) -> String {
        self.firedrill(&["report", "--html", "-"]).stdout
    }

    fn json(&self, command: &str) -> Value {
        serde_json::from_str(&self.firedrill(&[command, "--json"]).stdout).unwrap()
    }
}

const KEY: &str = "key = \"ours/evidence.key\"";

#[test]
fn the_key_beside_the_plans_own_is_known_and_nobody_elses() {
    let home = Home::new(KEY);
    let files = home.drilled(&[Some(&home.ours), Some(&home.ours)]);
    assert!(home.page().contains("signatures, chain and verdicts were checked."), "{}", home.page());
    let told = home.firedrill(&["history"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    assert!(!told.stdout.contains("signatures"), "{}", told.stdout);
    assert_eq!(
        home.json("history")["services"][0]["signatures"],
        serde_json::json!({"checked": true, "unsigned": 0})
    );
    assert_eq!(home.json("backups")["services"][0]["found"]["signatures"]["checked"], true);
    assert!(!home.firedrill(&["report"]).stdout.contains("signatures were not checked"));

    // Somebody who can write there, and has a key of their own, makes the last one anew.
    fs::remove_file(&files[1]).unwrap();
    Log::open(&home.path().join("kept"), "orders")
        .unwrap()
        .append(&mut night(0), Some(&home.theirs))
        .unwrap();
    let line = home.firedrill(&["report", "--nagios"]);
    assert_eq!(line.code, 3, "{}", line.stdout);
    assert!(line.stdout.contains("none of the given keys has signed this"), "{}", line.stdout);
    assert!(home.page().contains("<h1>The evidence of orders is not sound.</h1>"));
    let history = home.firedrill(&["history"]);
    assert_eq!(history.code, 3, "{}", history.stdout);
    assert!(history.stderr.contains("none of the known keys has signed it"), "{}", history.stderr);
    assert!(history.stdout.contains("orders: 1 drill on"), "{}", history.stdout);
    assert_eq!(home.json("backups")["services"][0]["found"]["unreadable_evidence"], 1);
}

#[test]
fn without_a_known_key_the_reader_is_told_that_nobody_looked() {
    let home = Home::new("key_env = \"EVIDENCE_KEY\"");
    home.drilled(&[Some(&home.theirs)]);
    assert!(home.page().contains("chain and verdicts were checked, signatures were not"));
    assert!(home.firedrill(&["report"]).stdout.contains("signatures were not checked: name a public key"));
    let told = home.firedrill(&["history"]).stdout;
    assert!(told.contains("signatures unverified: name a public key with --key"), "{told}");
    assert_eq!(home.json("history")["services"][0]["signatures"], serde_json::json!({"checked": false}));
    assert_eq!(home.json("backups")["services"][0]["found"]["signatures"]["checked"], false);
    for command in
        [&["history", "--key", "theirs/evidence.pub"][..], &["report", "--key", "theirs/evidence.pub"]]
    {
        let told = home.firedrill(command);
        assert_eq!(told.code, 0, "{}", told.stderr);
        assert!(!told.stdout.contains("signatures"), "{command:?}: {}", told.stdout);
    }
}

#[test]
fn the_plan_may_name_several_public_keys_as_after_a_change() {
    let home =
        Home::new("key_env = \"EVIDENCE_KEY\"\npublic = [\"theirs/evidence.pub\", \"ours/evidence.pub\"]");
    home.drilled(&[Some(&home.theirs), Some(&home.ours)]);
    assert!(home.page().contains("signatures, chain and verdicts were checked."));
    assert_eq!(home.firedrill(&["history"]).code, 0);
    home.plan("key_env = \"EVIDENCE_KEY\"\npublic = [\"ours/evidence.pub\"]");
    assert!(home.page().contains("<h1>The evidence of orders is not sound.</h1>"));
    home.plan("key_env = \"EVIDENCE_KEY\"\npublic = [\"nowhere.pub\"]");
    for command in ["report", "history", "backups"] {
        let told = home.firedrill(&[command]);
        assert_eq!(told.code, 64, "{command}: {}", told.stderr);
        assert!(told.stderr.contains("nowhere.pub"), "{command}: {}", told.stderr);
    }
}

#[test]
fn signing_may_begin_one_day_and_what_came_before_is_bound_by_the_chain() {
    let home = Home::new(KEY);
    let files = home.drilled(&[None, None, Some(&home.ours)]);
    let besides = "were checked, but for 2 records from before signing began";
    assert!(home.page().contains(besides), "{}", home.page());
    let told = home.firedrill(&["history"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let words = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("checked; nobody signed 2 drills from before signing began"), "{words}");

    let text = fs::read_to_string(&files[0]).unwrap();
    fs::write(&files[0], text.replacen("\"rows\":300000", "\"rows\":300001", 1)).unwrap();
    assert!(home.page().contains("<h1>The evidence of orders is not sound.</h1>"), "the chain binds them");
    fs::write(&files[0], text).unwrap();

    // From then on every record is signed.
    Log::open(&home.path().join("kept"), "orders").unwrap().append(&mut night(0), None).unwrap();
    assert!(home.page().contains("<h1>The evidence of orders is not sound.</h1>"), "the last is not signed");
    let told = home.firedrill(&["history"]);
    assert!(told.stderr.contains("it is not signed, and records before it are"), "{}", told.stderr);
}

#[test]
fn a_log_that_nobody_signed_is_no_proof_once_there_is_a_key() {
    let home = Home::new(KEY);
    home.drilled(&[None]);
    let line = home.firedrill(&["report", "--nagios"]);
    assert!(line.code == 3 && line.stdout.contains("this is not signed"), "{}", line.stdout);
}

#[test]
fn a_bundle_needs_no_key_named_where_the_plan_knows_one() {
    let home = Home::new(KEY);
    home.drilled(&[Some(&home.ours)]);
    let told = home.firedrill(&["evidence", "bundle", "--out", "bundle.tar.gz"]);
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("orders: sound, L2"), "{}", told.stdout);
}

#[test]
fn the_page_shows_what_lies_in_the_stores_where_it_is_asked_to() {
    let home = Home::new(KEY);
    let plan = fs::read_to_string(home.path().join("firedrill.toml")).unwrap();
    let pattern = "backup.pattern = \"orders-{time:%Y%m%dT%H%M%SZ}.dump\"\n";
    fs::write(home.path().join("firedrill.toml"), plan + pattern).unwrap();
    home.drilled(&[Some(&home.ours)]);
    for day in ["20261118", "20261119"] {
        fs::write(home.path().join(format!("store/orders-{day}T010000Z.dump")), "x").unwrap();
    }
    let told = home.firedrill(&["report", "--html", "-", "--backups"]);
    assert_eq!((told.code, told.stderr.contains("could not be listed")), (0, false), "{}", told.stderr);
    assert!(told.stdout.contains("The 2 backups in the store."), "{}", told.stdout);
    assert!(told.stdout.contains("Newest proven backup</dt><dd><b>none is proven</b>"), "{}", told.stdout);
    assert!(home.page().contains("The 1 backup that drills have seen; the store may hold more."));

    // A store that is not there is told of, and the page is made of what drills have seen.
    fs::remove_dir_all(home.path().join("store")).unwrap();
    let told = home.firedrill(&["report", "--html", "-", "--backups"]);
    assert!(told.stderr.contains("orders: its backups could not be listed"), "{}", told.stderr);
    assert!(told.stdout.contains("that drills have seen"), "{}", told.stdout);
}
