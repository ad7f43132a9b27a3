//! The three keys of one secret: a file, a variable or a credential of systemd.

use crate::plan::KeySource;
use crate::plan::fault::Complaint;
use crate::plan::read::faults::Faults;
use crate::plan::read::table::Table;
use crate::plan::read::{Context, evidence, text};

/// Their names: the one of a file, of a variable, of a credential.
pub type Names = [&'static str; 3];

/// Reads whichever is given; two of them are a fault.
pub fn read(
    table: &mut Table<'_>,
    [file, variable, credential]: Names,
    context: &Context<'_>,
    faults: &mut Faults,
) -> Option<KeySource> {
    let given: Vec<&str> = [file, variable, credential].into_iter().filter(|name| table.has(name)).collect();
    if given.len() > 1 {
        let problem = format!("{} are several places for one secret", given.join(" and "));
        faults.add(table.place(), table.path(), Complaint::new(problem, "keep one"));
    }
    let file = table.take_text(file, faults, |path| text::path(path, context.base)).map(KeySource::File);
    let variable = table.take_text(variable, faults, text::variable).map(KeySource::Variable);
    let credential = table.take_text(credential, faults, evidence::credential).map(KeySource::Credential);
    file.or(variable).or(credential)
}
