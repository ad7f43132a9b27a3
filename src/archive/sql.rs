//! The little SQL that is read by meaning: names, literals, punctuation, and nothing else.

/// `name` as an identifier in SQL, always in quotes.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The text is not of the shape that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One token of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare identifier or keyword, as written.
    Word(String),
    /// An identifier in double quotes, without them.
    Quoted(String),
    /// A string in single quotes, without them.
    Literal(String),
    /// An unsigned number, as written.
    Number(String),
    /// A character of its own: `( ) , . = ; -`.
    Symbol(char),
}

/// Reads tokens from text. Comments, dollar quotes and every character that no token begins
/// with are malformed, and so is every escape in an E'' string but a doubled backslash: what
/// is read by meaning holds none of them.
pub(super) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { rest: text }
    }

    /// The next token, or None at the end.
    pub fn next(&mut self) -> Result<Option<Token>, Malformed> {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t']);
        let Some(first) = self.rest.chars().next() else { return Ok(None) };
        let token = match first {
            '"' => Token::Quoted(self.enclosed('"')?),
            '\'' => Token::Literal(self.enclosed('\'')?),
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
                let word = self.run(word);
                match (self.rest.starts_with('\''), word.as_str()) {
                    (false, _) => Token::Word(word),
                    (true, "E") => Token::Literal(unescaped(&self.enclosed('\'')?)?),
                    (true, _) => return Err(Malformed),
                }
            }
            '0'..='9' => Token::Number(self.run(|c| c.is_ascii_digit())),
            '-' if self.rest.starts_with("--") => return Err(Malformed),
            '(' | ')' | ',' | '.' | '=' | ';' | '-' => {
                self.rest = self.rest.get(1..).unwrap_or("");
                Token::Symbol(first)
            }
            _ => return Err(Malformed),
        };
        Ok(Some(token))
    }

    /// The next token without taking it.
    pub fn peek(&self) -> Result<Option<Token>, Malformed> {
        Scanner { rest: self.rest }.next()
    }

    /// Takes this symbol if it comes next.
    pub fn took(&mut self, symbol: char) -> Result<bool, Malformed> {
        let comes = self.peek()? == Some(Token::Symbol(symbol));
        if comes {
            self.next()?;
        }
        Ok(comes)
    }

    /// Takes this keyword, in any case, if it comes next.
    pub fn took_word(&mut self, keyword: &str) -> Result<bool, Malformed> {
        let comes = matches!(self.peek()?, Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if comes {
            self.next()?;
        }
        Ok(comes)
    }

    /// Takes these keywords in order.
    pub fn words(&mut self, keywords: &[&str]) -> Result<(), Malformed> {
        for keyword in keywords {
            if !self.took_word(keyword)? {
                return Err(Malformed);
            }
        }
        Ok(())
    }

    /// Takes this symbol.
    pub fn symbol(&mut self, symbol: char) -> Result<(), Malformed> {
        if self.took(symbol)? { Ok(()) } else { Err(Malformed) }
    }

    /// Takes an identifier; a bare one must be in lower case, as pg_dump quotes all others.
    pub fn identifier(&mut self) -> Result<String, Malformed> {
        match self.next()? {
            Some(Token::Quoted(name)) if !name.is_empty() => Ok(name),
            Some(Token::Word(name)) if !name.contains(|c: char| c.is_ascii_uppercase()) => Ok(name),
            _ => Err(Malformed),
        }
    }

    /// Takes `schema.name`, or `name` alone.
    pub fn qualified_name(&mut self) -> Result<(Option<String>, String), Malformed> {
        let first = self.identifier()?;
        if self.took('.')? { Ok((Some(first), self.identifier()?)) } else { Ok((None, first)) }
    }

    /// Takes the name of a table, with its schema: `namespace` where that is left out, as in archives
    /// before 1.13.
    pub fn table(&mut self, namespace: Option<&str>) -> Result<(String, String), Malformed> {
        let (schema, name) = self.qualified_name()?;
        Ok((schema.or_else(|| namespace.map(str::to_owned)).ok_or(Malformed)?, name))
    }

    /// Takes identifiers that are parted by commas, up to the bracket that closes, and that too;
    /// at least one, and at most so many.
    pub fn identifiers(&mut self, most: usize) -> Result<Vec<String>, Malformed> {
        let mut names = Vec::new();
        while names.len() < most {
            names.push(self.identifier()?);
            if self.took(')')? {
                return Ok(names);
            }
            self.symbol(',')?;
        }
        Err(Malformed)
    }

    /// What was not read.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// Nothing may follow.
    pub fn end(&mut self) -> Result<(), Malformed> {
        if self.next()?.is_none() { Ok(()) } else { Err(Malformed) }
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run.to_owned()
    }

    /// The text between quotes, in which a doubled quote is one.
    fn enclosed(&mut self, quote: char) -> Result<String, Malformed> {
        let mut text = String::new();
        let mut rest = self.rest.get(1..).ok_or(Malformed)?;
        loop {
            let (before, after) = rest.split_once(quote).ok_or(Malformed)?;
            text.push_str(before);
            match after.strip_prefix(quote) {
                Some(more) => {
                    text.push(quote);
                    rest = more;
                }
                None => {
                    self.rest = after;
                    return Ok(text);
                }
            }
        }
    }
}

/// The text of an E'' string in which every backslash is doubled.
fn unescaped(text: &str) -> Result<String, Malformed> {
    let halves: Vec<&str> = text.split("\\\\").collect();
    if halves.iter().any(|half| half.contains('\\')) { Err(Malformed) } else { Ok(halves.join("\\")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
        let mut scanner = Scanner::new(text);
        std::iter::from_fn(|| scanner.next().transpose()).collect()
    }

    #[test]
    fn text_is_cut_into_tokens() {
        let expected = vec![
            Token::Word("set".into()),
            Token::Quoted("a\"b".into()),
            Token::Symbol('='),
            Token::Literal("it's".into()),
            Token::Symbol(','),
            Token::Symbol('-'),
            Token::Number("12".into()),
            Token::Symbol(';'),
        ];
        assert_eq!(tokens("set \"a\"\"b\" = 'it''s', -12;\n"), Ok(expected));
    }

    #[test]
    fn a_string_with_escapes_may_escape_backslashes_alone() {
        let literal = |text: &str| Ok(vec![Token::Literal(text.into())]);
        assert_eq!(tokens(r"E'it''s \\ \\'"), literal(r"it's \ \"));
        assert_eq!(tokens(r"'it''s \'"), literal(r"it's \"));
        assert_eq!(tokens(r"E'\\\'"), Err(Malformed));
    }

    #[test]
    fn what_no_statement_of_ours_holds_is_malformed() {
        for text in ["-- a comment", "$$x$$", "E'\\n'", "'open", "\"open", "/* x */", "a:b", "\\q", "ü"] {
            assert_eq!(tokens(text), Err(Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_quoted_name_reads_back_as_itself(name in "\\PC{1,40}") {
            prop_assert_eq!(Scanner::new(&quoted(&name)).identifier(), Ok(name));
        }
    }
}
