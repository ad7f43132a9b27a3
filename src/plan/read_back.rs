//! How much of the restored rows the proof reads back.

use std::fmt;

use crate::plan::fault::{Complaint, shortened};

/// Parts of one percent, which is the smallest share that can be asked for.
const PARTS_PER_PERCENT: u32 = 10_000;

/// How much of the restored rows is read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadBack {
    /// Every row.
    #[default]
    All,
    /// Of large tables that went in as text, a share of the rows; of the others, every row.
    Sample {
        /// In millionths: 1 to 999,999.
        share_ppm: u32,
    },
}

impl ReadBack {
    /// `all`, or `sample 5%`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<ReadBack, Complaint> {
        if text.trim() == "all" {
            return Ok(ReadBack::All);
        }
        let share = text.trim().strip_prefix("sample ").and_then(|share| share.trim().strip_suffix('%'));
        let share_ppm = share.and_then(|percent| millionths(percent.trim_end()));
        share_ppm.map(|share_ppm| ReadBack::Sample { share_ppm }).ok_or_else(|| {
            Complaint::new(
                format!("'{}' does not say how much is read back", shortened(text)),
                "write \"all\", or \"sample 5%\", with a share from 0.0001% to 99.9999%",
            )
        })
    }
}

/// `5`, `0.25`: a percentage as millionths, if it lies between none and all.
fn millionths(percent: &str) -> Option<u32> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole, 2) || !digits(fraction, 4) {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<4}").parse().ok()?;
    let parts = whole.parse::<u32>().ok()? * PARTS_PER_PERCENT + fraction;
    (parts > 0).then_some(parts)
}

impl fmt::Display for ReadBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadBack::Sample { share_ppm } = self else { return f.write_str("all") };
        let (whole, fraction) = (share_ppm / PARTS_PER_PERCENT, share_ppm % PARTS_PER_PERCENT);
        let fraction = format!(".{fraction:04}");
        write!(f, "sample {whole}{}%", fraction.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_and_written_alike() {
        let table =
            [("5%", 50_000), ("0.5%", 5_000), ("0.0001%", 1), ("99.9999%", 999_999), ("12.34%", 123_400)];
        for (text, share_ppm) in table {
            let text = format!("sample {text}");
            assert_eq!(ReadBack::parse(&text).unwrap(), ReadBack::Sample { share_ppm });
            assert_eq!(ReadBack::Sample { share_ppm }.to_string(), text);
        }
        assert_eq!(ReadBack::parse("all").unwrap().to_string(), "all");
        assert_eq!(ReadBack::parse("sample 5.0 %").unwrap().to_string(), "sample 5%");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        let bad = [
            "",
            "none",
            "sample",
            "sample 5",
            "5%",
            "sample 0%",
            "sample 100%",
            "sample -5%",
            "sample 5.00001%",
        ];
        for text in
            bad.into_iter().chain(["sample .5%", "sample 5.%", "sample 1e1%", "sample\t5%", "sample 0.0000%"])
        {
            assert!(ReadBack::parse(text).is_err(), "{text:?}");
        }
    }
}
