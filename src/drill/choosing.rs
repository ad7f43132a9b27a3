//! The first stage: which backup is drilled, and what speaks for it.

use crate::catalog::{Backup, Catalog, ConsistencyPoint};
use crate::drill::{Owned, Stages, anchor, fill, opening, source, staged};
use crate::event::EventKind;
use crate::plan::Engine;
use crate::record::Record;
use crate::restore::{Archive, WayIn};
use crate::stamp::Stamp;
use crate::store::{Store, Tuning};
use crate::verdict::Reason;

/// The backup that is drilled, opened, with the stamp of its source.
pub(in crate::drill) struct Chosen {
    pub store: Store,
    pub backup: Backup,
    pub opened: Archive,
    pub stamp: Option<Stamp>,
}

impl Stages<'_> {
    /// Lists, chooses, and opens the archive up to the end of its table of contents.
    pub(in crate::drill) async fn choose(
        &self,
        record: &mut Record,
        owned: &mut Owned,
    ) -> Result<Chosen, Reason> {
        let backup = &self.service.backup;
        let store = Store::open_shaped(&backup.location, &backup.store, self.outside.shaping).await;
        let mut store = store.map_err(|error| error.reason())?;
        if let Some(damage) = &self.outside.damage {
            store = store.damaged(damage.clone());
        }
        owned.store = Some(store.clone());
        let way = WayIn::of(backup).map_err(|error| error.reason())?;
        let listing = store.list().await.map_err(|error| error.reason())?;
        let catalog = Catalog::new(listing, backup);
        let select = &backup.select;
        fill::listing(record, &catalog, select);

        let now = self.watch.started_at();
        let seed = self.outside.run_id.as_u64_pair().1;
        let selection = catalog.select(select, seed, now).map_err(|error| error.reason())?;
        fill::selected(record, &selection);
        fill::notices(record, &selection.warnings, self.events);
        let chosen = &selection.backup;
        let object = chosen.object.clone();
        self.events.emit(EventKind::BackupChosen { uri: object.uri.clone(), bytes: object.bytes });
        let beside = anchor::beside(&store, chosen).await?;
        let source::Found { stamp, doubts } =
            source::look(&store, chosen, beside, &self.service.proof).await?;
        fill::doubts_of(record, &doubts);
        let anchor = anchor::outside(&store, chosen, beside, stamp.as_ref()).await?;

        let kept = anchor.as_ref().and_then(|anchor| anchor.kept);
        let opened = match opening::open(&store, chosen, kept, way, self.first_tuning(), self.events).await {
            Ok(opened) => opened,
            Err(halted) => return Err(self.second_opinion(halted, &store, chosen, record).await),
        };
        staged::assert_readable(&opened, self.service.restore.engine)?;
        let inside = || anchor::inside(opened.toc().header.compression);
        let expected = anchor.map_or_else(inside, |anchor| anchor.expected);
        fill::archive(record, opened.toc(), expected);
        if let Some(stamp) = &stamp {
            source::fill(record, stamp);
            let point = source::point(stamp);
            fill::stamped_point(record, point, &point.doubts(&object, backup.written_within, now));
        } else if chosen.point.is_none()
            && let Some(zone) = &backup.dump_timezone
            && let Some(created) = opened.toc().header.created
            && let Some(point) = ConsistencyPoint::from_header(created, zone)
        {
            fill::header_point(record, point, &point.doubts(&object, backup.written_within, now));
        }
        fill::recovery_point(record, &catalog, chosen.available_at, now);
        Ok(Chosen { store, backup: selection.backup, opened, stamp })
    }

    /// How the store is read up to the end of the table of contents: an engine that begins anew
    /// behind it reads little ahead.
    fn first_tuning(&self) -> Tuning {
        match self.service.restore.engine {
            Engine::Native => self.tuning(),
            Engine::PgRestore => staged::first_tuning(self.tuning()),
        }
    }
}
