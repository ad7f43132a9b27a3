//! Plan files: what a good one means, and what is said about a bad one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly, too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill::plan::{self, Fault, KeySource, Pattern, Plan, Question, Select, Settings, Signing};
use firedrill::postgres::Isolation;
use firedrill::store::Location;

/// The files of a fixture directory with this extension, by name.
fn fixtures(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{directory} holds no .{extension}");
    paths
}

fn shown(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn good(name: &str) -> Plan {
    let path = Path::new("fixtures/plans/good").join(name);
    plan::load(&path).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

/// The faults of a plan with this text.
fn faults_of(text: &str) -> Vec<Fault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    fs::write(&path, text).unwrap();
    plan::load(&path).map(|plan| panic!("{plan:?}")).unwrap_err()
}

/// `BLESS=1 cargo test --test plan` writes the texts anew, to be read in the diff.
#[test]
fn every_bad_plan_says_exactly_what_is_written_beside_it() {
    let plans = fixtures("fixtures/plans/bad", "toml");
    if std::env::var_os("BLESS").is_some() {
        for path in &plans {
            fs::write(path.with_extension("stderr"), shown(&plan::load(path).unwrap_err())).unwrap();
        }
    }
    let texts = fixtures("fixtures/plans/bad", "stderr");
    assert_eq!(plans.len(), texts.len(), "each plan has its text and each text its plan");
    let mut differing = Vec::new();
    for path in plans {
        let said = shown(&plan::load(&path).expect_err(&path.display().to_string()));
        let expected = fs::read_to_string(path.with_extension("stderr")).unwrap();
        if said != expected {
            differing.push(format!("{}:\n--- expected\n{expected}--- said\n{said}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_good_plan_is_read_and_shown_and_read_again_alike() {
    let folder = tempfile::tempdir().unwrap();
    for path in fixtures("fixtures/plans/good", "toml") {
        let read = plan::load(&path).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
        let text = plan::to_toml(&read);
        let again = folder.path().join("again.toml");
        fs::write(&again, &text).unwrap();
        let again = plan::load(&again).unwrap_or_else(|faults| panic!("{text}\n{}", shown(&faults)));
        assert_eq!(again.services, read.services, "{text}");
        assert_eq!(again.stores, read.stores, "{text}");
        assert_eq!(again.evidence, read.evidence, "{text}");
        assert_eq!(plan::to_toml(&again), text);
    }
}

#[test]
fn the_model_plan_means_what_the_manual_says() {
    let plan = good("model.toml");
    let [orders] = plan.services.as_slice() else { panic!("{plan:?}") };
    assert_eq!(orders.name, "orders");
    assert_eq!(orders.rto, Some(Duration::from_secs(900)));
    assert_eq!(orders.overhead(), Duration::from_secs(720));
    assert_eq!(orders.deadline, Duration::from_secs(7200));
    assert_eq!(orders.backup.location, Location::parse("s3://acme-backups/orders/").unwrap());
    assert_eq!(orders.backup.every, Some(Duration::from_secs(86_400)));
    assert_eq!(orders.backup.grace, Duration::from_secs(21_600), "a quarter of the cadence");
    assert_eq!(orders.checks.len(), 2);
    let Question::Newest { age, .. } = &orders.checks[0].question else { panic!("{:?}", orders.checks[0]) };
    assert_eq!(*age, Duration::from_secs(3600));
    assert_eq!(orders.checks[1].timeout, Duration::from_secs(60));
    assert!(!orders.content_only && !orders.backup.accept_unanchored);
    let bytes = fs::read("fixtures/plans/good/model.toml").unwrap();
    assert_eq!(plan.digest, firedrill::digest::Digest::of(&bytes));
}

#[test]
fn evidence_is_signed_by_a_key_or_the_plan_says_that_it_is_not() {
    let with = |evidence: &str| {
        let service = "[service.a]\nchecks = \"content only\"\nbackup = { location = \"file:///srv/a\" }\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.toml");
        fs::write(&path, format!("{evidence}\n{service}")).unwrap();
        plan::load(&path).map(|plan| (plan.evidence, folder.path().to_owned())).map_err(|f| shown(&f))
    };
    let (unsaid, _) = with("").unwrap();
    assert_eq!((unsaid.signing, unsaid.directory, unsaid.remote), (Signing::Unsaid, None, None));
    assert_eq!(with("evidence.sign = false").unwrap().0.signing, Signing::Declined);
    let (file, folder) = with("evidence.key = \"keys/evidence.key\"").unwrap();
    assert_eq!(file.signing, Signing::By(KeySource::File(folder.join("keys/evidence.key"))));
    let (variable, _) = with("evidence = { key_env = \"EVIDENCE_KEY\", sign = true }").unwrap();
    assert_eq!(variable.signing, Signing::By(KeySource::Variable("EVIDENCE_KEY".into())));
    let (credential, _) = with("evidence.key_credential = \"evidence.key\"").unwrap();
    assert_eq!(credential.signing, Signing::By(KeySource::Credential("evidence.key".into())));
    for keyless in ["[evidence]", "evidence.sign = true", "evidence.directory = \"kept\""] {
        let said = with(keyless).unwrap_err();
        assert!(said.contains("nothing signs the evidence; make a key with 'firedrill keygen'"), "{said}");
    }
}

#[test]
fn defaults_are_filled_in_and_services_keep_their_order() {
    let least = good("least.toml");
    let service = least.service("least").unwrap();
    assert_eq!(service.deadline, Duration::from_secs(7200), "two hours without an objective");
    assert_eq!(service.backup.pattern, Pattern::everything());
    assert_eq!(service.backup.select, Select::Latest);
    assert_eq!(service.backup.written_within, Duration::from_secs(86_400));
    assert_eq!(
        (service.scratch.settings, service.scratch.isolation),
        (Settings::Durable, Isolation::Required)
    );
    assert!(service.content_only && service.checks.is_empty());

    let full = good("full.toml");
    let names: Vec<&str> = full.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["zebra", "apple", "Mango"]);
    let zebra = full.service("zebra").unwrap();
    assert_eq!(zebra.deadline, Duration::from_secs(16 * 3600), "four times the objective");
    assert_eq!(zebra.backup.store.profile.as_deref(), Some("backups"));
    let certificates = zebra.backup.store.ca_file.clone().unwrap();
    assert!(certificates.is_absolute() && certificates.ends_with("fixtures/plans/good/certificates/ca.pem"));
    assert!(full.service("orders").is_none());
}

#[test]
fn a_derived_deadline_is_never_below_half_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    fs::write(&path, "[service.a]\nrto = '5m'\nchecks = 'content only'\nbackup.location = 'file:///a'\n")
        .unwrap();
    assert_eq!(plan::load(&path).unwrap().services[0].deadline, Duration::from_secs(1800));
}

#[test]
fn a_file_that_others_may_write_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    fs::copy("fixtures/plans/good/least.toml", &path).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&path, 0o644);
    plan::load(&path).expect("the intact one is read");
    mode(&path, 0o646);
    assert!(
        shown(&plan::load(&path).unwrap_err()).contains("plan.toml: everybody may write it; run chmod o-w")
    );
    mode(&path, 0o644);
    mode(folder.path(), 0o777);
    assert!(shown(&plan::load(&path).unwrap_err()).contains("everybody may put another file in its place"));
    mode(folder.path(), 0o1777);
    plan::load(&path).expect("a sticky directory keeps others from it");
}

#[test]
fn what_is_no_readable_text_is_one_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("binary"), b"a = 1\n\xff\xfe").unwrap();
    fs::write(path("large"), " ".repeat((1 << 20) + 1)).unwrap();
    fs::write(path("nul"), "a = \"\0\"").unwrap();
    nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let table = [
        (path("absent"), "it can't be read: there is no such file; look at the path"),
        (folder.path().to_owned(), "it is not a file; name a regular file"),
        (path("pipe"), "it is not a file; name a regular file"),
        (path("binary"), "line 2 is not UTF-8; save the file as UTF-8"),
        (path("large"), "it is larger than 1 MiB; split the plan"),
        (path("nul"), ":1:6: this is not TOML"),
    ];
    for (path, says) in table {
        let faults = plan::load(&path).unwrap_err();
        assert_eq!(faults.len(), 1, "{}", shown(&faults));
        assert!(shown(&faults).contains(says), "{says}: {}", shown(&faults));
    }
}

#[test]
fn hostile_files_are_refused_quickly_and_at_bounded_length() {
    let service = "checks = 'content only'\nbackup.location = 'file:///a'\n";
    let many: String = (0..1001).map(|n| format!("[service.s{n}]\n{service}")).collect();
    let table = [
        (format!("[{}a]\nx = 1", "a.".repeat(500_000)), "recursion limit"),
        (format!("x = {}", "[".repeat(1_000_000)), "cannot recurse further"),
        (format!("x = {}", "{a=".repeat(300_000)), "cannot recurse further"),
        (
            (0..50_000).map(|n| format!("k{n} = 1\n")).collect(),
            "there are 49901 more faults; correct these first",
        ),
        (many, "there are 1001 services, and 1000 is the most"),
        (format!("{} = 1", "k".repeat(1_000_000)), "kkk…: unknown key"),
        ("\"\\u001b[31m\" = 1".into(), "\u{fffd}[31m"),
    ];
    for (text, says) in table {
        let faults = faults_of(&text);
        assert!(faults.len() <= 101, "{} faults", faults.len());
        let said = shown(&faults);
        assert!(said.contains(says), "{says}: {}", said.chars().take(500).collect::<String>());
        assert!(said.len() < 50_000 && !said.contains('\u{1b}'));
    }
}

#[test]
fn no_fault_repeats_a_secret() {
    let faults = plan::load(Path::new("fixtures/plans/bad/secrets.toml")).unwrap_err();
    assert!(faults.len() >= 8, "{}", shown(&faults));
    for secret in ["AKIA", "wJalr", "hunter2", "c2VjcmV0"] {
        assert!(!shown(&faults).contains(secret), "{secret} in {}", shown(&faults));
    }
}
