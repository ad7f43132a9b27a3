//! From the file as written to the plan as meant, with every fault on the way.

mod backup;
mod check;
mod decrypt;
mod drift;
mod evidence;
mod faults;
mod key_source;
mod nearest;
mod proof;
mod scratch;
mod secret;
mod service;
mod store;
mod table;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use toml::de::DeTable;

use crate::digest::Digest;
use crate::plan::fault::{Complaint, Fault, shortened};
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::{Plan, Service};
use crate::store::Options;

/// How many services a plan may have.
pub const SERVICES_MAX: usize = 1000;

/// How deep a plan nests at most: `service.NAME.check[1].KEY`, and some.
const DEPTH_MAX: usize = 8;

/// Reads a plan from the text of `path`.
///
/// # Errors
/// Every fault of the file, by line; at most a hundred.
pub fn read(path: &Path, text: &str) -> Result<Plan, Vec<Fault>> {
    let mut faults = Faults::new(path.into(), text);
    if let Some(plan) = read_document(path, text, &mut faults)
        && faults.len() == 0
    {
        return Ok(plan);
    }
    Err(faults.finish())
}

fn read_document(path: &Path, text: &str, faults: &mut Faults) -> Option<Plan> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        faults.add_syntax(text, error.span(), error.message());
    }
    if !errors.is_empty() {
        return None;
    }
    table::hide_secrets("", document.get_ref(), DEPTH_MAX, faults);
    let mut top = Table::new("", 0, document.get_ref());
    let file = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let base = file.parent().unwrap_or(Path::new("/"));
    let stores =
        top.take_table("store", faults).map(|table| read_stores(table, base, faults)).unwrap_or_default();
    let context = Context { stores: &stores, base };
    let evidence = top.take_table("evidence", faults).map(|table| evidence::read(table, &context, faults));
    let services = read_services(&mut top, &context, faults);
    top.finish(faults);
    let stores = stores.into_iter().filter_map(|(name, options)| Some((name, options?))).collect();
    let evidence = evidence.unwrap_or_default();
    Some(Plan { path: path.into(), digest: Digest::of(text.as_bytes()), stores, evidence, services })
}

/// What a table may refer to.
struct Context<'c> {
    /// Each store; `None` for one that has faults of its own.
    stores: &'c BTreeMap<String, Option<Options>>,
    /// The directory of the plan, to which paths in it are relative.
    base: &'c Path,
}

fn read_stores(mut table: Table<'_>, base: &Path, faults: &mut Faults) -> BTreeMap<String, Option<Options>> {
    let mut stores = BTreeMap::new();
    for (name, item) in table.take_all() {
        if let Err(complaint) = text::name(name) {
            item.fault(faults, complaint);
        }
        let options = item.table(faults).and_then(|table| store::read(table, base, faults));
        stores.insert(name.to_owned(), options);
    }
    stores
}

fn read_services(top: &mut Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Vec<Service> {
    let Some(item) = top.take("service") else {
        top.missing("service", "add a [service.NAME] table", faults);
        return Vec::new();
    };
    let Some(mut table) = item.table(faults) else { return Vec::new() };
    let items = table.take_all();
    if items.is_empty() {
        item.fault(faults, Complaint::new("there is no service", "add a [service.NAME] table"));
    }
    if items.len() > SERVICES_MAX {
        let problem = format!("there are {} services, and {SERVICES_MAX} is the most", items.len());
        item.fault(faults, Complaint::new(problem, "split the plan into several files"));
        return Vec::new();
    }
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut services = Vec::new();
    for (name, item) in items {
        if let Err(complaint) = text::name(name) {
            item.fault(faults, complaint);
        }
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            let problem = format!("'{}' and '{}' differ in case only", shortened(other), shortened(name));
            item.fault(
                faults,
                Complaint::new(problem, "rename one; their evidence would share a directory on some disks"),
            );
        }
        let before = faults.len();
        match item.table(faults).and_then(|table| service::read(name, table, context, faults)) {
            Some(service) => services.push(service),
            // a service that is left out must never be left out in silence
            None if faults.len() == before => {
                item.fault(
                    faults,
                    Complaint::new("it can't be understood", "report this as a bug of firedrill"),
                );
            }
            None => {}
        }
    }
    services
}
