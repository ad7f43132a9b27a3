//! Text in columns: a label, then words that wrap below themselves.

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width};
use jiff::Timestamp;

use crate::history::Signed;
use crate::report::encode::{self, width};
use crate::report::paint::Paint;

/// Columns of the label in front of a paragraph.
const LABEL_COLUMNS: usize = 11;
/// What a screen or a log has at the least, and what reads well at the most.
const COLUMNS: std::ops::RangeInclusive<usize> = 60..=120;

/// A rule below the header, and nothing else: a table of many rows stays one screen.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// What a text is set on.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Colours or none.
    pub paint: Paint,
    /// Columns of the screen; see [`readable`].
    pub columns: usize,
}

/// An empty table for a page.
pub fn table(page: Page) -> Table {
    let mut table = Table::new();
    table.load_style(RULED).force_no_tty();
    if page.paint.is_coloured() {
        table.enforce_styling();
    }
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(page.columns).unwrap_or(80));
    table
}

/// Sets the columns of a table as closely as they can be told apart, and does not break what
/// stands in the `whole` ones.
pub fn close(table: &mut Table, whole: &[usize]) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    for column in whole {
        if let Some(column) = table.column_mut(*column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
}

/// Gives a column at least so many columns of the screen, with the blank behind it.
pub fn at_least(table: &mut Table, column: usize, columns: u16) {
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(columns)));
    }
}

/// A moment in UTC to the second, as a person reads it: `2026-11-20 01:00:00`.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The day of a moment in UTC: `2026-11-20`.
pub fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// A label and its paragraph, wrapped at `columns`, with everything after the first line
/// below the paragraph's own beginning.
///
/// A word longer than a line, such as a path, stands on its own and is not broken, so that
/// it can be copied.
pub fn labelled(label: &str, text: &str, columns: usize) -> String {
    let mut block = String::new();
    for (index, line) in wrapped(text, columns.saturating_sub(LABEL_COLUMNS + 2)).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        block.push_str(&format!("  {label:<LABEL_COLUMNS$}{line}"));
        block.push('\n');
    }
    block
}

/// The columns of the screen on stdout, if it is one.
pub fn stdout_columns() -> Option<u16> {
    comfy_table::Table::new().width()
}

/// A width that can be read, from that of the screen if there is one.
pub fn readable(screen_columns: Option<u16>) -> usize {
    screen_columns.map_or(80, usize::from).clamp(*COLUMNS.start(), *COLUMNS.end())
}

/// The lines of `text`, each at most `columns` wide unless a single word is wider.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// What is to be known of the signatures of drills; nothing where all of them stand up.
pub fn signatures(signed: Signed) -> Option<String> {
    match signed {
        Signed::Checked { unsigned: 0 } => None,
        Signed::Checked { unsigned } => {
            let drills = encode::plural(unsigned, "drill");
            Some(format!("checked; nobody signed {drills} from before signing began"))
        }
        Signed::Unchecked => {
            let how = "name a public key with --key, or as 'public' in the plan's [evidence]";
            Some(format!("unverified: {how}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_wrap_below_themselves_and_long_words_stay_whole() {
        assert_eq!(labelled("why", "a short one", 80), "  why        a short one\n");
        let path = "/a/rather/long/path/that/has/more/columns/than/the/screen.json";
        let table = [
            ("one two three four five six", "  x          one two three\n             four five six\n"),
            ("", "  x          \n"),
        ];
        for (text, block) in table {
            assert_eq!(labelled("x", text, 28), block, "{text:?}");
        }
        let block = labelled("evidence", &format!("in {path}"), 40);
        assert!(block.lines().any(|line| line.trim() == path), "{block}");
    }

    #[test]
    fn a_screen_is_never_too_narrow_or_too_wide_to_read() {
        let widths = [None, Some(0), Some(72), Some(400)].map(readable);
        assert_eq!(widths, [80, 60, 72, 120]);
    }
}
