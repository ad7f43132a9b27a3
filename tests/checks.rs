//! The plan's own questions, each put to a real restored database: one that is well passes, and
//! each that is not turns the verdict.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "support/database.rs"]
mod database;
#[path = "support/drill.rs"]
mod drill;
#[path = "support/postgres.rs"]
mod postgres;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firedrill::record::{CheckKind, CheckOutcome, CheckRecord, Record};
use firedrill::verdict::{Code, Verdict};

use crate::database::Source;
use crate::drill::{Service, Yard, codes, told, warnings};
use crate::postgres::{own_install, parent};

/// A small shop, in order.
const SHOP: &str = "
create schema \"Odd.Schema\";
create table customers (id serial primary key, name text);
create table orders (id bigint generated always as identity primary key,
                     customer int references customers, second int, placed_at timestamptz default now());
create table lines (a int, b int, primary key (a, b));
create table parts (a int, b int, foreign key (a, b) references lines match full);
create table \"Odd.Schema\".\"a b\" (n smallserial);
insert into customers (name) select 'canary-' || g from generate_series(1, 40) g;
insert into orders (customer) select g from generate_series(1, 40) g;
insert into orders (customer) values (null);
insert into lines select g, g from generate_series(1, 10) g;
insert into parts select g, g from generate_series(1, 10) g;
insert into parts values (null, null);
insert into \"Odd.Schema\".\"a b\" default values;
";

/// Dumps the shop, and what each script makes of it.
async fn shops<const N: usize>(scripts: [&str; N]) -> [Vec<u8>; N] {
    let place = parent();
    let source = Source::start(place.path()).await;
    let mut dumps = Vec::new();
    for (index, script) in scripts.iter().enumerate() {
        let name = format!("shop{index}");
        source.create(&name, "", &format!("{SHOP}{script}")).await;
        dumps.push(source.dump(&name, &[], &[]));
    }
    source.cluster.stop().await.unwrap();
    dumps.try_into().unwrap()
}

fn item<'r>(record: &'r Record, name: &str) -> &'r CheckRecord {
    let items = &record.checks.as_ref().unwrap_or_else(|| panic!("{}", told(record))).items;
    items.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("no '{name}' in {items:#?}"))
}

fn observed(item: &CheckRecord) -> &str {
    item.observed.as_ref().map_or("", |observed| observed.as_str())
}

/// The checks that come by a name, and those of rows.
fn templates(service: Service) -> Service {
    service
        .check_of("name = 'rows'\nrows = { 'public.customers' = '= 40', '\"Odd.Schema\".\"a b\"' = 'between 1 and 2' }")
        .check_of("name = 'has rows'\ntemplate = 'has-rows'\ntables = ['public.lines']")
        .check_of("name = 'fresh'\ntemplate = 'fresh'\ntable = 'public.orders'\ncolumn = 'placed_at'\nnewest = '1h'")
        .check_of("name = 'orphans'\ntemplate = 'no-orphans'")
        .check_of("name = 'orphans of parts'\ntemplate = 'no-orphans'\ntables = ['public.parts']")
        .check_of("name = 'sequences'\ntemplate = 'sequence-ahead'")
        .check_of("name = 'sequence'\ntemplate = 'sequence-ahead'\ntables = ['public.orders']")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_template_passes_on_a_sound_database_and_fails_on_one_that_is_not() {
    let damages = [
        ("sound", "", None),
        ("rows", "delete from orders where customer = 40; delete from customers where id = 40", Some("rows: public.customers")),
        ("emptied", "truncate lines cascade", Some("has rows")),
        ("stale", "update orders set placed_at = now() - interval '2 hours'", Some("fresh")),
        ("future", "update orders set placed_at = now() + interval '1 day' where id = 1", Some("fresh")),
        (
            "orphans",
            "alter table orders drop constraint orders_customer_fkey; update orders set customer = 99 where id < 4;
             alter table orders add constraint gone foreign key (customer) references customers not valid",
            Some("orphans"),
        ),
        (
            "half",
            "alter table parts drop constraint parts_a_b_fkey; insert into parts values (7, null);
             alter table parts add constraint full_key foreign key (a, b) references lines match full not valid",
            Some("orphans of parts"),
        ),
        ("behind", "select setval('customers_id_seq', 39)", Some("sequences")),
        ("not called", "select setval('orders_id_seq', 41, false)", Some("sequence")),
    ];
    let dumps = shops(damages.map(|(_, script, _)| script)).await;
    let services = damages
        .iter()
        .zip(&dumps)
        .enumerate()
        .map(|(index, (_, dump))| templates(Service::new(&format!("shop{index}"), dump).vouched()));
    let ran = Yard::of(services).run().await;
    for (index, (name, _, fails)) in damages.iter().enumerate() {
        let record = ran.of(&format!("shop{index}"));
        let Some(fails) = fails else {
            assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(record));
            let checks = record.checks.as_ref().unwrap();
            assert_eq!((checks.planned, checks.passed), (8, 8));
            assert_eq!(observed(item(record, "rows: public.customers")), "40");
            assert_eq!(observed(item(record, "orphans")), "0 in 2 foreign keys");
            assert_eq!(observed(item(record, "sequences")), "0 of 3 behind");
            assert_eq!(item(record, "sequences").kind, CheckKind::SequenceAhead);
            continue;
        };
        assert_eq!(record.verdict.result.0, Verdict::Fail, "{name}: {}", told(record));
        assert!(codes(record).contains(&Code::CheckFailed), "{name}: {}", told(record));
        assert_eq!(item(record, fails).outcome, CheckOutcome::Fail, "{name}: {:#?}", item(record, fails));
        assert!(!format!("{record:?}").contains("canary-"), "{name}: a row stands in the record");
    }
    let orphans = item(ran.of("shop5"), "orphans");
    assert_eq!(observed(orphans), "3 in 2 foreign keys: gone of public.orders");
    assert_eq!(observed(item(ran.of("shop7"), "sequences")), "1 of 3 behind: public.customers_id_seq");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_finds_nothing_to_look_at_is_no_pass() {
    let place = parent();
    let source = Source::start(place.path()).await;
    source.create("bare", "", "create table t as select 1 as a").await;
    let bare = source.dump("bare", &[], &[]);
    source.cluster.stop().await.unwrap();
    let service = Service::new("bare", &bare)
        .vouched()
        .check_of("name = 'orphans'\ntemplate = 'no-orphans'")
        .check_of("name = 'orphans of t'\ntemplate = 'no-orphans'\ntables = ['public.t']")
        .check_of("name = 'sequences'\ntemplate = 'sequence-ahead'")
        .check_of("name = 'sequences of t'\ntemplate = 'sequence-ahead'\ntables = ['public.t']")
        .check_of("name = 'rows'\nrows = { 'public.gone' = '>= 0' }")
        .check_of("name = 'fresh'\ntemplate = 'fresh'\ntable = 'public.t'\ncolumn = 'a'\nnewest = '1h'");
    let record = drill::drill(service).await;
    assert_eq!(record.verdict.result.0, Verdict::Inconclusive, "{}", told(&record));
    let checks = record.checks.as_ref().unwrap();
    assert_eq!((checks.planned, checks.executed, checks.errored), (6, 6, 6), "{checks:#?}");
}

/// Words of a command, as the plan has them.
fn shell(script: &str) -> String {
    assert!(!script.contains("'''"));
    format!("command = ['/bin/sh', '-c', '''{script}''']")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_the_scratch_before_it_and_its_exit_code_decides() {
    use CheckOutcome::{Error, Fail, Pass};
    let [shop] = shops([""]).await;
    let psql = own_install().bin.join("psql");
    let psql = psql.display();
    let table: &[(&str, String, CheckOutcome, &str)] = &[
        (
            "rows",
            shell(&format!("test $({psql} -XAtc 'select count(*) from customers') = 40")),
            Pass,
            "exit code 0",
        ),
        ("prints", shell(&format!("{psql} -Xc 'table customers'")), Pass, "exit code 0"),
        ("says no", shell("echo no; exit 3"), Fail, "exit code 3"),
        ("nothing of ours", shell("test -z \"$HOME$CARGO$CARGO_MANIFEST_DIR$USER\""), Pass, "exit code 0"),
        ("not as root", shell("test $(id -u) != 0"), Pass, "exit code 0"),
        ("much", shell("head -c 3000000 /dev/zero"), Pass, "exit code 0"),
        ("not there", "command = ['/nowhere/smoke']".into(), Error, ""),
        ("shot", shell("kill -9 $$"), Error, ""),
        ("too slow", format!("{}\ntimeout = '1s'", shell("sleep 611 & sleep 612")), Error, ""),
        ("leaves one", shell("sleep 613 & exit 0"), Pass, "exit code 0"),
    ];
    let service = Service::new("shop", &shop).vouched();
    let service = table
        .iter()
        .fold(service, |service, (name, lines, ..)| service.check_of(&format!("name = '{name}'\n{lines}")));
    let began = Instant::now();
    let record = drill::drill(service).await;
    assert!(began.elapsed() < Duration::from_secs(120));
    for (name, _, outcome, value) in table {
        let item = item(&record, name);
        assert_eq!((item.outcome, observed(item)), (*outcome, *value), "{name}: {item:#?}");
        assert_eq!(item.kind, CheckKind::Command);
    }
    assert_eq!(item(&record, "much").output_bytes, Some(3_000_000));
    assert!(item(&record, "prints").output_bytes.unwrap() > 400);
    assert!(!format!("{record:?}").contains("canary-"), "a row stands in the record");
    // A wrong answer is the backup's fault; what could not be put is not.
    assert_eq!(codes(&record)[0], Code::CheckFailed);
    assert!(codes(&record).contains(&Code::CheckErrored));
    let survivors: Vec<String> = ["611", "612", "613"].iter().flat_map(|seconds| sleeping(seconds)).collect();
    assert_eq!(survivors, Vec::<String>::new(), "something of a command is still there");
}

/// Processes that are a `sleep` of so many seconds.
fn sleeping(seconds: &str) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        if command == format!("sleep\0{seconds}\0").as_bytes() {
            found.push(process.path().display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_may_write_and_no_other_check_sees_it() {
    let [shop] = shops([""]).await;
    let psql = own_install().bin.join("psql").display().to_string();
    let service = Service::new("shop", &shop)
        .vouched()
        .check_of(&format!("name = 'writes'\n{}", shell(&format!("{psql} -Xqc 'delete from orders'"))))
        .check_of("name = 'rows'\nrows = { 'public.orders' = '= 41' }");
    let record = drill::drill(service).await;
    assert_eq!(record.verdict.result.0, Verdict::Pass, "{}", told(&record));
    let names: Vec<&str> =
        record.checks.as_ref().unwrap().items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["writes", "rows"], "in the order of the plan, whatever came first");
}

/// Answers by the path that is asked for, and counts what was asked.
fn serve() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || _ = reply(stream, port));
        }
    });
    (port, asked)
}

fn reply(mut stream: TcpStream, port: u16) -> std::io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    };
    let answer = match path.as_str() {
        "/ok" => body("200 OK", "ready: canary-1\n"),
        "/number" => body("200 OK", "42\n"),
        "/broken" => body("500 Broken", "canary-2"),
        "/moved" => {
            format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/ok\r\nContent-Length: 0\r\n\r\n")
        }
        "/cut" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nready".into(),
        "/large" => body("200 OK", &"x".repeat(2 << 20)),
        _ => {
            std::thread::sleep(Duration::from_secs(20));
            String::new()
        }
    };
    stream.write_all(answer.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_asked_once_and_followed_nowhere() {
    use CheckOutcome::{Error, Fail, Pass};
    let [shop] = shops([""]).await;
    let (port, asked) = serve();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let table: &[(&str, &str, CheckOutcome, &str)] = &[
        ("/ok", "", Pass, "status 200"),
        ("/ok", "body = \"matches '^ready'\"", Pass, "status 200, and such a body"),
        ("/ok", "body = \"matches '^done'\"", Fail, "status 200, and another body"),
        ("/number", "body = '>= 42'", Pass, "status 200, and such a body"),
        ("/ok", "body = '>= 42'", Error, "status 200"),
        ("/broken", "", Fail, "status 500"),
        ("/broken", "status = 500", Pass, "status 500"),
        ("/moved", "", Fail, "status 302"),
        ("/cut", "body = \"matches 'ready'\"", Error, ""),
        ("/large", "body = \"matches 'x'\"", Error, ""),
        ("/silent", "timeout = '1s'", Error, ""),
    ];
    let mut service = Service::new("shop", &shop).vouched();
    for (index, (path, lines, ..)) in table.iter().enumerate() {
        service =
            service.check_of(&format!("name = '{index}'\nhttp = 'http://127.0.0.1:{port}{path}'\n{lines}"));
    }
    let service = service.check_of(&format!("name = 'closed'\nhttp = 'http://127.0.0.1:{closed}/'"));
    let record = drill::drill(service).await;
    for (index, (path, lines, outcome, value)) in table.iter().enumerate() {
        let item = item(&record, &index.to_string());
        assert_eq!((item.outcome, observed(item)), (*outcome, *value), "{path} {lines}: {item:#?}");
    }
    assert_eq!(item(&record, "closed").outcome, Error);
    assert_eq!(asked.load(Ordering::SeqCst), table.len(), "each once, and the redirect not at all");
    assert!(!format!("{record:?}").contains("canary-"), "a body stands in the record");
    assert!(!format!("{record:?}").contains("/broken"), "an address stands in the record");
}

/// A yard whose backup is replaced between drills.
struct Nights {
    yard: Yard,
    night: u32,
}

impl Nights {
    fn of(service: Service) -> Nights {
        Nights { yard: Yard::of([service]), night: 0 }
    }

    async fn drill(&mut self, dump: &[u8]) -> Record {
        self.night += 1;
        let folder = self.yard.folder("shop");
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("backup-{}.dump", self.night)), dump).unwrap();
        self.yard.run().await.of("shop").clone()
    }

    fn newest_evidence(&self) -> std::path::PathBuf {
        let log = self.yard.state().path().join("evidence/shop");
        let mut files: Vec<_> = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.pop().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_measured_by_the_last_pass_and_by_no_other_drill() {
    let grow = "insert into customers (name) select 'x' from generate_series(1, 2)";
    let shrink = "delete from orders; delete from customers where id > 20";
    let [shop, grown, shrunk] = shops(["", grow, shrink]).await;
    let service = Service::new("shop", &[])
        .backups("backup-*.dump", Vec::new())
        .table("drift", "unchanged = 'warn'")
        .check_of("name = 'customers'\nrows = { 'public.customers' = 'within 5% of last' }")
        .check_of("name = 'never less'\nsql = 'select count(*) from customers'\nexpect = '>= last'");
    let mut nights = Nights::of(service);

    let first = nights.drill(&shop).await;
    assert_eq!(first.verdict.result.0, Verdict::Pass, "{}", told(&first));
    assert!(warnings(&first).contains(&"CHECK_WITHOUT_LAST"), "never in silence");
    let checks = first.checks.as_ref().unwrap();
    assert_eq!((checks.passed, checks.baseline), (0, 2), "{checks:#?}");

    let second = nights.drill(&grown).await;
    assert_eq!(second.verdict.result.0, Verdict::Pass, "{}", told(&second));
    assert!(!warnings(&second).contains(&"CHECK_WITHOUT_LAST"));
    let customers = item(&second, "customers");
    assert_eq!((observed(customers), customers.last.as_ref().unwrap().as_str()), ("42", "40"));

    for _ in 0..2 {
        let third = nights.drill(&shrunk).await;
        assert_eq!(
            third.verdict.result.0,
            Verdict::Fail,
            "a failed drill is nobody's measure: {}",
            told(&third)
        );
        assert_eq!(item(&third, "customers").last.as_ref().unwrap().as_str(), "42");
        assert_eq!(item(&third, "never less").outcome, CheckOutcome::Fail);
    }
    let fourth = nights.drill(&grown).await;
    assert_eq!(fourth.verdict.result.0, Verdict::Pass, "{}", told(&fourth));

    // Evidence that does not stand up any more is no measure either.
    let file = nights.newest_evidence();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"result\":\"pass\""));
    fs::write(&file, text.replace("\"rows_total\":", "\"rows_total\":1")).unwrap();
    let fifth = nights.drill(&grown).await;
    assert_eq!(
        item(&fifth, "customers").last.as_ref().unwrap().as_str(),
        "42",
        "the pass of the second night"
    );
}
