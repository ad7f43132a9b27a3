//! A `[store.NAME]` table.

use std::path::Path;

use crate::plan::fault::Complaint;
use crate::plan::read::faults::Faults;
use crate::plan::read::table::{Item, Table};
use crate::plan::read::text;
use crate::store::{Location, Options};

/// Reads the options of a store; `None` if some of them contradict each other.
pub fn read(mut table: Table<'_>, base: &Path, faults: &mut Faults) -> Option<Options> {
    let options = Options {
        endpoint: table.take_text("endpoint", faults, text::endpoint),
        region: table.take_text("region", faults, text::word),
        profile: table.take_text("profile", faults, text::word),
        anonymous: table.take_bool("anonymous", faults).unwrap_or_default(),
        path_style: table.take_bool("path_style", faults).unwrap_or_default(),
        ca_file: table.take_text("ca_file", faults, |path| text::path(path, base)),
        account_key_env: table.take_text("account_key_env", faults, text::variable),
        sas_env: table.take_text("sas_env", faults, text::variable),
        connection_string_env: table.take_text("connection_string_env", faults, text::variable),
    };
    let ways = ways_to_sign_in(&options);
    let contradiction = (ways.len() > 1).then(|| {
        let problem = format!("{} are several ways to sign in", ways.join(" and "));
        Complaint::new(problem, "keep one")
    });
    let (path, place) = (table.path().to_owned(), table.place());
    table.finish(faults);
    match contradiction {
        Some(complaint) => {
            faults.add(place, &path, complaint);
            None
        }
        None => Some(options),
    }
}

fn ways_to_sign_in(options: &Options) -> Vec<&'static str> {
    let ways = [
        ("profile", options.profile.is_some()),
        ("anonymous", options.anonymous),
        ("account_key_env", options.account_key_env.is_some()),
        ("sas_env", options.sas_env.is_some()),
        ("connection_string_env", options.connection_string_env.is_some()),
    ];
    ways.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

/// Reports the options that mean nothing at a location of this kind.
pub fn must_fit(options: &Options, location: &Location, item: &Item<'_>, faults: &mut Faults) {
    let s3 = [("region", options.region.is_some()), ("profile", options.profile.is_some())];
    let azure = [
        ("account_key_env", options.account_key_env.is_some()),
        ("sas_env", options.sas_env.is_some()),
        ("connection_string_env", options.connection_string_env.is_some()),
    ];
    let both = [
        ("endpoint", options.endpoint.is_some()),
        ("anonymous", options.anonymous),
        ("path_style", options.path_style),
        ("ca_file", options.ca_file.is_some()),
    ];
    let (kind, foreign) = match location {
        Location::S3 { .. } => ("S3", azure.to_vec()),
        Location::Azure { .. } => ("Azure", s3.to_vec()),
        Location::Directory { .. } => ("a directory", [&s3[..], &azure[..], &both[..]].concat()),
    };
    for (name, _) in foreign.into_iter().filter(|(_, given)| *given) {
        let problem =
            format!("the location is {kind}, and this store has '{name}', which means nothing there");
        item.fault(faults, Complaint::new(problem, "name another store, or none"));
    }
}
