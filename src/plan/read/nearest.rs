//! Which known word a misspelt one was meant to be.

/// The known word nearest to `word`, if it is near: one slip in a short word, two in others.
/// A slip is a letter too many, too few, wrong, or swapped with its neighbour.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().replace('-', "_").chars().collect();
    known
        .into_iter()
        .map(|known| (slips(&word, &known.chars().collect::<Vec<_>>()), known))
        .filter(|(slips, known)| *slips <= if known.len() < 6 { 1 } else { 2 })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// The distance between two words in slips, by the rows of the usual table.
fn slips(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&above, j) + usize::from(letter != other))
                .min(at(&above, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(other) && b.get(j - 1) == Some(letter);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_finds_its_word_and_a_stranger_none() {
        let known = ["rto", "rpo", "backup", "scratch", "description", "postgres_bin"];
        let table = [
            ("rto ", Some("rto")),
            ("RTO", Some("rto")),
            ("bakcup", Some("backup")),
            ("backups", Some("backup")),
            ("sratch", Some("scratch")),
            ("decsriptoin", Some("description")),
            ("postgres-bin", Some("postgres_bin")),
            ("proof", None),
            ("", None),
            ("x", None),
        ];
        for (word, meant) in table {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
    }
}
