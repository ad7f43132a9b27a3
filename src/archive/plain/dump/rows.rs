//! The rows of a table: as COPY text, or as INSERTs.

use bytes::Bytes;

use crate::archive::copy::CopyTarget;
use crate::archive::error::Error;
use crate::archive::plain::dump::{Item, Open, PlainDump, RowsState};
use crate::archive::plain::entries::on_one_line;
use crate::archive::plain::heading::Heading;
use crate::archive::plain::meaning;

impl PlainDump {
    /// The rows of a table begin. `name` is where the statement that holds them puts them.
    pub(super) fn begin_rows(
        &mut self,
        heading: &Heading,
        root: Option<&str>,
        name: &meaning::Name,
        copy: Option<String>,
    ) -> Result<(), Error> {
        let mut entry = self.entries.data(heading);
        let own = (name.0.clone().or_else(|| heading.namespace.clone()), name.1.clone());
        match root {
            // Checked against the COPY by who reads the entry.
            Some(root) => entry.definition = format!("-- load via partition root {root}\n"),
            None if on_one_line(&own.1) == heading.tag && own.0 == heading.namespace => {
                entry.tag = own.1.clone()
            }
            None => {
                let what =
                    format!("rows of another table than its own below the heading of {}", entry.label());
                return Err(Error::Unsafe { what });
            }
        }
        let table = (entry.namespace.clone(), entry.tag.clone());
        entry.dependencies.extend(self.entries.relation(&table));
        entry.copy = copy;
        self.entries.push(entry.clone())?;
        let bytes = entry.copy.as_ref().and_then(|_| self.splitter.rows_at_hand());
        self.items.push_back(Item::TableData { entry: Box::new(entry), bytes });
        Ok(())
    }

    pub(super) fn copy(&mut self, statement: Bytes) -> Result<(), Error> {
        let text = self.decode(&statement)?;
        let misplaced = || Error::Unsafe { what: "a COPY where pg_dump does not write one".into() };
        let Open::Rows { heading, root, state: RowsState::Awaited } =
            std::mem::replace(&mut self.open, Open::Nothing)
        else {
            return Err(misplaced());
        };
        let target = CopyTarget::parse(&text, heading.namespace.as_deref())?;
        self.begin_rows(&heading, root.as_deref(), &(Some(target.schema), target.table), Some(text))?;
        self.open = Open::Rows { heading, root, state: RowsState::Copying };
        Ok(())
    }

    pub(super) fn rows_end(&mut self) {
        if let Open::Rows { state, .. } = &mut self.open {
            *state = RowsState::Over;
        }
        self.items.push_back(Item::BlockEnd);
    }

    pub(super) fn insert(&mut self, statement: Bytes) -> Result<(), Error> {
        let Open::Rows { heading, root, state } = std::mem::replace(&mut self.open, Open::Nothing) else {
            return Ok(());
        };
        let begins = |text: &str, bytes: &[u8]| {
            bytes.strip_prefix(text.as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
        };
        let prefix = match state {
            RowsState::Inserting(prefix) if prefix.is_ascii() && begins(&prefix, &statement) => prefix,
            before => {
                let text = self.decode(&statement)?;
                let (name, prefix) = meaning::inserted(&text)
                    .ok_or_else(|| Error::Unsafe { what: "an INSERT that pg_dump does not write".into() })?;
                match before {
                    RowsState::Inserting(before) if before != prefix => {
                        let what = "INSERTs into several tables below one heading".into();
                        return Err(Error::Unsafe { what });
                    }
                    RowsState::Inserting(_) => {}
                    _ => self.begin_rows(&heading, root.as_deref(), &name, None)?,
                }
                prefix.to_owned()
            }
        };
        self.open = Open::Rows { heading, root, state: RowsState::Inserting(prefix) };
        self.items.push_back(Item::Insert(statement));
        Ok(())
    }
}
