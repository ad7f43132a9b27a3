//! The phases of a drill: each begins in the instant in which the one before it ends.

use std::time::Duration;

use crate::clock::{Phase, Span, Stopwatch};
use crate::event::{EventKind, Events};
use crate::record::{PhaseOutcome, PhaseRecord};

/// Measures phases by the monotonic clock.
pub struct Timeline {
    watch: Stopwatch,
    events: Events,
    open: Option<(Phase, Duration)>,
    done: Vec<PhaseRecord>,
}

impl Timeline {
    /// Nothing has begun but the clock.
    pub fn new(watch: Stopwatch, events: Events) -> Timeline {
        Timeline { watch, events, open: None, done: Vec::new() }
    }

    /// Ends the open phase, which came to its end, and begins `phase`.
    pub fn enter(&mut self, phase: Phase) {
        let now = self.watch.elapsed();
        self.end(now, PhaseOutcome::Ok);
        self.open = Some((phase, now));
        self.events.emit(EventKind::PhaseStarted { phase });
    }

    /// Ends the open phase, which came to its end.
    pub fn close(&mut self) {
        self.end(self.watch.elapsed(), PhaseOutcome::Ok);
    }

    /// Ends the open phase, in which the drill was cut short; tells which it was.
    pub fn halt(&mut self) -> Option<Phase> {
        let phase = self.open.map(|(phase, _)| phase);
        self.end(self.watch.elapsed(), PhaseOutcome::Halted);
        phase
    }

    /// From the beginning of the first phase of the recovery to the end of its last, once all
    /// of them came to their end.
    pub fn recovery(&self) -> Option<Duration> {
        let of =
            |phase| self.done.iter().find(|done| done.name.0 == phase && done.outcome == PhaseOutcome::Ok);
        let (first, last) = (of(Phase::Select)?, of(Phase::Ready)?);
        let end = last.start_offset_ms.duration() + last.duration_ms.duration();
        Some(end.saturating_sub(first.start_offset_ms.duration()))
    }

    /// The phases so far, in order.
    pub fn phases(&self) -> &[PhaseRecord] {
        &self.done
    }

    fn end(&mut self, now: Duration, outcome: PhaseOutcome) {
        let Some((phase, began)) = self.open.take() else { return };
        let span = Span { offset: began, length: now.saturating_sub(began) };
        self.done.push(PhaseRecord::new(phase, span, outcome));
        self.events.emit(EventKind::PhaseFinished { phase, elapsed: span.length });
    }
}
