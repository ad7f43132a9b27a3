//! The live screen: a few lines on stderr, redrawn ten times a second while drills run.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::{Event, EventKind, Observer};
use crate::report::encode;
use crate::report::paint::Paint;
use crate::report::progress::Progress;
use crate::report::screen;

const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Draws how far the drills are. Events only move counters; a thread of its own looks at
/// them and draws, so no drill ever waits for the screen.
///
/// Finished or dropped, it has cleared its lines and ended the thread.
pub struct Terminal {
    shared: Arc<Shared>,
    painter: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    drills: Vec<(Arc<str>, Progress)>,
    /// Lines that stay on the screen, not yet printed.
    said: Vec<String>,
    over: bool,
}

impl Terminal {
    /// A live screen on stderr.
    pub fn on_stderr(paint: Paint) -> Terminal {
        Terminal::on(ProgressDrawTarget::stderr_with_hz(20), paint)
    }

    /// A live screen on any target; what is not a terminal stays empty.
    pub fn on(target: ProgressDrawTarget, paint: Paint) -> Terminal {
        let shared = Arc::new(Shared { state: Mutex::default(), woken: Condvar::new() });
        let seen = shared.clone();
        let screen = MultiProgress::with_draw_target(target);
        let painting = std::thread::Builder::new().name("screen".into());
        // Without a thread there is no screen, and the drill goes on all the same.
        let painter = painting.spawn(move || draw_until_over(&seen, &screen, paint)).ok();
        Terminal { shared, painter: Mutex::new(painter) }
    }

    /// Prints a line above the live ones, to stay there.
    pub fn say(&self, line: &str) {
        self.shared.lock().said.push(line.to_owned());
    }

    /// Clears the screen; what happens from now on is not shown.
    pub fn finish(&self) {
        self.shared.lock().over = true;
        self.shared.woken.notify_all();
        let painter = self.painter.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(painter) = painter {
            // A painter that panicked has nothing left to clear.
            let _ = painter.join();
        }
    }
}

impl Observer for Terminal {
    fn observe(&self, event: &Event) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let index = state.drills.iter().position(|(service, _)| *service == event.service);
        let index = index.unwrap_or_else(|| {
            state.drills.push((event.service.clone(), Progress::new(now)));
            state.drills.len() - 1
        });
        if let Some((_, progress)) = state.drills.get_mut(index) {
            progress.hear(&event.kind, now);
        }
        if let Some(line) = lasting(event) {
            state.said.push(line);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    /// No code that holds the lock can leave the counters half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What should still be readable when the screen has moved on.
fn lasting(event: &Event) -> Option<String> {
    let service = encode::name(&event.service, 20);
    match &event.kind {
        EventKind::Warned { text, .. } => Some(format!("{service}: warning: {}", encode::sentence(text))),
        _ => None,
    }
}

fn draw_until_over(shared: &Shared, screen: &MultiProgress, paint: Paint) {
    let mut bars = Vec::new();
    loop {
        let (drills, said, over) = {
            let state = shared.lock();
            let waited = shared.woken.wait_timeout_while(state, REDRAW_EVERY, |state| !state.over);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            (state.drills.clone(), std::mem::take(&mut state.said), state.over)
        };
        for line in said {
            // A screen that is gone is no reason to stop.
            let _ = screen.println(paint.warning(line));
        }
        if over {
            break;
        }
        show(screen, &mut bars, &screen::lines(&drills, Instant::now(), paint));
    }
    let _ = screen.clear();
}

/// Makes the screen show exactly `lines`.
fn show(screen: &MultiProgress, bars: &mut Vec<ProgressBar>, lines: &[String]) {
    while bars.len() > lines.len() {
        if let Some(bar) = bars.pop() {
            screen.remove(&bar);
        }
    }
    while bars.len() < lines.len() {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        bars.push(screen.add(bar));
    }
    for (bar, line) in bars.iter().zip(lines) {
        bar.set_message(line.clone());
    }
}
