//! Where firedrill reads an archive, and its restore of it.

use std::path::Path;

use firedrill::clock::Stopwatch;
use firedrill::event::Events;
use firedrill::plan::ReadBack;
use firedrill::postgres::Cluster;
use firedrill::restore::{self, Archive, Manner, Restored, Sample, Scratch};
use firedrill::store::{Download, Environment, Location, Object, Options, Patience, Store, Tuning};

use crate::machine::{Failure, copy_form, cores, read_back};

/// An archive in a store: one object, or a directory of them, whose key ends in `/`.
pub struct Place {
    pub location: Location,
    pub options: Options,
    pub environment: Environment,
    pub key: String,
}

impl Place {
    /// A file on the local disk.
    pub fn local(archive: &Path) -> Result<Place, Failure> {
        let folder = archive.parent().ok_or("no folder")?;
        Ok(Place {
            location: Location::Directory { path: folder.into() },
            options: Options::default(),
            environment: Environment::Process,
            key: archive.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        })
    }

    /// The objects there.
    pub async fn list(&self) -> Result<(Store, Vec<Object>), Failure> {
        let patience = Patience::default();
        let store = Store::open_with(&self.location, &self.options, &self.environment, &patience).await?;
        let is_here = |object: &Object| match self.key.strip_suffix('/') {
            Some(_) => object.key.starts_with(&self.key),
            None => object.key == self.key,
        };
        let objects = store.list().await?.objects.into_iter().filter(is_here).collect();
        Ok((store, objects))
    }

    async fn open(&self, events: &Events) -> Result<Archive, Failure> {
        let (store, mut objects) = self.list().await?;
        let tuning = Tuning::default();
        let opened = if self.key.ends_with('/') {
            restore::open_files(&store, &self.key, objects, tuning, events).await.map(Archive::from)
        } else {
            let object = objects.pop().ok_or("no archive")?;
            let download = Download::new(&store, &object, 0..object.bytes, tuning);
            let keys = std::sync::Arc::default();
            restore::open(download, object.bytes, None, keys, events).await.map(Archive::from)
        };
        Ok(opened.map_err(|halted| halted.error)?)
    }

    /// The whole restore, from the first read to everything on disk.
    pub async fn restore_into(&self, scratch: &mut Scratch) -> Result<Restored, Failure> {
        let events = Events::silent();
        let opened = self.open(&events).await?;
        scratch.make_database(opened.toc()).await?;
        let watch = Stopwatch::start();
        let sample = match read_back()? {
            ReadBack::All => None,
            ReadBack::Sample { share_ppm } => Some(Sample { seed: 1, share_ppm }),
        };
        let manner = Manner { sample, ..Manner::drill(cores(), copy_form()) };
        let restored =
            restore::restore(opened, scratch, manner, watch, &events).await.map_err(|halted| halted.error)?;
        if !restored.failures.is_empty() {
            return Err(format!("{:?}", restored.failures).into());
        }
        scratch.connect().await?.run("CHECKPOINT").await?;
        Ok(restored)
    }
}

pub fn cluster(scratch: &Scratch) -> Result<&Cluster, Failure> {
    scratch.cluster().ok_or_else(|| "the scratch has no cluster of its own".into())
}
