//! What a check expects of its one value: `= 0`, `>= 10`, `between 1 and 5`, `in (a, 'b c')`.

use std::fmt;

use crate::plan::fault::{Complaint, shortened};
use crate::plan::number::Number;

/// The longest expectation, in bytes.
const LONGEST: usize = 4096;

/// An expectation. Numbers are compared exactly, as decimals; texts byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// `= VALUE`
    Equal(Value),
    /// `!= VALUE`
    NotEqual(Value),
    /// `>= NUMBER`
    AtLeast(Number),
    /// `> NUMBER`
    Above(Number),
    /// `<= NUMBER`
    AtMost(Number),
    /// `< NUMBER`
    Below(Number),
    /// `between NUMBER and NUMBER`, both included; the first is not above the second.
    Between(Number, Number),
    /// `in (VALUE, …)`, at least one.
    In(Vec<Value>),
}

/// A number, or a text. A bare word that reads as a number is one; quotes make it a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A finite decimal.
    Number(Number),
    /// Anything else.
    Text(String),
}

impl Expectation {
    /// Reads an expectation as the plan writes it.
    ///
    /// # Errors
    /// What is wrong with the text, and what to write instead.
    pub fn parse(text: &str) -> Result<Expectation, Complaint> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(Complaint::new("it is longer than 4,096 bytes", "ask a narrower question in SQL"));
        }
        if let Some(rest) = word(text, "between") {
            return between(rest);
        }
        if let Some(rest) = word(text, "in") {
            return one_of(rest);
        }
        let end = text.find(|c| !"=!<>".contains(c)).unwrap_or(text.len());
        let (operator, operand) = text.split_at(end);
        match operator {
            "=" => single(operand).map(Expectation::Equal),
            "!=" => single(operand).map(Expectation::NotEqual),
            ">=" => number(operand).map(Expectation::AtLeast),
            ">" => number(operand).map(Expectation::Above),
            "<=" => number(operand).map(Expectation::AtMost),
            "<" => number(operand).map(Expectation::Below),
            _ => Err(no_operator(text, operator)),
        }
    }

    /// Whether the value that a check gave is one of those expected.
    ///
    /// # Errors
    /// One line, without the value, if the question has no answer: a number is expected and
    /// the value is none, or not a finite one. That is never taken for "not equal".
    pub fn accepts(&self, observed: &str) -> Result<bool, String> {
        let ordered = || {
            Number::parse(observed)
                .ok_or_else(|| format!("the answer is no finite number, and '{self}' needs one"))
        };
        match self {
            Expectation::Equal(value) => self.equals(value, observed),
            Expectation::NotEqual(value) => Ok(!self.equals(value, observed)?),
            Expectation::AtLeast(bound) => Ok(ordered()? >= *bound),
            Expectation::Above(bound) => Ok(ordered()? > *bound),
            Expectation::AtMost(bound) => Ok(ordered()? <= *bound),
            Expectation::Below(bound) => Ok(ordered()? < *bound),
            Expectation::Between(low, high) => {
                let number = ordered()?;
                Ok(*low <= number && number <= *high)
            }
            Expectation::In(values) => self.is_among(values, observed),
        }
    }

    fn equals(&self, value: &Value, observed: &str) -> Result<bool, String> {
        match value {
            Value::Text(text) => Ok(text == observed),
            Value::Number(expected) => Number::parse(observed)
                .map(|number| number == *expected)
                .ok_or_else(|| format!("the answer is no finite number, and '{self}' needs one")),
        }
    }

    fn is_among(&self, values: &[Value], observed: &str) -> Result<bool, String> {
        let mut answers = values.iter().map(|value| self.equals(value, observed)).collect::<Vec<_>>();
        if answers.contains(&Ok(true)) {
            return Ok(true);
        }
        // among words and numbers an unlisted word is simply not there; among numbers alone it is no answer
        if answers.contains(&Ok(false)) { Ok(false) } else { answers.pop().unwrap_or(Ok(false)) }
    }
}

/// The rest of `text` behind the whole word `first`.
fn word<'t>(text: &'t str, first: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(first)?;
    (rest.is_empty() || rest.starts_with([' ', '\t', '('])).then_some(rest.trim_start())
}

fn between(rest: &str) -> Result<Expectation, Complaint> {
    let (low, high) = rest
        .split_once(" and ")
        .ok_or_else(|| Complaint::new("'between' needs two numbers", "write 'between 1 and 5'"))?;
    let (low, high) = (number(low)?, number(high)?);
    if low > high {
        return Err(Complaint::new(
            format!("nothing lies between {low} and {high}"),
            format!("write 'between {high} and {low}'"),
        ));
    }
    Ok(Expectation::Between(low, high))
}

fn one_of(rest: &str) -> Result<Expectation, Complaint> {
    let list = rest
        .strip_prefix('(')
        .and_then(|list| list.strip_suffix(')'))
        .ok_or_else(|| Complaint::new("'in' needs a list in parentheses", "write 'in (a, b)'"))?;
    let mut values = Vec::new();
    let mut rest = list;
    loop {
        let (value, tail) = value(rest)?;
        values.push(value);
        match tail.strip_prefix(',') {
            Some(more) => rest = more,
            None if tail.is_empty() => return Ok(Expectation::In(values)),
            None => return Err(no_value(tail)),
        }
    }
}

fn single(operand: &str) -> Result<Value, Complaint> {
    match value(operand)? {
        (value, "") => Ok(value),
        (_, _) => Err(no_value(operand)),
    }
}

fn number(operand: &str) -> Result<Number, Complaint> {
    let operand = operand.trim();
    Number::parse(operand).ok_or_else(|| {
        Complaint::new(format!("'{}' is not a finite number", shortened(operand)), "write one, as in '>= 10'")
    })
}

/// One value at the start of `text`, and what follows it, both without space around.
fn value(text: &str) -> Result<(Value, &str), Complaint> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix('\'') {
        return quoted_value(quoted);
    }
    let end = text.find([',', '\'', '(', ')', ' ', '\t']).unwrap_or(text.len());
    let (bare, tail) = text.split_at(end);
    if bare.is_empty() {
        return Err(no_value(text));
    }
    if bare.eq_ignore_ascii_case("null") {
        return Err(Complaint::new(
            "nothing equals null",
            "let the SQL say what null means, with coalesce(…)",
        ));
    }
    let value = Number::parse(bare).map_or_else(|| Value::Text(bare.into()), Value::Number);
    Ok((value, tail.trim_start()))
}

/// A text behind its opening quote; a quote inside is doubled.
fn quoted_value(mut rest: &str) -> Result<(Value, &str), Complaint> {
    let mut text = String::new();
    loop {
        let (piece, tail) = rest.split_once('\'').ok_or_else(|| {
            Complaint::new("a quote is not closed", "write = 'a text', and '' for a quote in it")
        })?;
        text.push_str(piece);
        match tail.strip_prefix('\'') {
            Some(more) => {
                text.push('\'');
                rest = more;
            }
            None => return Ok((Value::Text(text), tail.trim_start())),
        }
    }
}

fn no_value(text: &str) -> Complaint {
    Complaint::new(
        format!("'{}' is not one value", shortened(text.trim())),
        "write a number or a word, or quote a text, as in = 'two words'",
    )
}

fn no_operator(text: &str, operator: &str) -> Complaint {
    let remedy = match operator {
        "==" => "write '='".into(),
        "<>" => "write '!='".into(),
        "=>" => "write '>='".into(),
        "=<" => "write '<='".into(),
        "" if Number::parse(text).is_some() => format!("write '= {}'", shortened(text)),
        _ => "write one of =, !=, >=, >, <=, <, 'between 1 and 5', 'in (a, b)'".into(),
    };
    let shown = if operator.is_empty() { text } else { operator };
    Complaint::new(format!("'{}' is no comparison", shortened(shown)), remedy)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Equal(value) => write!(f, "= {value}"),
            Expectation::NotEqual(value) => write!(f, "!= {value}"),
            Expectation::AtLeast(bound) => write!(f, ">= {bound}"),
            Expectation::Above(bound) => write!(f, "> {bound}"),
            Expectation::AtMost(bound) => write!(f, "<= {bound}"),
            Expectation::Below(bound) => write!(f, "< {bound}"),
            Expectation::Between(low, high) => write!(f, "between {low} and {high}"),
            Expectation::In(values) => {
                let values: Vec<_> = values.iter().map(Value::to_string).collect();
                write!(f, "in ({})", values.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_accepts_what_it_says_and_nothing_else() {
        let table = [
            ("= 0", "0", true),
            ("= 0", "0.00", true),
            ("= 0", "-0", true),
            ("=0", "1", false),
            ("= t", "t", true),
            ("= t", "f", false),
            ("= 'two words'", "two words", true),
            ("= 'it''s'", "it's", true),
            ("= '0'", "0.0", false),
            ("!= 0", "1", true),
            ("!= 0", "0", false),
            (">= 10", "10", true),
            (">= 10", "9.9999999999999999999999", false),
            ("> 10", "10", false),
            ("> 10", "1e1000", false),
            ("<= 3", "3.0", true),
            ("< 3", "-4", true),
            ("<= 9007199254740993", "9007199254740994", false),
            ("between 1 and 5", "1", true),
            ("between 1 and 5", "5.0001", false),
            ("in (a, b)", "b", true),
            ("in(a,b)", "c", false),
            ("in ('a, b', 3)", "a, b", true),
            ("in ('a, b', 3)", "3.0", true),
            ("in ('a, b', 3)", "x", false),
        ];
        for (expectation, observed, accepted) in table {
            let answer = Expectation::parse(expectation).unwrap().accepts(observed);
            if observed == "1e1000" {
                assert!(answer.is_err(), "beyond every bound is no number");
                continue;
            }
            assert_eq!(answer, Ok(accepted), "{observed} {expectation}");
        }
    }

    #[test]
    fn what_is_no_number_never_meets_and_never_misses_a_number() {
        for expectation in ["= 0", "!= 0", ">= 0", "> 0", "<= 0", "< 0", "between 0 and 1", "in (0, 1)"] {
            let expectation = Expectation::parse(expectation).unwrap();
            for observed in ["NaN", "Infinity", "-Infinity", "", " ", "null", "t", "0x0", "2026-11-20", "1,5"]
            {
                assert!(expectation.accepts(observed).is_err(), "{observed:?} {expectation}");
            }
        }
    }

    #[test]
    fn expectations_read_back_as_they_are_shown() {
        for text in [
            "= 0",
            "!= -1.5",
            ">= 10",
            "> 0",
            "<= 3",
            "< 1000000",
            "between -1 and 5",
            "= 'it''s'",
            "in ('a b', 3)",
        ] {
            let expectation = Expectation::parse(text).unwrap();
            assert_eq!(expectation.to_string(), text);
            assert_eq!(Expectation::parse(&expectation.to_string()), Ok(expectation));
        }
    }

    #[test]
    fn a_wrong_expectation_says_what_to_write() {
        let table = [
            ("0", "'0' is no comparison; write '= 0'"),
            ("== 0", "'==' is no comparison; write '='"),
            ("<> 0", "'<>' is no comparison; write '!='"),
            ("", "'' is no comparison; write one of"),
            ("matches ^a", "'matches ^a' is no comparison; write one of"),
            ("= ", "'' is not one value; write a number"),
            ("= a b", "'a b' is not one value; write a number"),
            ("= null", "nothing equals null; let the SQL say"),
            (">= many", "'many' is not a finite number; write one"),
            ("> NaN", "'NaN' is not a finite number"),
            ("between 5 and 1", "nothing lies between 5 and 1; write 'between 1 and 5'"),
            ("between 5", "'between' needs two numbers"),
            ("in a, b", "'in' needs a list in parentheses"),
            ("in ()", "'' is not one value"),
            ("in (a b)", "'b' is not one value"),
            ("= 'open", "a quote is not closed"),
        ];
        for (text, message) in table {
            let error = Expectation::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }
}
