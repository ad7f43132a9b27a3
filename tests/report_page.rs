//! The page as a browser meets it.

// Helpers count as tests by this, and may unwrap like them.
#![cfg(test)]

#[path = "report_support/browser.rs"]
mod browser;
#[path = "report_support/dom.rs"]
mod dom;
#[path = "support/parts.rs"]
#[expect(dead_code, reason = "no server is started here")]
mod parts;
mod report_support;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dom::{Element, elements};
use firedrill::judge::pronounce;
use firedrill::record::*;
use firedrill::report::html::{Shown, page};
use firedrill::report::stored::{self, Series};
use flate2::read::ZlibDecoder;
use jiff::{SignedDuration, Timestamp};
use report_support::*;
use tempfile::TempDir;

/// A page on the disk.
struct Page {
    _folder: TempDir,
    path: PathBuf,
    html: String,
}

fn written(html: String) -> Page {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    fs::write(&path, &html).unwrap();
    Page { _folder: folder, path, html }
}

fn page_of(series: &[Series], now: Timestamp) -> Page {
    written(page(Shown { series, now, age_max: None, stocks: &Default::default(), notes: &[] }).unwrap())
}

/// Services that stand in every way there is, with a month of drills.
fn month() -> Page {
    let evidence = Evidence::new();
    let mut orders: Vec<Record> = (0..30).map(|number| night("orders", number)).collect();
    for (number, record) in orders.iter_mut().enumerate() {
        slower(record, number as u64 * 7_919 % 60_000);
    }
    halted(&mut orders[11]);
    different(&mut orders[19]);
    evidence.append("orders", orders);
    let mut billing = vec![night("billing", 28), night("billing", 29)];
    different(&mut billing[1]);
    evidence.append("billing", billing);
    let mut crm = vec![night("crm", 29)];
    halted(&mut crm[0]);
    evidence.append("crm", crm);
    evidence.append("wiki", vec![night("wiki", 3)]);
    let mut series = stored::all(evidence.root(), &[]).unwrap();
    series.push(Series::none("archive"));
    page_of(&series, end_of_the_golden_night() + SignedDuration::from_hours(24 * 29 + 3))
}

/// Two hundred names that hurt, each of which would call home if it were let.
fn hostile_names(home: &str) -> Vec<String> {
    let payloads = [
        "<script>fetch('HOME')</script>",
        "<script src=HOME></script>",
        "<img src=HOME onerror=alert(1)>",
        "<svg onload=fetch('HOME')>",
        "<svg><script href=HOME /></svg>",
        "<iframe src=HOME></iframe>",
        "<object data=HOME></object>",
        "<link rel=stylesheet href=HOME>",
        "<link rel=prefetch href=HOME>",
        "<style>@import 'HOME';</style>",
        "<meta http-equiv=refresh content='0;url=HOME'>",
        "<base href=HOME>",
        "<form action=HOME><input autofocus onfocus=submit()>",
        "<video src=HOME autoplay></video>",
        "<body onload=fetch('HOME')>",
        "<a href=javascript:fetch('HOME')>x</a>",
        "<math href=HOME>x</math>",
        "<details open ontoggle=fetch('HOME')>",
        "<marquee onstart=fetch('HOME')>",
        "<input type=image src=HOME>",
        "<template><script>fetch('HOME')</script></template>",
        "<noscript><img src=HOME></noscript>",
        "<plaintext>",
        "<textarea>",
        "<!--",
        "]]><script>fetch('HOME')</script>",
        "&lt;script&gt;fetch('HOME')&lt;/script&gt;",
        "&#60;script&#62;",
        "onmouseover=fetch('HOME') x=",
        "style=background:url(HOME)",
        "url(HOME)",
        "{{ 7 * 7 }}{% include 'x' %}",
        "\u{202e}<script>\u{2066}",
        "\0<script>fetch('HOME')</script>",
        "\u{1b}]8;;HOME\u{7}x",
        "<\u{200b}script>fetch('HOME')</script>",
        "＜script＞",
        "\u{fffe}\u{ffff}<b>",
        "a\nb\r\n<b>\tc",
        "<use href='HOME#x'/>",
    ];
    let openings = ["", "\">", "'>", "</title></style></script>-->", "</text></svg></table>"];
    let names = payloads.iter().flat_map(|payload| openings.map(|open| format!("{open}{payload}")));
    names.map(|name| name.replace("HOME", home)).collect()
}

/// An address, and how often somebody called there; every call is ended at once.
fn a_home_to_call() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let home = format!("http://{}/x", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let heard = calls.clone();
    std::thread::spawn(move || {
        listener.incoming().for_each(|_| {
            heard.fetch_add(1, Ordering::SeqCst);
        });
    });
    (home, calls)
}

/// A page in which everything that can have a name has a hostile one.
fn hostile_page(names: &[String]) -> Page {
    let mut series = Vec::new();
    for name in names {
        let mut record = with_text_everywhere(name);
        record.service.id.clone_from(name);
        pronounce(&mut record);
        series.push(Series::of_one(&record));
    }
    let first = series.first_mut().unwrap().newest.as_mut().unwrap();
    let proof = first.record.fidelity.as_mut().unwrap();
    let table = proof.tables[0].clone();
    let named = |name: &String| TableRecord { name: name.clone(), ..table.clone() };
    *proof = Fidelity::of(proof.compared_to, names.iter().map(named).collect());
    series.last_mut().unwrap().faults = names.to_vec();
    series.last_mut().unwrap().faults_total = names.len() as u64;
    page_of(&series, end_of_the_golden_night())
}

const ELEMENTS: &[&str] = &[
    "a",
    "article",
    "b",
    "body",
    "caption",
    "circle",
    "code",
    "dd",
    "desc",
    "details",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "li",
    "line",
    "link",
    "main",
    "meta",
    "p",
    "path",
    "rect",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
];

const ATTRIBUTES: &[&str] = &[
    "aria-hidden",
    "aria-label",
    "charset",
    "class",
    "content",
    "cx",
    "cy",
    "d",
    "data-name",
    "datetime",
    "dy",
    "focusable",
    "height",
    "href",
    "http-equiv",
    "id",
    "lang",
    "name",
    "preserveAspectRatio",
    "r",
    "rel",
    "role",
    "scope",
    "stroke-dasharray",
    "tabindex",
    "transform",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

/// What is in the document that the templates did not put there.
fn strangers(elements: &[Element]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for element in elements {
        if !ELEMENTS.contains(&element.name.as_str()) {
            found.insert(format!("<{}>", element.name));
        }
        for (name, value) in &element.attributes {
            let fits = match name.as_str() {
                "href" if element.name == "a" => value.starts_with("#service-"),
                "href" => element.name == "link" && value.starts_with("data:image/svg+xml,"),
                "class" | "id" | "d" | "x" | "y" | "width" | "height" | "transform" | "viewBox" => {
                    value.chars().all(|c| c.is_ascii_alphanumeric() || " -.(),".contains(c))
                }
                other => ATTRIBUTES.contains(&other),
            };
            if !fits {
                found.insert(format!("<{} {name}={value:?}>", element.name));
            }
        }
    }
    found
}

#[test]
fn a_browser_opens_the_page_without_a_complaint() {
    let page = month();
    let opened = browser::open(&page.path);
    assert_eq!(opened.console, Vec::<String>::new());
    assert_eq!(strangers(&elements(&opened.dom)), BTreeSet::new());
    for part in [
        "Where the time went",
        "What a loss would have cost",
        "Over the drills",
        "Tables",
        "Checks",
        "Provenance",
        "Controls",
    ] {
        assert!(opened.dom.contains(part), "{part}");
    }
    for word in ["Passed, with a warning", "Failed", "Inconclusive", "Out of date", "Never drilled"] {
        assert!(opened.dom.contains(word), "{word}");
    }
}

/// The two tests above and below would see what they look for.
#[test]
fn a_script_and_a_refused_style_are_seen() {
    let good = month().html;
    let page = written(good.replace("<main>", "<main><script>alert(1)</script><p style=\"color:red\">x</p>"));
    let opened = browser::open(&page.path);
    assert_eq!(opened.console.len(), 2, "{:#?}", opened.console);
    let strangers = strangers(&elements(&opened.dom));
    assert!(strangers.contains("<script>"), "{strangers:?}");
    assert!(strangers.iter().any(|one| one.starts_with("<p style=")), "{strangers:?}");
}

#[test]
fn two_hundred_hostile_names_are_inert_and_nobody_is_called() {
    let (home, calls) = a_home_to_call();
    let bait = written(format!("<!doctype html><title>x</title><img src={home}>"));
    browser::open(&bait.path);
    assert!(calls.swap(0, Ordering::SeqCst) > 0, "who calls is heard");

    let names = hostile_names(&home);
    assert_eq!(names.len(), 200);
    let page = hostile_page(&names);
    let opened = browser::open(&page.path);
    assert_eq!(calls.load(Ordering::SeqCst), 0, "somebody was called");
    assert_eq!(opened.console, Vec::<String>::new());
    assert_eq!(strangers(&elements(&opened.dom)), BTreeSet::new());
    assert!(opened.dom.contains("&lt;script&gt;fetch("), "the names are there to be read");
    let steers = |c: char| {
        c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!page.html.contains(steers));
}

#[test]
fn names_of_five_thousand_bytes_are_cut() {
    let name = "x".repeat(5_000);
    let page = hostile_page(&[name]);
    assert!(!page.html.contains(&"x".repeat(700)));
    assert!(page.html.len() < 200_000, "{}", page.html.len());
}

/// How much of a picture differs from its surroundings: the share of bytes that PNG's filters
/// could not predict.
fn liveliness(png: &[u8]) -> f64 {
    let mut data = Vec::new();
    let mut rest = &png[8..];
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if &rest[4..8] == b"IDAT" {
            data.extend_from_slice(&rest[8..8 + length]);
        }
        rest = &rest[12 + length..];
    }
    let mut pixels = Vec::new();
    std::io::Read::read_to_end(&mut ZlibDecoder::new(data.as_slice()), &mut pixels).unwrap();
    pixels.iter().filter(|byte| **byte != 0).count() as f64 / pixels.len() as f64
}

#[test]
fn the_page_is_not_blank_on_any_screen_nor_on_paper() {
    let blank = written("<!doctype html><title>x</title>".to_owned());
    let nothing = liveliness(&browser::picture(&blank.path, 400, 400));
    let page = month();
    for (width, height) in [(1280, 1600), (500, 1600)] {
        let something = liveliness(&browser::picture(&page.path, width, height));
        assert!(something > nothing + 0.02, "{width}: {something} against {nothing}");
    }
    let printed = browser::print(&page.path);
    assert!(printed.starts_with(b"%PDF-") && printed.len() > 50_000, "{} bytes", printed.len());
}

#[test]
fn the_policy_allows_the_pages_own_style_and_nothing_else() {
    let html = month().html;
    let policy = html.split_once("http-equiv=\"Content-Security-Policy\" content=\"").unwrap().1;
    let policy = policy.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
    assert_eq!(html.matches("<style>").count(), 1);
    assert!(!html.contains("<script") && !html.contains(" style="), "nothing the policy would refuse");
}

#[test]
fn only_the_style_is_put_into_the_page_as_it_is() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/html/templates");
    let mut raw = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        raw.extend(text.match_indices("|safe").map(|_| path.file_name().unwrap().to_owned()));
        assert!(!text.contains("escape("), "{}", path.display());
    }
    assert_eq!(raw, ["head.html"]);
}

#[test]
fn what_was_not_measured_is_never_shown_as_nothing() {
    let mut record = night("orders", 0);
    halted(&mut record);
    pronounce(&mut record);
    let html = page_of(&[Series::of_one(&record)], end_of_the_golden_night()).html;
    assert!(html.contains("<b class=\"absent\">not measured</b> <span>objective 4h</span>"), "{html}");
    assert!(html.contains("The recovery time was not measured"));
    for nothing in [">0 B<", ">0 ms<", ">0.0s<", ">0s<"] {
        assert!(!html.contains(nothing), "{nothing}");
    }
}

#[test]
fn an_old_pass_and_a_damaged_one_are_not_shown_as_passes() {
    let evidence = Evidence::of("orders", vec![night("orders", 0), night("orders", 1)]);
    let all = || stored::all(evidence.root(), &[]).unwrap();
    let now = end_of_the_golden_night() + SignedDuration::from_hours(24 * 2);
    assert!(page_of(&all(), now).html.contains("<h1>The backup of orders came back.</h1>"));

    let later = now + SignedDuration::from_hours(24 * 7);
    let html = page_of(&all(), later).html;
    assert!(html.contains("<h1>The newest drill of orders is out of date.</h1>"));
    assert!(html.contains("The newest record is 8d00h old, and may be 26h."), "{html}");

    let first =
        fs::read_dir(evidence.root().join("orders")).unwrap().map(|f| f.unwrap().path()).min().unwrap();
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, text.replacen("\"rows\":300000", "\"rows\":300001", 1)).unwrap();
    let html = page_of(&all(), now).html;
    assert!(html.contains("<h1>The evidence of orders is not sound.</h1>"), "{html}");
    assert!(!html.contains("<strong>Passed"));
}

#[test]
fn backups_that_drills_have_seen_are_drawn_with_what_came_of_them() {
    let html = month().html;
    assert!(html.contains("The 30 backups that drills have seen; the store may hold more."), "{html}");
    for (class, count) in [("proven", 28), ("refuted", 1), ("unproven", 1)] {
        let orders = html.split_once("id=\"service-1\"").or(html.split_once("id=\"service-")).unwrap().1;
        let orders = html
            .split("<section class=\"detail\"")
            .find(|part| part.contains("The 30 backups"))
            .unwrap_or(orders);
        assert_eq!(orders.matches(&format!("<line class=\"{class}\"")).count(), count, "{class}");
    }
    assert!(html.contains("Newest proven backup</dt><dd><b>1h30m</b>"), "{html}");
    assert!(html.contains("Worst loss, only proven</dt><dd><b>"), "{html}");
}

#[test]
fn a_page_of_the_same_drills_at_the_same_moment_is_the_same() {
    let mut record = night("orders", 0);
    pronounce(&mut record);
    let series = [Series::of_one(&record)];
    let now = end_of_the_golden_night();
    assert_eq!(page_of(&series, now).html, page_of(&series, now).html);
}
