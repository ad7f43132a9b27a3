//! The primary keys of rows that differ, for a terminal.

use crate::proof::{Revealed, RowFault};
use crate::report::encode;

/// The widest key that is shown whole.
const KEY_COLUMNS: usize = 200;
/// The widest name that is shown whole.
const NAME_COLUMNS: usize = 128;

/// Lines that name the rows of each table of a service; none where no keys were asked for.
pub fn revealed(service: &str, tables: &[Revealed]) -> Vec<String> {
    let mut lines = Vec::new();
    if !tables.is_empty() {
        let service = encode::name(service, 63);
        lines.push(format!("rows of {service} that differ, by their keys, which nothing keeps:"));
    }
    for table in tables {
        let name = encode::name(&table.table, NAME_COLUMNS);
        if table.columns.is_empty() {
            lines.push(format!("  {name} has no primary key that could name its rows"));
            continue;
        }
        lines.push(format!("  {name} ({})", encode::name(&table.columns.join(", "), NAME_COLUMNS)));
        for (fault, key) in &table.rows {
            let fault = match fault {
                RowFault::Missing => "missing",
                RowFault::Extra => "extra",
                RowFault::Changed => "changed",
            };
            let key = key.as_ref().map_or("a key too long to be told".to_owned(), |key| {
                encode::name(&key.replace('\t', ", "), KEY_COLUMNS)
            });
            lines.push(format!("    {fault:<8} {key}"));
        }
        if table.more > 0 {
            lines.push(format!("    and {} more", encode::count(table.more)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_a_line_each_and_can_not_reach_the_terminal() {
        let rows = vec![
            (RowFault::Missing, Some("7\tp\u{1b}[2J".to_owned())),
            (RowFault::Extra, Some("8\tq".to_owned())),
            (RowFault::Changed, None),
        ];
        let columns = vec!["id".to_owned(), "part".to_owned()];
        let tables = [
            Revealed { table: "public.t".into(), columns, rows, more: 1980 },
            Revealed { table: "public.bare".into(), columns: vec![], rows: vec![], more: 3 },
        ];
        assert_eq!(revealed("shop", &[]), [""; 0]);
        assert_eq!(
            revealed("shop", &tables),
            [
                "rows of shop that differ, by their keys, which nothing keeps:",
                "  public.t (id, part)",
                "    missing  7, p\\u{1b}[2J",
                "    extra    8, q",
                "    changed  a key too long to be told",
                "    and 1,980 more",
                "  public.bare has no primary key that could name its rows",
            ]
        );
        assert!(!format!("{tables:?}").contains("8"));
    }
}
