//! The faces that show what happens while drills run, and what came out of them.
//!
//! Observers hear events and show them: [`terminal`] live on a screen, [`text`] line by
//! line, [`json_events`] for programs. The final word is [`summary`]'s.

pub mod backups;
pub mod bench;
mod caveats;
mod detail;
pub mod encode;
pub mod figures;
pub mod history;
pub mod html;
pub mod json;
pub mod json_events;
pub mod junit;
pub mod layout;
pub mod nagios;
pub mod paint;
mod progress;
pub mod prometheus;
pub mod recovered;
pub mod revealed;
#[cfg(test)]
pub(crate) mod sample;
mod screen;
pub mod self_test;
pub mod standing;
pub mod stock;
pub mod stored;
pub mod summary;
pub mod terminal;
pub mod text;
pub mod verified;

use std::sync::Arc;

use crate::event::{Event, Observer};

/// Several observers as one: each hears every event, in the order given.
pub struct FanOut(Vec<Arc<dyn Observer>>);

impl FanOut {
    /// One observer out of `observers`; none at all is silence.
    pub fn new(observers: Vec<Arc<dyn Observer>>) -> FanOut {
        FanOut(observers)
    }
}

impl Observer for FanOut {
    fn observe(&self, event: &Event) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}

/// The observer that shows nothing.
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: &Event) {}
}
