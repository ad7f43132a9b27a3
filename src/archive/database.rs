//! How the dumped database was created, and the settings it carried.

use crate::archive::error::Error;
use crate::archive::sql::{Malformed, Scanner, Token, quoted};

/// Who provides the database's collations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocaleProvider {
    /// The C library: the only one before PostgreSQL 15.
    #[default]
    Libc,
    /// ICU.
    Icu,
    /// PostgreSQL itself, from 17 on.
    Builtin,
}

impl LocaleProvider {
    /// Its name in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            LocaleProvider::Libc => "libc",
            LocaleProvider::Icu => "icu",
            LocaleProvider::Builtin => "builtin",
        }
    }
}

/// The options of the archive's CREATE DATABASE that a scratch database must share.
/// Names of encodings and locales are text from the archive: write them as literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// ENCODING.
    pub encoding: Option<String>,
    /// LOCALE_PROVIDER.
    pub provider: LocaleProvider,
    /// LOCALE: for both of the next two.
    pub locale: Option<String>,
    /// LC_COLLATE.
    pub lc_collate: Option<String>,
    /// LC_CTYPE.
    pub lc_ctype: Option<String>,
    /// ICU_LOCALE.
    pub icu_locale: Option<String>,
    /// ICU_RULES.
    pub icu_rules: Option<String>,
    /// BUILTIN_LOCALE.
    pub builtin_locale: Option<String>,
    /// Options that are not for a scratch, such as TABLESPACE, and those not known.
    pub ignored: Vec<String>,
}

impl DatabaseSettings {
    /// Reads the definition of a DATABASE entry as PostgreSQL 9.0 to 19 write it.
    pub fn parse(definition: &str) -> Result<DatabaseSettings, Error> {
        parse_create(definition).map_err(|Malformed| Error::Unsafe {
            what: "its DATABASE entry holds a statement that pg_dump does not write".into(),
        })
    }

    /// Puts one option where it belongs.
    fn set(&mut self, option: &str, value: String) -> Result<(), Malformed> {
        let slot = match option {
            "ENCODING" => &mut self.encoding,
            "LOCALE" => &mut self.locale,
            "LC_COLLATE" => &mut self.lc_collate,
            "LC_CTYPE" => &mut self.lc_ctype,
            "ICU_LOCALE" => &mut self.icu_locale,
            "ICU_RULES" => &mut self.icu_rules,
            "BUILTIN_LOCALE" => &mut self.builtin_locale,
            "LOCALE_PROVIDER" => {
                self.provider = match value.to_ascii_lowercase().as_str() {
                    "libc" => LocaleProvider::Libc,
                    "icu" => LocaleProvider::Icu,
                    "builtin" => LocaleProvider::Builtin,
                    _ => return Err(Malformed),
                };
                return Ok(());
            }
            "TEMPLATE" => return Ok(()),
            other => {
                self.ignored.push(other.to_owned());
                return Ok(());
            }
        };
        *slot = Some(value);
        Ok(())
    }
}

fn parse_create(definition: &str) -> Result<DatabaseSettings, Malformed> {
    let mut scanner = Scanner::new(definition);
    let mut settings = DatabaseSettings::default();
    scanner.words(&["CREATE", "DATABASE"])?;
    scanner.identifier()?;
    scanner.took_word("WITH")?;
    while !scanner.took(';')? {
        let Some(Token::Word(mut option)) = scanner.next()? else { return Err(Malformed) };
        if scanner.took_word("LIMIT")? {
            option.push_str(" LIMIT");
        }
        scanner.took('=')?;
        let value = match scanner.next()? {
            Some(
                Token::Literal(value) | Token::Word(value) | Token::Quoted(value) | Token::Number(value),
            ) => value,
            _ => return Err(Malformed),
        };
        settings.set(&option.to_ascii_uppercase(), value)?;
    }
    scanner.end()?;
    Ok(settings)
}

/// One setting of the dumped database, or of a role in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSetting {
    /// The role it holds for; None for the database as a whole.
    pub role: Option<String>,
    /// The parameter's name.
    pub name: String,
    /// Its value, as the elements of a list; mostly one.
    pub values: Vec<String>,
}

impl DatabaseSetting {
    /// `SET "name" TO 'a', 'b'`, written anew: to follow `ALTER DATABASE x`, or alone.
    pub fn set_clause(&self) -> String {
        let values: Vec<String> = self.values.iter().map(|value| literal(value)).collect();
        format!("SET {} TO {}", quoted(&self.name), values.join(", "))
    }
}

/// `text` as a literal that reads alike whether strings conform to the standard or not.
fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// What a DATABASE PROPERTIES entry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseProperties {
    /// The settings, in the order written.
    pub settings: Vec<DatabaseSetting>,
    /// How many other statements it holds: connection limits and the like.
    pub others: usize,
}

impl DatabaseProperties {
    /// Reads the definition of a DATABASE PROPERTIES entry.
    pub fn parse(definition: &str) -> Result<DatabaseProperties, Error> {
        parse_properties(definition).map_err(|Malformed| Error::Unsafe {
            what: "its DATABASE PROPERTIES entry holds a statement that pg_dump does not write".into(),
        })
    }
}

fn parse_properties(definition: &str) -> Result<DatabaseProperties, Malformed> {
    let mut scanner = Scanner::new(definition);
    let mut properties = DatabaseProperties::default();
    while scanner.peek()?.is_some() {
        match parse_setting(&mut scanner)? {
            Some(setting) => properties.settings.push(setting),
            None => {
                while !matches!(scanner.next()?.ok_or(Malformed)?, Token::Symbol(';')) {}
                properties.others += 1;
            }
        }
    }
    Ok(properties)
}

/// `ALTER DATABASE d SET n TO v;` or `ALTER ROLE r IN DATABASE d SET n TO v;`; None, having
/// read the beginning, if it is another statement.
fn parse_setting(scanner: &mut Scanner<'_>) -> Result<Option<DatabaseSetting>, Malformed> {
    if !scanner.took_word("ALTER")? {
        return Ok(None);
    }
    let role = if scanner.took_word("ROLE")? {
        let role = scanner.identifier()?;
        scanner.words(&["IN"])?;
        Some(role)
    } else {
        None
    };
    scanner.words(&["DATABASE"])?;
    scanner.identifier()?;
    if !scanner.took_word("SET")? {
        return Ok(None);
    }
    let mut name = scanner.identifier()?;
    while scanner.took('.')? {
        name = format!("{name}.{}", scanner.identifier()?);
    }
    if !scanner.took_word("TO")? {
        return Ok(None);
    }
    let mut values = vec![value(scanner)?];
    while scanner.took(',')? {
        values.push(value(scanner)?);
    }
    scanner.symbol(';')?;
    Ok(Some(DatabaseSetting { role, name, values }))
}

fn value(scanner: &mut Scanner<'_>) -> Result<String, Malformed> {
    match scanner.next()? {
        Some(Token::Literal(value) | Token::Word(value) | Token::Quoted(value) | Token::Number(value)) => {
            Ok(value)
        }
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn every_spelling_of_a_database_is_read() {
        let utf8 = || DatabaseSettings { encoding: some("UTF8"), ..DatabaseSettings::default() };
        let c = || some("C.UTF-8");
        let table = [
            (
                "CREATE DATABASE fx WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';\n\n",
                DatabaseSettings { locale: c(), ..utf8() },
            ),
            (
                "CREATE DATABASE \"a;b\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'C' LC_CTYPE = 'C.UTF-8';",
                DatabaseSettings { lc_collate: some("C"), lc_ctype: c(), ..utf8() },
            ),
            (
                "CREATE DATABASE fx WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu \
                 LOCALE = 'C.UTF-8' ICU_LOCALE = 'de' ICU_RULES = '& a < ''b''' TABLESPACE = ts1;",
                DatabaseSettings {
                    provider: LocaleProvider::Icu,
                    locale: c(),
                    icu_locale: some("de"),
                    icu_rules: some("& a < 'b'"),
                    ignored: vec!["TABLESPACE".into()],
                    ..utf8()
                },
            ),
            (
                "CREATE DATABASE fx WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin \
                 LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8';",
                DatabaseSettings {
                    provider: LocaleProvider::Builtin,
                    locale: some("C"),
                    builtin_locale: c(),
                    ..utf8()
                },
            ),
        ];
        for (definition, settings) in table {
            assert_eq!(DatabaseSettings::parse(definition).unwrap(), settings, "{definition}");
        }
    }

    #[test]
    fn another_statement_is_not_a_database() {
        for definition in [
            "",
            "CREATE DATABASE x",
            "CREATE DATABASE x; DROP DATABASE y;",
            "DROP DATABASE x;",
            "CREATE DATABASE x WITH ENCODING = (1);",
        ] {
            assert!(DatabaseSettings::parse(definition).is_err(), "{definition}");
        }
    }

    #[test]
    fn settings_are_listed_and_written_anew() {
        let properties = DatabaseProperties::parse(
            "ALTER DATABASE fx SET search_path TO 'app', 'public';\n\
             ALTER DATABASE fx SET \"DateStyle\" TO 'it''s \\';\n\
             ALTER DATABASE fx CONNECTION LIMIT = 5;\n\
             ALTER ROLE r IN DATABASE fx SET \"my.x\" TO '1';\n",
        )
        .unwrap();
        let clauses: Vec<_> = properties.settings.iter().map(DatabaseSetting::set_clause).collect();
        assert_eq!(
            clauses,
            [
                r#"SET "search_path" TO 'app', 'public'"#,
                r#"SET "DateStyle" TO E'it''s \\'"#,
                r#"SET "my.x" TO '1'"#
            ]
        );
        assert_eq!(properties.settings[2].role.as_deref(), Some("r"));
        assert_eq!(properties.others, 1);
        assert!(DatabaseProperties::parse("ALTER DATABASE fx SET a TO (select 1);").is_err());
    }
}
