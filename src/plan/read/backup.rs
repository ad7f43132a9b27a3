//! A `[service.NAME.backup]` table.

use std::time::Duration;

use crate::plan::fault::{Complaint, shortened};
use crate::plan::read::faults::Faults;
use crate::plan::read::nearest::nearest;
use crate::plan::read::table::Table;
use crate::plan::read::{Context, decrypt, store, text};
use crate::plan::{Backup, Pattern, Select};
use crate::store::{Location, Options};

/// The least grace that is derived from a cadence.
const GRACE_MIN: Duration = Duration::from_secs(15 * 60);

/// How long after the moment in its name an object may still have been written, by default.
const WRITTEN_WITHIN: Duration = Duration::from_secs(86_400);

/// Reads a backup; `None` without a location.
pub fn read(mut table: Table<'_>, context: &Context<'_>, faults: &mut Faults) -> Option<Backup> {
    if !table.has("location") {
        table.missing(
            "location",
            "write s3://BUCKET/PREFIX/, az://ACCOUNT/CONTAINER/PREFIX/ or file:///PATH/",
            faults,
        );
    }
    let location = table.take_text("location", faults, read_location);
    let (store_name, store) = read_store(&mut table, location.as_ref(), context, faults);
    let pattern = read_pattern(&mut table, faults);
    let select = table.take_text("select", faults, read_select).unwrap_or(Select::Latest);
    let (every, grace) = read_cadence(&mut table, pattern.as_ref(), faults);
    let written_within = table.take_duration("written_within", faults).unwrap_or(WRITTEN_WITHIN);
    let dump_timezone = table.take_text("dump_timezone", faults, text::timezone);
    let database = table.take_text("database", faults, text::line);
    let accept_unanchored = table.take_bool("accept_unanchored", faults).unwrap_or_default();
    let decrypt = table.take_table("decrypt", faults).map(|table| decrypt::read(table, context, faults));
    table.finish(faults);
    Some(Backup {
        location: location?,
        store_name,
        store,
        pattern: pattern?,
        select,
        every,
        grace,
        written_within,
        dump_timezone,
        database,
        accept_unanchored,
        decrypt,
    })
}

/// A location of any kind.
pub fn read_location(text: &str) -> Result<Location, Complaint> {
    if text.len() > 1024 || text.chars().any(char::is_control) {
        return Err(Complaint::new("it is no location", "write at most 1,024 printable bytes"));
    }
    Location::parse(text).map_err(|error| match error.split_once("; ") {
        Some((problem, remedy)) => Complaint::new(problem, remedy),
        None => Complaint::new(
            error,
            "write s3://BUCKET/PREFIX/, az://ACCOUNT/CONTAINER/PREFIX/ or file:///PATH/",
        ),
    })
}

/// The store that `table` names, if it names one, and its options, which must fit `location`.
pub fn read_store(
    table: &mut Table<'_>,
    location: Option<&Location>,
    context: &Context<'_>,
    faults: &mut Faults,
) -> (Option<String>, Options) {
    let Some(item) = table.take("store") else { return (None, Options::default()) };
    let known = |name: &str| match context.stores.contains_key(name) {
        true => Ok(name.to_owned()),
        false => Err(unknown_store(name, context)),
    };
    let Some(name) = item.text(faults, known) else { return (None, Options::default()) };
    let options = context.stores.get(&name).cloned().flatten();
    if let (Some(options), Some(location)) = (&options, location) {
        store::must_fit(options, location, &item, faults);
    }
    (Some(name), options.unwrap_or_default())
}

fn unknown_store(name: &str, context: &Context<'_>) -> Complaint {
    let names = || context.stores.keys().map(String::as_str);
    let remedy = match nearest(name, names()) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("add a [store.{}] table, or remove this key for the defaults", shortened(name)),
    };
    Complaint::new(format!("there is no store '{}'", shortened(name)), remedy)
}

/// The pattern, or everything; `None` if it is faulty.
fn read_pattern(table: &mut Table<'_>, faults: &mut Faults) -> Option<Pattern> {
    let (pattern_given, zone_given) = (table.take("pattern"), table.take("timezone"));
    let timezone = match &zone_given {
        Some(item) => Some(item.text(faults, text::timezone)?),
        None => None,
    };
    match (pattern_given, zone_given) {
        (Some(item), _) => item.text(faults, |text| Pattern::parse(text, timezone)),
        (None, Some(item)) => {
            let remedy = "add a pattern with {time:…}; for the archive's own clock write dump_timezone";
            item.fault(faults, Complaint::new("there is no pattern that it could be the zone of", remedy));
            None
        }
        (None, None) => Some(Pattern::everything()),
    }
}

fn read_select(text: &str) -> Result<Select, Complaint> {
    match Select::parse(text)? {
        Select::Label(label) => match nearest(&label, ["latest", "oldest"]) {
            Some(meant) => Err(Complaint::new(
                format!("'{}' is no selection", shortened(&label)),
                format!("did you mean '{meant}'?"),
            )),
            None => Ok(Select::Label(label)),
        },
        select => Ok(select),
    }
}

fn read_cadence(
    table: &mut Table<'_>,
    pattern: Option<&Pattern>,
    faults: &mut Faults,
) -> (Option<Duration>, Duration) {
    let Some(item) = table.take("every") else {
        if let Some(grace) = table.take("grace") {
            grace.fault(
                faults,
                Complaint::new("there is no 'every' that it could add to", "add one, or remove it"),
            );
        }
        return (None, Duration::ZERO);
    };
    if pattern.is_some_and(|pattern| !pattern.has_time()) {
        let problem = "no name tells when its backup is of, and the last write is no proof";
        item.fault(faults, Complaint::new(problem, "put {time:…} into the pattern, or remove 'every'"));
    }
    let every = item.duration(faults);
    let quarter = |every: Duration| Duration::from_secs(every.as_secs() / 4);
    let default = every.map_or(Duration::ZERO, |every| quarter(every).max(GRACE_MIN));
    (every, table.take_duration("grace", faults).unwrap_or(default))
}
