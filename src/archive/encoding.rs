//! The encoding that an archive's strings and rows are in.

use std::fmt;

use crate::archive::error::Error;

/// A character encoding, by PostgreSQL's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    name: String,
}

/// How bytes become text.
enum Table {
    /// The bytes must be UTF-8 already.
    Utf8,
    /// A byte is the code point.
    Direct,
    /// ISO 8859: 0x80 to 0x9F are control characters, the rest is as in the given table.
    Iso8859(&'static encoding_rs::Encoding),
    /// The given table as it is.
    Given(&'static encoding_rs::Encoding),
    /// No table at hand: ASCII only.
    Ascii,
}

impl Encoding {
    /// The encoding that PostgreSQL calls `name`: letters, digits, `_` and `-` only, as the
    /// name goes into a SET.
    pub fn new(name: &str) -> Result<Encoding, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(Error::Unsafe { what: "the name of its encoding is no name".into() });
        }
        Ok(Encoding { name: name.to_owned() })
    }

    /// PostgreSQL's name, for `client_encoding` of the connections that carry its data.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a second byte of a character may look like a backslash: bytewise unescaping
    /// of such text would be wrong.
    pub fn has_ascii_trail_bytes(&self) -> bool {
        let folded = self.folded();
        [
            "sjis",
            "shiftjis",
            "shiftjis2004",
            "big5",
            "win950",
            "gbk",
            "win936",
            "uhc",
            "win949",
            "johab",
            "gb18030",
        ]
        .contains(&folded.as_str())
    }

    /// `bytes` as text, or an error that names the encoding; nothing is ever replaced.
    pub fn decode(&self, bytes: Vec<u8>) -> Result<String, Error> {
        let table = self.table();
        if bytes.is_ascii() || matches!(table, Table::Utf8) {
            return String::from_utf8(bytes).map_err(|_| self.undecodable());
        }
        match table {
            Table::Utf8 | Table::Ascii => Err(self.undecodable()),
            Table::Direct => Ok(bytes.into_iter().map(char::from).collect()),
            Table::Given(table) => self.by_table(table, &bytes),
            Table::Iso8859(table) => bytes.iter().try_fold(String::new(), |mut text, byte| {
                match byte {
                    0x80..=0x9f => text.push(char::from(*byte)),
                    _ => text.push_str(&self.by_table(table, std::slice::from_ref(byte))?),
                }
                Ok(text)
            }),
        }
    }

    fn by_table(&self, table: &'static encoding_rs::Encoding, bytes: &[u8]) -> Result<String, Error> {
        table
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(|text| text.into_owned())
            .ok_or_else(|| self.undecodable())
    }

    fn undecodable(&self) -> Error {
        Error::Unsupported { what: format!("text that can't be decoded from {}", self.name) }
    }

    /// The name without case and punctuation, as PostgreSQL compares it.
    fn folded(&self) -> String {
        self.name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    }

    fn table(&self) -> Table {
        use Table::{Direct, Given, Iso8859, Utf8};
        match self.folded().as_str() {
            // SQL_ASCII means "not told": text that is UTF-8 all the same is taken as such.
            "utf8" | "unicode" | "sqlascii" => Utf8,
            "latin1" | "iso88591" => Direct,
            "latin2" | "iso88592" => Iso8859(encoding_rs::ISO_8859_2),
            "latin3" | "iso88593" => Iso8859(encoding_rs::ISO_8859_3),
            "latin4" | "iso88594" => Iso8859(encoding_rs::ISO_8859_4),
            "latin5" | "iso88599" => Iso8859(encoding_rs::WINDOWS_1254),
            "latin6" | "iso885910" => Iso8859(encoding_rs::ISO_8859_10),
            "latin7" | "iso885913" => Iso8859(encoding_rs::ISO_8859_13),
            "latin8" | "iso885914" => Iso8859(encoding_rs::ISO_8859_14),
            "latin9" | "iso885915" => Iso8859(encoding_rs::ISO_8859_15),
            "latin10" | "iso885916" => Iso8859(encoding_rs::ISO_8859_16),
            "iso88595" => Iso8859(encoding_rs::ISO_8859_5),
            "iso88596" => Iso8859(encoding_rs::ISO_8859_6),
            "iso88597" => Iso8859(encoding_rs::ISO_8859_7),
            "iso88598" => Iso8859(encoding_rs::ISO_8859_8),
            "win866" | "alt" => Given(encoding_rs::IBM866),
            "win874" => Given(encoding_rs::WINDOWS_874),
            "win1250" => Given(encoding_rs::WINDOWS_1250),
            "win1251" | "win" => Given(encoding_rs::WINDOWS_1251),
            "win1252" => Given(encoding_rs::WINDOWS_1252),
            "win1253" => Given(encoding_rs::WINDOWS_1253),
            "win1254" => Given(encoding_rs::WINDOWS_1254),
            "win1255" => Given(encoding_rs::WINDOWS_1255),
            "win1256" => Given(encoding_rs::WINDOWS_1256),
            "win1257" => Given(encoding_rs::WINDOWS_1257),
            "win1258" | "abc" | "tcvn" | "tcvn5712" | "vscii" => Given(encoding_rs::WINDOWS_1258),
            "koi8" | "koi8r" => Given(encoding_rs::KOI8_R),
            "koi8u" => Given(encoding_rs::KOI8_U),
            "eucjp" => Given(encoding_rs::EUC_JP),
            "sjis" | "shiftjis" | "mskanji" | "win932" | "windows932" => Given(encoding_rs::SHIFT_JIS),
            "euckr" | "uhc" | "win949" | "windows949" => Given(encoding_rs::EUC_KR),
            "euccn" | "gbk" | "win936" | "windows936" => Given(encoding_rs::GBK),
            "gb18030" => Given(encoding_rs::GB18030),
            "big5" | "win950" | "windows950" => Given(encoding_rs::BIG5),
            _ => Table::Ascii,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(name: &str, bytes: &[u8]) -> Option<String> {
        Encoding::new(name).unwrap().decode(bytes.to_vec()).ok()
    }

    #[test]
    fn strings_decode_or_the_encoding_is_named() {
        let table: &[(&str, &[u8], Option<&str>)] = &[
            ("UTF8", "ünï".as_bytes(), Some("ünï")),
            ("UTF8", b"\xff", None),
            ("SQL_ASCII", "ünï".as_bytes(), Some("ünï")),
            ("SQL_ASCII", b"\xff", None),
            ("LATIN1", b"\xfc\x80", Some("ü\u{80}")),
            ("LATIN5", b"\xfd\x80", Some("ı\u{80}")),
            ("LATIN9", b"\xa4", Some("€")),
            ("WIN1252", b"\x80", Some("€")),
            ("KOI8R", b"\xc1", Some("а")),
            ("EUC_JP", b"\xc9\xbd", Some("表")),
            ("SJIS", b"\x95\x5c", Some("表")),
            ("SJIS", b"\x95", None),
            ("GB18030", b"\xb1\xed", Some("表")),
            ("EUC_TW", b"plain", Some("plain")),
            ("EUC_TW", b"\xc4\xe3", None),
        ];
        for (name, bytes, text) in table {
            assert_eq!(decoded(name, bytes).as_deref(), *text, "{name}");
        }
        let error = Encoding::new("EUC_TW").unwrap().decode(vec![0xff]).unwrap_err();
        assert!(error.to_string().contains("EUC_TW"));
    }

    #[test]
    fn the_name_of_an_encoding_carries_no_sql() {
        for name in ["", "UTF8'; drop table x; --", "UTF 8"] {
            assert!(Encoding::new(name).is_err(), "{name}");
        }
    }
}
