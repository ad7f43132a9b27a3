//! A `[service.NAME.proof]` table.

use crate::plan::fault::Complaint;
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::{Amcheck, Proof};

/// Reads the table.
pub fn read(mut table: Table<'_>, faults: &mut Faults) -> Proof {
    let amcheck = table.take_bool("amcheck", faults).unwrap_or(false);
    let all_indexed = table.take_bool("heapallindexed", faults).unwrap_or(false);
    if all_indexed && !amcheck {
        let problem = "'heapallindexed' is a part of amcheck, which is off";
        faults.add(table.place(), table.path(), Complaint::new(problem, "write amcheck = true, too"));
    }
    table.finish(faults);
    let amcheck = match (amcheck, all_indexed) {
        (true, true) => Amcheck::HeapAllIndexed,
        (true, false) => Amcheck::On,
        (false, _) => Amcheck::Off,
    };
    Proof { amcheck }
}
