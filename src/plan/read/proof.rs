//! A `[service.NAME.proof]` table.

use std::path::PathBuf;

use crate::plan::fault::Complaint;
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::read::{Context, text};
use crate::plan::{Amcheck, Proof, ReadBack, StampDemand};

/// How many keys a plan may name.
const STAMP_KEYS_MAX: usize = 8;

/// Reads the table.
pub fn read(mut table: Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Proof {
    let amcheck = table.take_bool("amcheck", faults).unwrap_or(false);
    let all_indexed = table.take_bool("heapallindexed", faults).unwrap_or(false);
    if all_indexed && !amcheck {
        let problem = "'heapallindexed' is a part of amcheck, which is off";
        faults.add(table.place(), table.path(), Complaint::new(problem, "write amcheck = true, too"));
    }
    let revalidate = table.take_bool("revalidate", faults).unwrap_or(false);
    let read_back = table.take_text("read_back", faults, ReadBack::parse).unwrap_or_default();
    let demands = [StampDemand::Optional, StampDemand::Required, StampDemand::Signed];
    let demands = demands.map(|demand| (demand.as_str(), demand));
    let stamp = table.take_text("stamp", faults, |word| text::one_of(word, &demands)).unwrap_or_default();
    let stamp_keys = read_stamp_keys(&mut table, context, faults);
    if stamp == StampDemand::Signed && stamp_keys.is_empty() {
        let problem = "a stamp must be signed, and there is no key that it could be signed by";
        let remedy = "write stamp_key = \"FILE.pub\", the public key of the machine that takes the backups";
        faults.add(table.place(), table.path(), Complaint::new(problem, remedy));
    }
    table.finish(faults);
    let amcheck = match (amcheck, all_indexed) {
        (true, true) => Amcheck::HeapAllIndexed,
        (true, false) => Amcheck::On,
        (false, _) => Amcheck::Off,
    };
    Proof { amcheck, revalidate, read_back, stamp, stamp_keys }
}

/// One file, or a list of them, as while keys are changed.
fn read_stamp_keys(table: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Vec<PathBuf> {
    let one = table.take_text("stamp_key", faults, |path| text::path(path, context.base));
    let what = "write stamp_keys = [\"NEW.pub\", \"OLD.pub\"]";
    let items = table.take_array("stamp_keys", faults, what).unwrap_or_default();
    if let Some(item) = items.get(STAMP_KEYS_MAX) {
        item.fault(faults, Complaint::new("there are more than 8 keys", "name fewer"));
    }
    let more = items.iter().take(STAMP_KEYS_MAX);
    let more = more.filter_map(|item| item.text(faults, |path| text::path(path, context.base)));
    one.into_iter().chain(more).collect()
}
