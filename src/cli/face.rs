//! Which face shows a run while it runs.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use crate::cli::output;
use crate::event::Observer;
use crate::report::Silent;
use crate::report::json_events::JsonEvents;
use crate::report::terminal::Terminal;
use crate::report::text::Text;

/// What shows a run while it runs. Clones show the same run.
#[derive(Clone)]
pub enum Face {
    /// Nothing.
    Silent,
    /// Lines on stderr.
    Text(Arc<Text<io::Stderr>>),
    /// A live screen on stderr.
    Terminal(Arc<Terminal>),
    /// JSON lines on stdout.
    Events(Arc<JsonEvents>),
}

impl Face {
    /// JSON lines on stdout.
    pub fn events() -> Face {
        Face::Events(Arc::new(JsonEvents::on(io::stdout(), Timestamp::now)))
    }

    /// Progress on stderr, in the way that its surroundings can show.
    pub fn progress() -> Face {
        output::with_surroundings(output::stderr_is_terminal(), |surroundings| match surroundings.is_live() {
            true => Face::Terminal(Arc::new(Terminal::on_stderr(surroundings.paint()))),
            false => Face::Text(Arc::new(Text::on_stderr())),
        })
    }

    /// The observer to hand to the run.
    pub fn observer(&self) -> Arc<dyn Observer> {
        match self {
            Face::Silent => Arc::new(Silent),
            Face::Text(text) => text.clone(),
            Face::Terminal(terminal) => terminal.clone(),
            Face::Events(events) => events.clone(),
        }
    }

    /// Tells something beside the run, where it is not painted over.
    pub fn say(&self, line: &str) {
        match self {
            Face::Terminal(terminal) => terminal.say(line),
            Face::Silent | Face::Text(_) | Face::Events(_) => output::say(line),
        }
    }

    /// Leaves the streams to the result.
    pub fn finish(&self) {
        match self {
            Face::Silent | Face::Text(_) => {}
            Face::Terminal(terminal) => terminal.finish(),
            Face::Events(events) => events.finish(),
        }
    }
}
