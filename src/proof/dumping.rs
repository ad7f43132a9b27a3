//! What a session that dumped had set, of which the archive says nothing: its time zone, and
//! how it wrote binary values and amounts of money.

use crate::archive::Toc;
use crate::postgres::Session;
use crate::proof::Error;
use crate::proof::reading::{self, Manner};
use crate::restore::{Amounts, Restored, RowShape, Scratch, ZoneSamples};

/// How many zones are tried for a table before it is called different.
const ZONES_MAX: usize = 4;

/// What all rows of the archive together tell of the one session that wrote them.
pub struct Dumping {
    /// Zones that it may have had, the likeliest first; at least one.
    zones: Vec<String>,
    /// Whether it wrote `bytea` in the escape format.
    bytea_escape: bool,
    /// In which way the scratch has read amounts of money, if that was settled.
    monetary: Option<String>,
    /// Whether amounts that are read in that way are written as they were dumped.
    writes_amounts: bool,
}

impl Dumping {
    /// Infers it from the rows, and from what the archive says of the database.
    ///
    /// # Errors
    /// The scratch would not be asked which zones it knows.
    pub async fn infer(
        toc: &Toc,
        restored: &Restored,
        scratch: &Scratch,
        session: &Session,
    ) -> Result<Dumping, Error> {
        let mut plain = ZoneSamples::default();
        let mut nested = ZoneSamples::default();
        for table in &restored.tables {
            plain.merge(&table.seen.zones);
            nested.merge(&table.seen.nested_zones);
        }
        // Inside of a row may stand a text that only looks like a moment.
        let told = if plain.is_empty() { nested } else { plain };
        let mut zones = Vec::new();
        for zone in told.candidates(declared_zone(toc).as_deref(), ZONES_MAX) {
            if reading::knows_zone(session, &zone).await? {
                zones.push(zone);
            }
        }
        if zones.is_empty() {
            zones.push("UTC".to_owned());
        }
        let bytea_escape = restored.tables.iter().any(|table| table.seen.bytea_escape);
        let monetary = scratch.monetary();
        let mut dumping = Dumping {
            zones,
            bytea_escape,
            monetary: monetary.map(|monetary| monetary.name.clone()),
            writes_amounts: monetary.is_some_and(|monetary| monetary.known),
        };
        let mut amounts = Amounts::default();
        restored.tables.iter().for_each(|table| amounts.merge(&table.seen.amounts));
        let texts: Vec<&str> = amounts.texts().collect();
        if !texts.is_empty() {
            if let Some(manner) = dumping.manners(&RowShape::default()).first() {
                reading::adopt(session, manner).await?;
            }
            dumping.writes_amounts = reading::writes_amounts(session, &texts).await?;
        }
        Ok(dumping)
    }

    /// Whether amounts of money that came back can be told from those of the archive by their text.
    pub fn writes_amounts(&self) -> bool {
        self.writes_amounts
    }

    /// The manners in which the rows of that shape may have been written, the likeliest first.
    pub fn manners(&self, shape: &RowShape) -> Vec<Manner> {
        let monetary = &self.monetary;
        let manner = |zone: &String, bytea_escape: bool| Manner {
            time_zone: zone.clone(),
            bytea_escape,
            monetary: monetary.clone(),
        };
        let zoned = !(shape.instants.is_empty() && shape.nested_instants.is_empty());
        let zones = self.zones.iter().take(if zoned { ZONES_MAX } else { 1 });
        let likely = zones.clone().map(|zone| manner(zone, self.bytea_escape));
        // Inside of an array the two formats can't be told apart.
        let unlikely = zones.filter(|_| !shape.nested_binaries.is_empty());
        likely.chain(unlikely.map(|zone| manner(zone, !self.bytea_escape))).collect()
    }
}

/// What the database's own settings say about the zone.
fn declared_zone(toc: &Toc) -> Option<String> {
    let properties = toc.database_properties().ok()?;
    let zone = properties.settings.iter().find(|setting| setting.name.eq_ignore_ascii_case("timezone"))?;
    zone.values.first().cloned()
}
