//! What a check expects of its one value: `= 0`, `>= 10`, `between 1 and 5`, `in (a, 'b c')`,
//! `matches '^v[0-9]'`; or by the value of the last pass: `within 5% of last`, `>= last`.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

use crate::plan::fault::{Complaint, shortened};
use crate::plan::number::Number;

/// The longest expectation, in bytes.
const LONGEST: usize = 4096;

/// What a compiled expression may take in memory, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

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
    /// `matches 'EXPRESSION'`, anywhere in the text unless it is anchored.
    Matches(Expression),
    /// `within NUMBER% of last`: not further from the last value than that share of it.
    Within(Number),
    /// `>= NUMBER% of last`, or `>= last`.
    OfLast(Order, Number),
}

/// How a value stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
}

impl Order {
    const ALL: [Order; 5] = [Order::Equal, Order::AtLeast, Order::Above, Order::AtMost, Order::Below];

    fn as_str(self) -> &'static str {
        match self {
            Order::Equal => "=",
            Order::AtLeast => ">=",
            Order::Above => ">",
            Order::AtMost => "<=",
            Order::Below => "<",
        }
    }

    fn holds(self, left: &Number, right: &Number) -> bool {
        match self {
            Order::Equal => left == right,
            Order::AtLeast => left >= right,
            Order::Above => left > right,
            Order::AtMost => left <= right,
            Order::Below => left < right,
        }
    }
}

/// A regular expression; takes time in proportion to the text.
#[derive(Clone, Debug)]
pub struct Expression(Regex);

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Expression {}

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
        if let Some(rest) = word(text, "matches") {
            return expression(rest);
        }
        if let Some(rest) = word(text, "within") {
            return match share(rest)? {
                Some(Share::Percent(percent)) if !percent.is_negative() => Ok(Expectation::Within(percent)),
                _ => Err(Complaint::new(
                    "'within' needs a share of the last value",
                    "write 'within 5% of last'",
                )),
            };
        }
        let end = text.find(|c| !"=!<>".contains(c)).unwrap_or(text.len());
        let (operator, operand) = text.split_at(end);
        if let Some(order) = Order::ALL.into_iter().find(|order| order.as_str() == operator)
            && let Some(share) = share(operand)?
        {
            return Ok(Expectation::OfLast(order, share.percent()));
        }
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

    /// Whether it is measured by the value of the last pass.
    pub fn is_relative(&self) -> bool {
        matches!(self, Expectation::Within(_) | Expectation::OfLast(..))
    }

    /// Whether the value that a check gave is one of those expected, by the value that it gave
    /// at the last pass where that matters; `None` where it matters and there was none.
    ///
    /// # Errors
    /// As [`Expectation::accepts`].
    pub fn accepts_after(&self, observed: &str, last: Option<&str>) -> Result<Option<bool>, String> {
        if !self.is_relative() {
            return self.accepts(observed).map(Some);
        }
        let observed = Number::parse(observed)
            .ok_or_else(|| format!("the answer is no finite number, and '{self}' needs one"))?;
        let Some(last) = last.and_then(Number::parse) else { return Ok(None) };
        Ok(Some(match self {
            Expectation::Within(percent) => {
                let away = observed.plus(&last.negated()).magnitude();
                away <= last.magnitude().percent(percent)
            }
            Expectation::OfLast(order, percent) => order.holds(&observed, &last.percent(percent)),
            _ => return Err("it is not measured by the last value".into()),
        }))
    }

    /// Whether the value that a check gave is one of those expected.
    ///
    /// # Errors
    /// One line, without the value, if the question has no answer: a number is expected and
    /// the value is none, or not a finite one, or the last value would be needed. That is never
    /// taken for "not equal".
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
            Expectation::Matches(Expression(regex)) => Ok(regex.is_match(observed)),
            Expectation::Within(_) | Expectation::OfLast(..) => {
                Err(format!("'{self}' needs the value of the last pass"))
            }
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

/// A share of the last value.
enum Share {
    /// `last` itself.
    Whole,
    /// `5% of last`.
    Percent(Number),
}

impl Share {
    fn percent(self) -> Number {
        match self {
            Share::Whole => Number::from(100_u64),
            Share::Percent(percent) => percent,
        }
    }
}

/// `last` or `5% of last`; `None` for what speaks of something else.
fn share(text: &str) -> Result<Option<Share>, Complaint> {
    let text = text.trim();
    if text == "last" {
        return Ok(Some(Share::Whole));
    }
    let about_last =
        |(_, rest): &(&str, &str)| rest.trim_start().starts_with("of ") && !text.starts_with('\'');
    let Some((percent, rest)) = text.split_once('%').filter(about_last) else { return Ok(None) };
    if rest.split_whitespace().collect::<Vec<_>>() != ["of", "last"] {
        return Err(Complaint::new("a share is of the last value only", "write '5% of last'"));
    }
    number(percent).map(|percent| Some(Share::Percent(percent)))
}

fn expression(rest: &str) -> Result<Expectation, Complaint> {
    let text = match rest.strip_prefix('\'') {
        Some(quoted) => match quoted_value(quoted)? {
            (Value::Text(text), "") => text,
            _ => return Err(no_value(rest)),
        },
        None => rest.to_owned(),
    };
    if text.is_empty() {
        return Err(Complaint::new("an empty expression matches everything", "write matches '^v[0-9]+$'"));
    }
    let compiled = RegexBuilder::new(&text).size_limit(REGEX_BYTES_MAX).build();
    compiled.map(|regex| Expectation::Matches(Expression(regex))).map_err(|_| {
        let problem = format!("'{}' is not a regular expression that can be used", shortened(&text));
        Complaint::new(problem, "write one as in matches '^v[0-9]+$'")
    })
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
        _ => "write one of =, !=, >=, >, <=, <, 'between 1 and 5', 'in (a, b)', 'matches EXPRESSION', 'within 5% of last'".into(),
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
            Expectation::Matches(Expression(regex)) => {
                write!(f, "matches '{}'", regex.as_str().replace('\'', "''"))
            }
            Expectation::Within(percent) => write!(f, "within {percent}% of last"),
            Expectation::OfLast(order, percent) if *percent == Number::from(100_u64) => {
                write!(f, "{} last", order.as_str())
            }
            Expectation::OfLast(order, percent) => write!(f, "{} {percent}% of last", order.as_str()),
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
            ("matches ^v[0-9]+$", "v12", true),
            ("matches ^v[0-9]+$", "v12 ", false),
            ("matches 'it''s'", "so it's", true),
            ("= 'last'", "last", true),
            ("= '5% of last'", "5% of last", true),
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
    fn the_last_value_decides_where_it_is_asked_for() {
        let table = [
            ("within 5% of last", "105", "100", true),
            ("within 5% of last", "95", "100", true),
            ("within 5% of last", "105.0000001", "100", false),
            ("within 5% of last", "94", "100", false),
            ("within 5% of last", "-105", "-100", true),
            ("within 5% of last", "-106", "-100", false),
            ("within 5% of last", "0", "0", true),
            ("within 5% of last", "1", "0", false),
            ("within 0.5% of last", "1005", "1000", true),
            ("within 300% of last", "0", "1", true),
            (">= last", "99", "100", false),
            (">= last", "100.0", "100", true),
            ("= last", "100", "1e2", true),
            ("> last", "100", "100", false),
            ("< 110% of last", "109", "100", true),
            ("<= 110% of last", "111", "100", false),
            (">= 50% of last", "50", "100", true),
            (">= 50% of last", "49", "100", false),
        ];
        for (expectation, observed, last, accepted) in table {
            let expectation = Expectation::parse(expectation).unwrap();
            assert!(expectation.is_relative());
            let answer = expectation.accepts_after(observed, Some(last));
            assert_eq!(answer, Ok(Some(accepted)), "{observed} {expectation}, after {last}");
        }
    }

    #[test]
    fn without_a_last_value_a_relative_expectation_is_neither_met_nor_missed() {
        let expectation = Expectation::parse("within 5% of last").unwrap();
        for last in [None, Some("many"), Some("NaN"), Some("")] {
            assert_eq!(expectation.accepts_after("100", last), Ok(None), "{last:?}");
        }
        assert!(expectation.accepts_after("NaN", Some("100")).is_err());
        assert!(expectation.accepts("100").is_err());
        assert_eq!(Expectation::parse("= 1").unwrap().accepts_after("1", None), Ok(Some(true)));
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
            "matches '^it''s [0-9]+'",
            "within 5% of last",
            "within 0.5% of last",
            ">= last",
            "< 110% of last",
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
            ("matches", "an empty expression matches everything"),
            ("matches (", "'(' is not a regular expression"),
            ("like a%", "'like a%' is no comparison; write one of"),
            ("within 5", "'within' needs a share of the last value; write 'within 5% of last'"),
            ("within -5% of last", "'within' needs a share of the last value"),
            ("within 5% of 7", "a share is of the last value only; write '5% of last'"),
            (">= some% of last", "'some' is not a finite number"),
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
