//! A TOML table that is taken apart key by key; what nobody takes is an unknown key.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::plan::duration;
use crate::plan::fault::{Complaint, shortened};
use crate::plan::read::faults::Faults;
use crate::plan::read::nearest::nearest;
use crate::plan::read::secret;

/// A table of the file, the keys not taken yet, and those that were asked for.
pub struct Table<'d> {
    path: String,
    place: usize,
    left: BTreeMap<&'d str, (usize, &'d Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
}

/// One value with its dotted key and its place in the file.
pub struct Item<'d> {
    /// The dotted key.
    pub key: String,
    /// The place of the key itself.
    pub place: usize,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'d> Table<'d> {
    /// The table of the dotted key `path`, whose name stands at `place`.
    pub fn new(path: impl Into<String>, place: usize, table: &'d DeTable<'d>) -> Table<'d> {
        let left =
            table.iter().map(|(key, value)| (key.get_ref().as_ref(), (key.span().start, value))).collect();
        Table { path: path.into(), place, left, known: Vec::new() }
    }

    /// The dotted key of the table itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the table stands.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Whether a key is there and not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Every key that is left, in the order of the file: for tables whose keys are names.
    pub fn take_all(&mut self) -> Vec<(&'d str, Item<'d>)> {
        let mut left: Vec<_> = std::mem::take(&mut self.left).into_iter().collect();
        left.sort_by_key(|(_, (place, _))| *place);
        left.into_iter()
            .map(|(name, (place, value))| (name, Item { key: dotted(&self.path, name), place, value }))
            .collect()
    }

    /// The value of a key, if it is there.
    pub fn take(&mut self, name: &'static str) -> Option<Item<'d>> {
        self.known.push(name);
        let (place, value) = self.left.remove(name)?;
        Some(Item { key: dotted(&self.path, name), place, value })
    }

    /// What `read` makes of a text.
    pub fn take_text<T>(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        read: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        self.take(name)?.text(faults, read)
    }

    /// A duration.
    pub fn take_duration(&mut self, name: &'static str, faults: &mut Faults) -> Option<Duration> {
        self.take(name)?.duration(faults)
    }

    /// `true` or `false`.
    pub fn take_bool(&mut self, name: &'static str, faults: &mut Faults) -> Option<bool> {
        let item = self.take(name)?;
        let DeValue::Boolean(value) = item.value.get_ref() else {
            item.wrong_type(faults, "true or false", "write it without quotes");
            return None;
        };
        Some(*value)
    }

    /// A whole number in a range.
    pub fn take_number(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let item = self.take(name)?;
        let bounds = format!("write one from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = item.value.get_ref() else {
            item.wrong_type(faults, "a whole number", &bounds);
            return None;
        };
        let number =
            u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| range.contains(n));
        if number.is_none() {
            let shown = shortened(&integer.to_string());
            item.fault(faults, Complaint::new(format!("{shown} is out of range"), bounds));
        }
        number
    }

    /// A table.
    pub fn take_table(&mut self, name: &'static str, faults: &mut Faults) -> Option<Table<'d>> {
        self.take(name)?.table(faults)
    }

    /// The items of an array.
    pub fn take_array(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        what: &str,
    ) -> Option<Vec<Item<'d>>> {
        let item = self.take(name)?;
        let DeValue::Array(array) = item.value.get_ref() else {
            item.wrong_type(faults, "an array", what);
            return None;
        };
        let place = |value: &Spanned<DeValue<'_>>| value.span().start;
        let numbered = array.iter().enumerate();
        Some(
            numbered
                .map(|(n, value)| Item {
                    key: format!("{}[{}]", item.key, n + 1),
                    place: place(value),
                    value,
                })
                .collect(),
        )
    }

    /// Takes note that a key is missing.
    pub fn missing(&self, name: &str, remedy: &str, faults: &mut Faults) {
        let problem = format!("'{name}' is missing");
        faults.add(self.place, &self.path, Complaint::new(problem, remedy));
    }

    /// Reports every key that nobody took.
    pub fn finish(mut self, faults: &mut Faults) {
        let known = std::mem::take(&mut self.known);
        for (name, item) in self.take_all() {
            let unknown = || {
                let remedy = match nearest(name, known.iter().copied()) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("remove it; known here: {}", known.join(", ")),
                };
                Complaint::new("unknown key", remedy)
            };
            if !faults.is_hidden(item.value.span().start) {
                faults.add(item.place, &item.key, secret::in_key(name).unwrap_or_else(unknown));
            }
        }
    }
}

impl<'d> Item<'d> {
    /// Takes note of a fault of this value.
    pub fn fault(&self, faults: &mut Faults, complaint: Complaint) {
        faults.add(self.place, &self.key, complaint);
    }

    /// What `read` makes of a text.
    pub fn text<T>(&self, faults: &mut Faults, read: impl FnOnce(&str) -> Result<T, Complaint>) -> Option<T> {
        let DeValue::String(text) = self.value.get_ref() else {
            self.wrong_type(faults, "a text", "write it in quotes");
            return None;
        };
        self.parsed(faults, text, read)
    }

    /// A duration; a bare number is told what it lacks.
    pub fn duration(&self, faults: &mut Faults) -> Option<Duration> {
        match self.value.get_ref() {
            DeValue::Integer(integer) => self.parsed(faults, &integer.to_string(), duration::parse),
            DeValue::String(text) => self.parsed(faults, text, duration::parse),
            _ => {
                self.wrong_type(faults, "a duration", "write it in quotes, as in \"15m\"");
                None
            }
        }
    }

    /// A table.
    pub fn table(&self, faults: &mut Faults) -> Option<Table<'d>> {
        let DeValue::Table(table) = self.value.get_ref() else {
            self.wrong_type(faults, "a table", &format!("write [{}] and its keys below", self.key));
            return None;
        };
        Some(Table::new(self.key.clone(), self.place, table))
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
    }

    fn parsed<T>(
        &self,
        faults: &mut Faults,
        text: &str,
        read: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Option<T> {
        if faults.is_hidden(self.value.span().start) {
            return None;
        }
        read(text).map_err(|complaint| self.fault(faults, complaint)).ok()
    }

    fn wrong_type(&self, faults: &mut Faults, expected: &str, remedy: &str) {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        if !faults.is_hidden(self.value.span().start) {
            self.fault(faults, Complaint::new(format!("it is {found}, and {expected} is expected"), remedy));
        }
    }
}

/// Marks and reports every text below `table` that looks like a secret. `depth` bounds how
/// far down it looks; what lies deeper is an unknown key anyhow.
pub fn hide_secrets(path: &str, table: &DeTable<'_>, depth: usize, faults: &mut Faults) {
    for (key, value) in table {
        hide_secret(&dotted(path, key.get_ref()), key.span().start, value, depth, faults);
    }
}

fn hide_secret(path: &str, place: usize, value: &Spanned<DeValue<'_>>, depth: usize, faults: &mut Faults) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match value.get_ref() {
        DeValue::String(text) => {
            if let Some(complaint) = secret::in_value(text) {
                faults.hide(value.span().start);
                faults.add(place, path, complaint);
            }
        }
        DeValue::Table(table) => hide_secrets(path, table, deeper, faults),
        DeValue::Array(array) => {
            for (n, item) in array.iter().enumerate() {
                hide_secret(&format!("{path}[{}]", n + 1), item.span().start, item, deeper, faults);
            }
        }
        _ => {}
    }
}

/// A key below a path, quoted where TOML would quote it.
fn dotted(path: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = if !name.is_empty() && name.chars().all(bare) {
        shortened(name)
    } else {
        format!("\"{}\"", shortened(name))
    };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}
