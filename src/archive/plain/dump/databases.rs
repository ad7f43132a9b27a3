//! The databases of a dump of pg_dumpall: one is read, and the others are passed over.

use crate::archive::error::Error;
use crate::archive::plain::dump::{Cluster, Head, OTHER_DATABASE, Place, PlainDump};
use crate::archive::plain::heading::Heading;

impl PlainDump {
    /// The next database of a cluster.
    pub(super) fn enter_database(&mut self, name: String) -> Result<(), Error> {
        self.leave_database()?;
        self.head = Head::default();
        self.place = Place::Between;
        if let Some(cluster) = &mut self.cluster {
            cluster.database = Some(name);
            cluster.from = self.entries.list().len();
        }
        Ok(())
    }

    /// Whether we are in a database that is not wanted.
    pub(super) fn passes_over(&self) -> bool {
        let database = self.cluster.as_ref().and_then(|cluster| cluster.database.as_ref());
        self.wanted.is_some() && database.is_some() && database != self.wanted.as_ref()
    }

    /// Nothing is kept of a database that holds nothing, unless it is wanted; of one that is not
    /// wanted, its name.
    pub(super) fn leave_database(&mut self) -> Result<(), Error> {
        let passed_over = self.passes_over();
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        if passed_over {
            let name = cluster.database.take().unwrap_or_default();
            cluster.others.push(name.clone());
            let heading = Heading { kind: OTHER_DATABASE.into(), tag: name, ..Heading::default() };
            return self.entries.push_name(&heading);
        }
        match (&mut cluster.full, &cluster.database) {
            (Some((full, head)), Some(database)) if full == database => *head = self.head.clone(),
            (_, Some(_)) => self.entries.truncate(cluster.from),
            _ => {}
        }
        Ok(())
    }

    /// The database that is read holds something: there may be only one such.
    pub(super) fn fill_database(&mut self) -> Result<(), Error> {
        let Some(Cluster { database: Some(database), full, .. }) = &mut self.cluster else { return Ok(()) };
        match full {
            Some((other, _)) if other != database => Err(Error::Unsupported {
                what: format!(
                    "a dump of several databases, '{}' and '{}', of which the plan names none in backup.database",
                    other.escape_debug(),
                    database.escape_debug()
                ),
            }),
            full => {
                *full = Some((database.clone(), self.head.clone()));
                Ok(())
            }
        }
    }
}
