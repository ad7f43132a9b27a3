//! Values whose text is not the same everywhere, though they are: amounts of money are written as
//! `lc_monetary` wants them, and some types as the server's major does.
//!
//! A table that has such columns is hashed twice: as its rows are written, and with these columns
//! in one form or, where no form is exact, without their values.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crate::digest::RowHash;
use crate::postgres::{Error, Session};

/// The first major that writes every number in the shortest way that is exact.
const SHORTEST_MAJOR: u32 = 12;
/// Amounts that are remembered to tell by them how they were written, and how long one may be.
const AMOUNTS_MAX: usize = 32;
const AMOUNT_BYTES_MAX: usize = 64;

/// Types whose text is not the same everywhere, and what they are called below: `money` (790),
/// `pg_lsn` (3220) and `"char"` (18) in every PostgreSQL.
const UNSTEADY: &str = "(790::pg_catalog.oid, 790::pg_catalog.oid), (3220, 3220), (18, 18)";
/// Those with numbers inside, which old servers write with all digits: `float4`, `float8`, and
/// `point` to `polygon`, `line` and `circle`.
const UNSTEADY_NUMBERS: &str = ", (700, 700), (701, 701), (600, 600), (601, 601), (602, 602), (603, 603), \
     (604, 604), (628, 628), (718, 718)";

/// How the text of a column's values differs from server to server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsteady {
    /// They are amounts, written as `lc_monetary` wants it.
    Money,
    /// They hold amounts inside of something else.
    MoneyInside,
    /// Places in the log, whose second half some majors fill up with zeros.
    Lsn,
    /// Single bytes, which some versions write as they are and others as three digits.
    Byte,
    /// Numbers, which old servers write with more digits than it takes.
    Number {
        /// They are of single precision.
        single: bool,
    },
    /// They hold one of those inside of something else.
    Inside,
}

impl Unsteady {
    /// Whether values are left out of the steady hash, since no form of them is exact.
    pub fn is_left_out(self) -> bool {
        matches!(self, Unsteady::Money | Unsteady::MoneyInside | Unsteady::Inside)
    }

    /// Whether they are amounts, or hold some.
    pub fn is_money(self) -> bool {
        matches!(self, Unsteady::Money | Unsteady::MoneyInside)
    }

    /// The value in its one form, or nothing where there is none.
    fn steady(self, field: &[u8]) -> Cow<'_, [u8]> {
        let null = field == b"\\N";
        match self {
            Unsteady::Money | Unsteady::MoneyInside | Unsteady::Inside => Cow::Borrowed(b""),
            Unsteady::Lsn if !null => Cow::Owned(short_lsn(field)),
            Unsteady::Byte if !null => byte(field),
            Unsteady::Number { single } if !null => number(field, single),
            Unsteady::Lsn | Unsteady::Byte | Unsteady::Number { .. } => Cow::Borrowed(field),
        }
    }

    fn of(kind: &str, inside: &str) -> Unsteady {
        match (kind == inside, inside) {
            (true, "790") => Unsteady::Money,
            (false, "790") => Unsteady::MoneyInside,
            (true, "3220") => Unsteady::Lsn,
            (true, "18") => Unsteady::Byte,
            (true, "700") => Unsteady::Number { single: true },
            (true, "701") => Unsteady::Number { single: false },
            _ => Unsteady::Inside,
        }
    }
}

/// `0/00000000` as `0/0`.
fn short_lsn(field: &[u8]) -> Vec<u8> {
    let halves = field.split(|byte| *byte == b'/').map(|half| {
        let start = half.iter().position(|digit| *digit != b'0').unwrap_or(half.len().saturating_sub(1));
        half.get(start..).unwrap_or_default()
    });
    halves.collect::<Vec<_>>().join(&b'/')
}

/// `\303`, as COPY text `\\303`, as the byte that it is.
fn byte(field: &[u8]) -> Cow<'_, [u8]> {
    let digits = field.strip_prefix(b"\\\\").filter(|digits| digits.len() == 3);
    let octal = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    match octal.and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
        Some(byte) if byte >= 0x80 => Cow::Owned(vec![byte]),
        _ => Cow::Borrowed(field),
    }
}

/// A number by its bits: equal ones are equal however many digits they are written with.
fn number(field: &[u8], single: bool) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(field).unwrap_or_default();
    let bits = match single {
        true => text.parse::<f32>().map(|number| format!("{:08x}", number.to_bits())).ok(),
        false => text.parse::<f64>().map(|number| format!("{:016x}", number.to_bits())).ok(),
    };
    bits.map_or(Cow::Borrowed(field), |bits| Cow::Owned(bits.into_bytes()))
}

/// The columns of rows whose text is not the same everywhere, by their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnsteadyFields {
    fields: Vec<(usize, Unsteady)>,
}

impl UnsteadyFields {
    /// These.
    pub fn new(fields: Vec<(usize, Unsteady)>) -> UnsteadyFields {
        UnsteadyFields { fields }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Their places, and what they are.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Unsteady)> {
        self.fields.iter().copied()
    }

    /// Whether amounts are among them.
    pub fn has_money(&self) -> bool {
        self.fields.iter().any(|(_, unsteady)| unsteady.is_money())
    }

    /// Whether the place is one of theirs.
    pub fn at(&self, place: usize) -> Option<Unsteady> {
        self.fields.iter().find(|(at, _)| *at == place).map(|(_, unsteady)| *unsteady)
    }

    /// The row with each of them in its one form.
    pub fn steady(&self, row: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(row.len());
        for (place, field) in row.split(|byte| *byte == b'\t').enumerate() {
            if place > 0 {
                out.push(b'\t');
            }
            match self.at(place) {
                Some(unsteady) => out.extend_from_slice(&unsteady.steady(field)),
                None => out.extend_from_slice(field),
            }
        }
        out
    }
}

/// The hash of rows as they are written, and with what is not steady in one form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowHashes {
    /// As they are written.
    pub whole: RowHash,
    /// With what is not steady in one form; of no rows where everything is.
    pub steady: RowHash,
}

impl RowHashes {
    /// Adds one row.
    pub fn add(&mut self, row: &[u8], unsteady: &UnsteadyFields) {
        self.whole.add(row);
        if !unsteady.is_empty() {
            self.steady.add(&unsteady.steady(row));
        }
    }

    /// Adds all that `other` has seen.
    pub fn merge(&mut self, other: &RowHashes) {
        self.whole.merge(&other.whole);
        self.steady.merge(&other.steady);
    }
}

/// Some of the amounts that were seen, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    texts: BTreeSet<String>,
}

impl Amounts {
    /// Takes a value as COPY text. One with a backslash in it is none that a server writes.
    pub fn take(&mut self, field: &[u8]) {
        if self.texts.len() >= AMOUNTS_MAX || field.len() > AMOUNT_BYTES_MAX || field.contains(&b'\\') {
            return;
        }
        if let Ok(text) = std::str::from_utf8(field)
            && !self.texts.contains(text)
        {
            self.texts.insert(text.to_owned());
        }
    }

    /// Adds what was seen elsewhere.
    pub fn merge(&mut self, other: &Amounts) {
        let room = AMOUNTS_MAX.saturating_sub(self.texts.len());
        self.texts.extend(other.texts.iter().take(room).cloned());
    }

    /// The amounts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }
}

/// How each type whose text is not the same everywhere differs, by its OID as text. `of_major` is
/// the major of the server that wrote the rows.
///
/// # Errors
/// The server is gone.
pub async fn unsteady_types(session: &Session, of_major: u32) -> Result<HashMap<String, Unsteady>, Error> {
    let numbers = if of_major < SHORTEST_MAJOR { UNSTEADY_NUMBERS } else { "" };
    let mut found = HashMap::new();
    for row in session.rows(&types_with(&format!("{UNSTEADY}{numbers}"))).await? {
        let [Some(kind), Some(inside), Some(domain)] = row.as_slice() else { continue };
        // A domain is written as what it is over; a `name` has bytes inside, and is a text.
        let own = if domain == "t" { inside } else { kind };
        let unsteady = match Unsteady::of(own, inside) {
            Unsteady::Inside if inside == "18" => continue,
            unsteady => unsteady,
        };
        // What holds several of them has no one form, either.
        let slot = found.entry(kind.clone()).or_insert(unsteady);
        if *slot != unsteady {
            *slot = Unsteady::Inside;
        }
    }
    Ok(found)
}

/// A query of every type that is one of `inside`, or holds it: what it holds, and whether it is a
/// domain over it. Multiranges came with PostgreSQL 14.
pub fn types_with(inside: &str) -> String {
    format!(
        "WITH RECURSIVE part (whole, inside, domain) AS ( \
           SELECT t.oid, t.typbasetype, true FROM pg_catalog.pg_type t WHERE t.typtype = 'd' \
           UNION ALL SELECT t.oid, t.typelem, false FROM pg_catalog.pg_type t WHERE t.typelem <> 0 \
           UNION ALL SELECT r.rngtypid, r.rngsubtype, false FROM pg_catalog.pg_range r \
           UNION ALL SELECT (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::pg_catalog.oid, r.rngsubtype, false \
             FROM pg_catalog.pg_range r \
           UNION ALL SELECT c.reltype, a.atttypid, false FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped \
         ), telling (type, inside, domain) AS ( \
           SELECT v.type, v.inside, true FROM (VALUES {inside}) v (type, inside) \
           UNION SELECT part.whole, telling.inside, part.domain AND telling.domain \
             FROM telling JOIN part ON part.inside = telling.type \
         ) SELECT type, inside, pg_catalog.bool_or(domain) FROM telling GROUP BY 1, 2"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_written_in_several_ways_has_one_form() {
        let single = Unsteady::Number { single: true };
        let double = Unsteady::Number { single: false };
        let table: &[(Unsteady, &str, &str, bool)] = &[
            (Unsteady::Lsn, "0/0", "0/00000000", true),
            (Unsteady::Lsn, "16/B374D848", "16/B374D848", true),
            (Unsteady::Lsn, "16/1", "16/10", false),
            (Unsteady::Lsn, "0/0", "\\N", false),
            (Unsteady::Byte, "a", "a", true),
            (Unsteady::Byte, "a", "b", false),
            (Unsteady::Byte, "\\\\303", "\\\\304", false),
            (double, "0.1", "0.100000000000000006", true),
            (double, "0.1", "0.10000000000000002", false),
            (double, "-0", "0", false),
            (double, "NaN", "NaN", true),
            (single, "0.1", "0.100000001", true),
            (single, "0.1", "0.2", false),
            (Unsteady::Money, "$1.00", "$2.00", true),
            (Unsteady::Inside, "{1}", "{2}", true),
        ];
        for (unsteady, one, other, same) in table {
            let steady = |text: &str| unsteady.steady(text.as_bytes()).into_owned();
            assert_eq!(steady(one) == steady(other), *same, "{unsteady:?} {one} {other}");
        }
        assert_eq!(Unsteady::Byte.steady(b"\\\\303").as_ref(), b"\xc3");
    }

    #[test]
    fn only_the_columns_that_are_not_steady_are_left_out() {
        let fields = UnsteadyFields::new(vec![(1, Unsteady::Money)]);
        let hashes = |row: &str| {
            let mut hashes = RowHashes::default();
            hashes.add(row.as_bytes(), &fields);
            hashes
        };
        let first = hashes("1\t$1.00\tx");
        assert_eq!(first.steady, hashes("1\t1,00 €\tx").steady);
        assert_ne!(first.whole, hashes("1\t1,00 €\tx").whole);
        assert_ne!(first.steady, hashes("1\t$1.00\ty").steady);
        assert_ne!(first.steady, hashes("2\t$1.00\tx").steady);
    }

    #[test]
    fn so_many_amounts_are_remembered_and_no_more() {
        let mut amounts = Amounts::default();
        for n in 0..1000 {
            amounts.take(format!("${n}.00").as_bytes());
        }
        amounts.take(b"\\N");
        amounts.take(&[b'9'; AMOUNT_BYTES_MAX + 1]);
        assert_eq!(amounts.texts().count(), AMOUNTS_MAX);
        let mut merged = Amounts::default();
        merged.merge(&amounts);
        merged.merge(&amounts);
        assert_eq!(merged, amounts);
    }
}
