//! Colours, where there is somebody to see them.

use std::fmt::Display;

use crate::verdict::Verdict;

/// Whether and how a stream is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    coloured: bool,
}

/// What a stream's surroundings say about it.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Whether the stream is a terminal.
    pub is_terminal: bool,
    /// `NO_COLOR`, as it stands in the environment.
    pub no_color: Option<&'a str>,
    /// `TERM`, as it stands in the environment.
    pub term: Option<&'a str>,
    /// `CI`, as it stands in the environment.
    pub ci: Option<&'a str>,
}

impl Surroundings<'_> {
    /// Colours go to terminals that can show them, unless `NO_COLOR` is set and not empty.
    pub fn paint(&self) -> Paint {
        let refused = self.no_color.is_some_and(|value| !value.is_empty());
        Paint { coloured: self.is_terminal && !refused && !self.is_dumb() }
    }

    /// Whether lines may be redrawn in place: on a terminal that can move its cursor, and
    /// not under a CI system, whose logs keep every line.
    pub fn is_live(&self) -> bool {
        self.is_terminal
            && !self.is_dumb()
            && self.ci.is_none_or(|value| value.is_empty() || value == "false")
    }

    fn is_dumb(&self) -> bool {
        self.term == Some("dumb")
    }
}

impl Paint {
    /// No colours at all.
    pub const PLAIN: Paint = Paint { coloured: false };

    /// Colours whatever the stream is.
    pub fn coloured() -> Paint {
        Paint { coloured: true }
    }

    /// Whether colours are on.
    pub fn is_coloured(self) -> bool {
        self.coloured
    }

    /// Set off from its surroundings.
    pub fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// Of lesser weight.
    pub fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    /// Worth a look.
    pub fn warning(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    /// In the colour of a verdict.
    pub fn verdict(self, verdict: Verdict, text: impl Display) -> String {
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Inconclusive => "33",
            Verdict::Fail => "1;31",
        };
        self.wrap(code, text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Surroundings<'_> =
        Surroundings { is_terminal: true, no_color: None, term: Some("xterm-256color"), ci: None };

    #[test]
    fn colours_and_live_lines_need_a_capable_terminal() {
        let table = [
            ("a terminal", TERMINAL, true, true),
            ("a pipe", Surroundings { is_terminal: false, ..TERMINAL }, false, false),
            ("a dumb terminal", Surroundings { term: Some("dumb"), ..TERMINAL }, false, false),
            ("NO_COLOR", Surroundings { no_color: Some("1"), ..TERMINAL }, false, true),
            ("an empty NO_COLOR", Surroundings { no_color: Some(""), ..TERMINAL }, true, true),
            ("a CI system", Surroundings { ci: Some("true"), ..TERMINAL }, true, false),
            ("CI=false", Surroundings { ci: Some("false"), ..TERMINAL }, true, true),
        ];
        for (name, surroundings, coloured, live) in table {
            assert_eq!(surroundings.paint().is_coloured(), coloured, "{name}");
            assert_eq!(surroundings.is_live(), live, "{name}");
        }
    }

    #[test]
    fn plain_paint_adds_nothing() {
        assert_eq!(Paint::PLAIN.verdict(Verdict::Fail, "fail"), "fail");
        assert_eq!(Paint::coloured().bold("x"), "\x1b[1mx\x1b[0m");
    }
}
