//! Which evidence is looked at: that of this machine, unless another folder is named.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Places;
use crate::cli::evidence::refused;
use crate::cli::refusal::Refusal;
use crate::evidence::{Entry, entries, logs_in};
use crate::exit_code::ExitCode;
use crate::report::encode;

/// Which evidence is looked at.
#[derive(Debug, Args)]
pub struct Kept {
    /// The folder with the evidence of all services [default: the plan's, else that of the
    /// state directory]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// One service's evidence, as it stands.
pub struct KeptLog {
    /// The service: the name of its folder.
    pub service: String,
    /// Its files, in order.
    pub entries: Vec<Entry>,
}

impl Kept {
    /// The folder.
    pub fn root(&self, places: &Places) -> Result<PathBuf, Refusal> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => places.evidence(),
        }
    }

    /// The evidence of `service`, else of every service.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn logs(&self, service: Option<&str>, places: &Places) -> Result<Vec<KeptLog>, Refusal> {
        let root = self.root(places)?;
        let shown = encode::name(&root.to_string_lossy(), 400);
        let nothing = |what: String| {
            Refusal::new(ExitCode::Usage, what, "name the folder with --directory DIR, or drill first")
        };
        if !root.is_dir() {
            return Err(nothing(format!("there is no evidence in '{shown}'")));
        }
        let mut logs = Vec::new();
        for directory in logs_in(&root).map_err(|error| refused(&error))? {
            let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
            let entries = entries(&directory).map_err(|error| refused(&error))?;
            logs.extend(name.filter(|_| !entries.is_empty()).map(|service| KeptLog { service, entries }));
        }
        if let Some(service) = service {
            logs.retain(|log| log.service == service);
        }
        match (logs.is_empty(), service) {
            (false, _) => Ok(logs),
            (true, None) => Err(nothing(format!("there is no evidence in '{shown}'"))),
            (true, Some(service)) => {
                let service = encode::name(service, 63);
                Err(nothing(format!("there is no evidence of '{service}' in '{shown}'")))
            }
        }
    }

    /// The log of `service`, or the only one there is.
    pub fn log(&self, service: Option<&str>, places: &Places) -> Result<KeptLog, Refusal> {
        let mut logs = self.logs(service, places)?;
        match (logs.pop(), logs.is_empty()) {
            (Some(log), true) => Ok(log),
            (last, _) => {
                let names = logs.iter().chain(&last).map(|log| encode::name(&log.service, 63));
                let names: Vec<String> = names.collect();
                let remedy = format!("name one of them: {}", names.join(", "));
                Err(Refusal::new(ExitCode::Usage, "there is evidence of several services", remedy))
            }
        }
    }
}

/// Which record of a log.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// The one in this place.
    Place(u64),
    /// The last.
    Latest,
}

impl Which {
    /// Reads a place in the log, or `latest`.
    pub fn parse(text: &str) -> Result<Which, String> {
        match text {
            "latest" => Ok(Which::Latest),
            _ => text.parse().map(Which::Place).map_err(|_| "write a number, or 'latest'".to_owned()),
        }
    }

    /// The record of that place in `log`; only one file may claim it.
    pub fn of(self, log: &KeptLog) -> Result<&Entry, Refusal> {
        let last = log.entries.last().map_or(0, |entry| entry.sequence);
        let place = match self {
            Which::Place(place) => place,
            Which::Latest => last,
        };
        let mut claiming = log.entries.iter().filter(|entry| entry.sequence == place);
        match (claiming.next(), claiming.next()) {
            (Some(entry), None) => Ok(entry),
            (None, _) => {
                let what = format!("'{}' has no record in place {place}", encode::name(&log.service, 63));
                Err(Refusal::new(ExitCode::Usage, what, format!("its last is {last}")))
            }
            (Some(_), Some(_)) => {
                let what = format!("two files claim place {place}");
                Err(Refusal::new(ExitCode::Failed, what, "see which is right: 'firedrill evidence verify'"))
            }
        }
    }
}
