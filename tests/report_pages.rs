//! The page as a browser meets it.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod report_support;

use firedrill::record::*;
use firedrill::report::html::{Shown, page};
use firedrill::report::stored;
use jiff::{SignedDuration, Timestamp};
use report_support::*;

#[test]
#[ignore = "for looking at"]
fn look() {
    let evidence = Evidence::new();
    let mut orders = Vec::new();
    for n in 0..30 {
        let mut r = night("orders", n);
        r.objectives.rto_ms = Some(Millis::new(2_400_000));
        slower(&mut r, (n as u64) * 9_000 + (n as u64 * 7919 % 13) * 14_000);
        let sel = r.selection.as_mut().unwrap().selected.as_mut().unwrap();
        let _ = sel;
        if n == 11 {
            halted(&mut r);
        }
        if n == 19 {
            different(&mut r);
        }
        if n == 29 {
            let f = r.fidelity.as_mut().unwrap();
            let mut tables = f.tables.clone();
            for i in 0..40u64 {
                let mut t = tables[1].clone();
                t.name = format!(
                    "shop.{}_{i:02}",
                    ["payment", "shipment", "audit_log", "session"][i as usize % 4]
                );
                t.rows = Some(123_456 * (i + 3));
                t.restored_rows = t.rows;
                t.bytes = Some(9_000_000 * (41 - i));
                tables.push(t);
            }
            let (a, b) = (f.large_objects.clone(), f.sequences.clone());
            *f = Fidelity::of(f.compared_to, tables);
            f.large_objects = a;
            f.sequences = b;
        }
        orders.push(r);
    }
    evidence.append("orders", orders);
    let mut b: Vec<_> = (0..6).map(|n| night("billing", n + 24)).collect();
    different(b.last_mut().unwrap());
    evidence.append("billing", b);
    let mut c: Vec<_> = (0..4).map(|n| night("crm", n + 26)).collect();
    halted(c.last_mut().unwrap());
    evidence.append("crm", c);
    evidence.append("wiki", (0..3).map(|n| night("wiki", n + 10)).collect());
    let now: Timestamp = end_of_the_golden_night() + SignedDuration::from_hours(24 * 29 + 3);
    let mut all = stored::all(evidence.root(), &[]).unwrap();
    for s in &all {
        println!(
            "{} {:?} {:?}",
            s.service,
            s.faults,
            s.drills.iter().map(|d| d.verdict.as_str()).collect::<Vec<_>>()
        );
    }
    all.sort_by_key(|s| ["orders", "billing", "crm", "wiki"].iter().position(|n| *n == s.service));
    std::fs::create_dir_all("/tmp/fd-pages").unwrap();
    std::fs::write("/tmp/fd-pages/many.html", page(Shown { series: &all, now, age_max: None }).unwrap())
        .unwrap();
    std::fs::write("/tmp/fd-pages/one.html", page(Shown { series: &all[..1], now, age_max: None }).unwrap())
        .unwrap();
    std::fs::write("/tmp/fd-pages/bad.html", page(Shown { series: &all[1..2], now, age_max: None }).unwrap())
        .unwrap();
}
