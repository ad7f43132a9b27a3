//! Values of each type as COPY text, at its edges and by chance.

use firedrill::restore::binary::Scalar;

use crate::dice::Dice;

/// One type.
pub struct Case {
    pub sql: &'static str,
    /// How it is converted, or its elements.
    pub scalar: Scalar,
    /// Values that are always tried.
    pub edges: &'static [&'static str],
    /// A random one, which firedrill must take.
    pub value: fn(&mut Dice) -> String,
    /// Whether the server takes whatever firedrill takes: where its answer hangs on more than
    /// the spelling, a changed character may be refused in either form.
    pub may_be_misspelled: bool,
}

const fn case(
    sql: &'static str,
    scalar: Scalar,
    edges: &'static [&'static str],
    value: fn(&mut Dice) -> String,
) -> Case {
    Case { sql, scalar, edges, value, may_be_misspelled: true }
}

const fn exact(
    sql: &'static str,
    scalar: Scalar,
    edges: &'static [&'static str],
    value: fn(&mut Dice) -> String,
) -> Case {
    Case { sql, scalar, edges, value, may_be_misspelled: false }
}

const REAL: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "0.1",
    "1e-05",
    "123456",
    "1e+15",
    "3.4028235e+38",
];
const DATES: &[&str] = &[
    "0001-01-01",
    "9999-12-31",
    "2000-01-01",
    "1999-12-31",
    "2000-02-29",
    "1900-02-28",
    "infinity",
    "-infinity",
];
const MOMENTS: &[&str] = &[
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59.999999",
    "2000-01-01 00:00:00",
    "1999-12-31 23:59:59.999999",
    "infinity",
    "-infinity",
    "1582-10-15 00:00:00.5",
];
const ROUNDED: &[&str] = &["1999-12-31 23:59:59.9995", "2000-01-01 00:00:00.5", "2000-01-01 00:00:01.5"];
const NUMERICS: &[&str] = &[
    "0",
    "0.0",
    "0.000000",
    "1",
    "-1",
    "9999",
    "10000",
    "9999.9999",
    "0.0001",
    "0.00001",
    "-0.00010000",
    "10000.0001",
    "100000000",
    "123456789.987654321",
    "10000000000000000000000000000000000000000",
];

pub const CASES: &[Case] = &[
    case("boolean", Scalar::Bool, &["t", "f"], |dice| dice.any(&["t", "f"]).into()),
    case("smallint", Scalar::Int2, &["0", "-1", "32767", "-32768"], |dice| (dice.bits() as i16).to_string()),
    case("integer", Scalar::Int4, &["0", "2147483647", "-2147483648"], |dice| {
        let width = dice.from(0, 31);
        ((dice.bits() as i32) >> width).to_string()
    }),
    case("bigint", Scalar::Int8, &["0", "9223372036854775807", "-9223372036854775808"], |dice| {
        let width = dice.from(0, 63);
        ((dice.bits() as i64) >> width).to_string()
    }),
    case("oid", Scalar::Oid, &["0", "4294967295"], |dice| (dice.bits() as u32).to_string()),
    case("real", Scalar::Float4, REAL, single),
    case("double precision", Scalar::Float8, REAL, double),
    case("numeric", Scalar::Numeric, NUMERICS, numeric),
    exact("numeric(12,3)", Scalar::Numeric, &["999999999.999", "0.0005", "-0.0004"], short_numeric),
    exact("numeric(6,0)", Scalar::Numeric, &["0.5", "1.5", "-2.5", "0.4999"], |dice| {
        let places = dice.from(0, 8);
        fraction(dice.from(0, 99_998).to_string(), places, dice)
    }),
    case("date", Scalar::Date, DATES, date),
    case("time", Scalar::Time, &["00:00:00", "23:59:59.999999", "24:00:00", "12:00:00.1"], time),
    exact("time(2)", Scalar::Time, &["00:00:00.005", "23:59:59.999999"], time),
    case("timestamp", Scalar::Timestamp, MOMENTS, |dice| format!("{} {}", date(dice), time(dice))),
    exact("timestamp(0)", Scalar::Timestamp, ROUNDED, |dice| format!("{} {}", early_date(dice), time(dice))),
    exact("timestamp(3)", Scalar::Timestamp, ROUNDED, |dice| format!("{} {}", early_date(dice), time(dice))),
    case("timestamptz", Scalar::Timestamptz, &["infinity", "-infinity", "2026-01-01 00:00:00+00"], zoned),
    exact("timestamptz(1)", Scalar::Timestamptz, &["2026-01-01 00:00:00.05+00"], zoned),
    case(
        "interval",
        Scalar::Interval,
        &["00:00:00", "1 day", "-1 days", "1 year", "1 mon", "-00:00:01"],
        interval,
    ),
    exact("interval(1)", Scalar::Interval, &["00:00:00.05", "-00:00:00.05"], interval),
    exact("interval day to minute", Scalar::Interval, &["00:00:59.5"], interval),
    case("uuid", Scalar::Uuid, &["00000000-0000-0000-0000-000000000000"], uuid),
    case("text", Scalar::Words, &["", " ", "\\\\N", "\\\\.", "\\n", "\\t"], |dice| escaped(&words(dice, 40))),
    exact("varchar(10)", Scalar::Words, &["", "ten bytes!"], |dice| escaped(&words(dice, 10))),
    exact("varchar(2)", Scalar::Words, &["ab      ", "    "], |dice| escaped(&words(dice, 2))),
    exact("char(7)", Scalar::Words, &["", "a", "a      ", "a        "], |dice| escaped(&words(dice, 7))),
    exact("bpchar", Scalar::Words, &["", "a  "], |dice| escaped(&words(dice, 7))),
    case("citext", Scalar::Words, &["", "Aa"], |dice| escaped(&words(dice, 20))),
    exact("mood", Scalar::Words, &["sad"], |dice| escaped(dice.any(MOODS))),
    exact("positive", Scalar::Int4, &["1"], |dice| dice.from(1, 2_147_483_647).to_string()),
    exact("shorter", Scalar::Words, &["", "never!"], |dice| escaped(&words(dice, 8))),
    exact("json", Scalar::Words, &["null", "{}", " [1,  2] "], |dice| escaped(&json(dice, 3))),
    exact("jsonb", Scalar::Jsonb, &["null", "{}"], |dice| escaped(&json(dice, 3))),
    case("bytea", Scalar::Bytea, &["\\\\x", "\\\\x00", "\\\\xff"], |dice| bytes(dice, "\\\\x")),
    case(
        "inet",
        Scalar::Inet,
        &["0.0.0.0", "255.255.255.255", "0.0.0.0/0", "::", "::1", "::/0", "::1/128"],
        inet,
    ),
    exact("cidr", Scalar::Cidr, &["0.0.0.0/0", "::/0", "::1/128", "255.255.255.255/32"], cidr),
];

/// Arrays whatever their elements are.
const ANY: &[&str] = &["{}", "{NULL}", "{NULL,NULL}"];
/// Arrays of words.
const LISTS: &[&str] = &[
    "{}",
    "{NULL}",
    "{\"\"}",
    "{\"NULL\",\"null\",NULL,nulls}",
    "{\"{}\",\"a,b\",\" \",\"\\t\",\"\\n\",\"\\\\\"\",\"\\\\\\\\\",\"\\\\\\\\N\"}",
    "{a,\"b\",\u{e9},\u{a0},\\b,'}",
];

pub const ARRAYS: &[Case] = &[
    case("integer[]", Scalar::Int4, &["{}", "{2147483647,NULL,-2147483648}"], |dice| {
        array(dice, |dice| (dice.bits() as i32).to_string())
    }),
    case("bigint[]", Scalar::Int8, ANY, |dice| {
        array(dice, |dice| {
            let width = dice.from(0, 63);
            ((dice.bits() as i64) >> width).to_string()
        })
    }),
    case("text[]", Scalar::Words, LISTS, |dice| array(dice, item)),
    exact("varchar(5)[]", Scalar::Words, ANY, |dice| array(dice, |dice| words(dice, 5))),
    exact("char(6)[]", Scalar::Words, ANY, |dice| array(dice, |dice| words(dice, 6))),
    case("numeric[]", Scalar::Numeric, ANY, |dice| array(dice, numeric)),
    exact("numeric(12,3)[]", Scalar::Numeric, ANY, |dice| array(dice, short_numeric)),
    case("timestamptz[]", Scalar::Timestamptz, &["{infinity,-infinity}"], |dice| array(dice, zoned)),
    case("date[]", Scalar::Date, ANY, |dice| array(dice, date)),
    case("interval[]", Scalar::Interval, ANY, |dice| array(dice, interval)),
    case("uuid[]", Scalar::Uuid, ANY, |dice| array(dice, uuid)),
    case("boolean[]", Scalar::Bool, ANY, |dice| array(dice, |dice| dice.any(&["t", "f"]).into())),
    case("double precision[]", Scalar::Float8, &["{NaN,Infinity,-0}"], |dice| array(dice, double)),
    case("bytea[]", Scalar::Bytea, &["{\"\\\\\\\\x\"}"], |dice| array(dice, |dice| bytes(dice, "\\x"))),
    case("inet[]", Scalar::Inet, ANY, |dice| array(dice, inet)),
    exact("jsonb[]", Scalar::Jsonb, ANY, |dice| array(dice, |dice| json(dice, 2))),
    exact("mood[]", Scalar::Words, ANY, |dice| array(dice, |dice| dice.any(MOODS).into())),
    exact("positive[]", Scalar::Int4, ANY, |dice| {
        array(dice, |dice| dice.from(1, 2_147_483_647).to_string())
    }),
    exact("shorter[]", Scalar::Words, &["{}", "{never!,NULL}"], |dice| array(dice, |dice| words(dice, 8))),
    exact("labels", Scalar::Words, LISTS, |dice| array(dice, item)),
];
const MOODS: &[&str] = &["sad", "ok", "very happy", "b\\ack", "ta\tb", "é"];

fn double(dice: &mut Dice) -> String {
    let value = match dice.from(0, 3) {
        0 => f64::from_bits(dice.bits()),
        1 => dice.from(0, 1 << 53) as f64 / 1000.0,
        2 => -(dice.from(0, 1000) as f64) / 7.0,
        _ => return format!("{}{}.{}", dice.any(&["", "-"]), dice.from(0, 99_999), digits_up_to(dice, 20)),
    };
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        "Infinity".into()
    } else {
        format!("{value:e}")
    }
}

fn single(dice: &mut Dice) -> String {
    let value = match dice.from(0, 3) {
        0 => f32::from_bits(dice.bits() as u32),
        1 => dice.from(0, 1 << 24) as f32 / 1000.0,
        2 => -(dice.from(0, 1000) as f32) / 7.0,
        _ => return format!("{}{}.{}", dice.any(&["", "-"]), dice.from(0, 99_999), digits_up_to(dice, 15)),
    };
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        "Infinity".into()
    } else {
        format!("{value:e}")
    }
}

/// 1 to `most` digits; zeros in front, too.
fn digits_up_to(dice: &mut Dice, most: u64) -> String {
    let count = dice.from(1, most);
    (0..count).map(|_| char::from(b'0' + (dice.bits() % 10) as u8)).collect()
}

fn fraction(whole: String, places: u64, dice: &mut Dice) -> String {
    if places == 0 { whole } else { format!("{whole}.{}", digits_up_to(dice, places)) }
}

fn signed(number: String, dice: &mut Dice) -> String {
    let is_zero = number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if !is_zero && dice.one_in(2) { format!("-{number}") } else { number }
}

fn numeric(dice: &mut Dice) -> String {
    let longest = if dice.one_in(200) { 400 } else { 24 };
    let whole = match dice.from(0, longest) {
        0 => "0".into(),
        count => dice.digits(count),
    };
    // Long runs of zeros, which are where groups are left out.
    let whole = if whole != "0" && dice.one_in(8) {
        format!("{whole}{}", "0".repeat(dice.from(0, 12) as usize))
    } else {
        whole
    };
    let places = dice.from(0, longest);
    let mut number = fraction(whole, places, dice);
    if dice.one_in(8) && number.contains('.') {
        number = number.replace('.', &format!(".{}", "0".repeat(dice.from(0, 12) as usize)));
    }
    signed(number, dice)
}

fn short_numeric(dice: &mut Dice) -> String {
    let (whole, places) = (dice.from(0, 999_999_998).to_string(), dice.from(0, 7));
    let number = fraction(whole, places, dice);
    signed(number, dice)
}

fn date(dice: &mut Dice) -> String {
    let year = if dice.one_in(2) { dice.from(1, 9999) } else { dice.from(1900, 2100) };
    let month = dice.from(1, 12);
    let last = match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    };
    format!("{year:04}-{month:02}-{:02}", dice.from(1, last))
}

/// One that is still before the year 10000 if it is rounded up.
fn early_date(dice: &mut Dice) -> String {
    loop {
        let date = date(dice);
        if date != "9999-12-31" {
            return date;
        }
    }
}

fn time(dice: &mut Dice) -> String {
    let clock = format!("{:02}:{:02}:{:02}", dice.from(0, 23), dice.from(0, 59), dice.from(0, 59));
    if dice.one_in(2) { clock } else { format!("{clock}.{}", digits_up_to(dice, 6)) }
}

fn zoned(dice: &mut Dice) -> String {
    // Far enough from the ends that no zone crosses them.
    let date = format!("{:04}{}", dice.from(2, 9998), &date(dice)[4..]).replace("-02-29", "-02-28");
    let sign = dice.any(&["+", "-"]);
    let offset = match dice.from(0, 2) {
        0 => format!("{sign}{:02}", dice.from(0, 15)),
        1 => format!("{sign}{:02}:{:02}", dice.from(0, 15), dice.from(0, 59)),
        _ => format!("{sign}{:02}:{:02}:{:02}", dice.from(0, 15), dice.from(0, 59), dice.from(0, 59)),
    };
    format!("{date} {}{offset}", time(dice))
}

fn interval(dice: &mut Dice) -> String {
    let mut parts = Vec::new();
    let most = if dice.one_in(20) { 999_999 } else { 100 };
    for (one, many) in [("year", "years"), ("mon", "mons"), ("day", "days")] {
        if dice.one_in(2) {
            let (sign, count) = (dice.any(&["", "-", "+"]), dice.from(0, most));
            parts.push(format!("{sign}{count} {}", if count == 1 && sign != "-" { one } else { many }));
        }
    }
    if parts.is_empty() || dice.one_in(2) {
        let hours = if dice.one_in(10) { dice.from(24, 9_999_999) } else { dice.from(0, 23) };
        let clock = time(dice);
        parts.push(format!("{}{hours:02}{}", dice.any(&["", "-", "+"]), &clock[2..]));
    }
    parts.join(" ")
}

fn uuid(dice: &mut Dice) -> String {
    let (a, b) = (dice.bits(), dice.bits());
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn words(dice: &mut Dice, most: u64) -> String {
    const LETTERS: [&str; 24] = [
        "a", "b", "Z", "0", " ", "'", "\"", "\\", "\t", "\n", "\r", "\u{8}", "\u{b}", "\u{c}", "\u{1}",
        "\u{7f}", "é", "ß", "漢", "😀", "N", ".", "\u{a0}", "{",
    ];
    let count = dice.from(0, most);
    (0..count).map(|_| dice.any(&LETTERS)).collect()
}

/// As COPY text writes it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            _ => out.push(letter),
        }
    }
    out
}

fn bytes(dice: &mut Dice, start: &str) -> String {
    let bytes = dice.from(0, 40);
    let hex: String = (0..bytes).map(|_| format!("{:02x}", dice.bits() as u8)).collect();
    format!("{start}{hex}")
}

/// Words that are easily mistaken within an array.
fn item(dice: &mut Dice) -> String {
    match dice.from(0, 3) {
        0 => dice
            .any(&[
                "", "NULL", "null", "Null", "nul", "NULLs", "{", "}", "{}", ",", "a,b", "\"", "\\", "\\\"",
                " ", "\t",
            ])
            .into(),
        1 => words(dice, 3),
        2 => words(dice, 30),
        _ => dice.any(&["a", "red", "größe", "漢字", "x-1", "it's"]).into(),
    }
}

/// An array of such elements, which are not escaped, as COPY text.
fn array(dice: &mut Dice, element: fn(&mut Dice) -> String) -> String {
    let count = if dice.one_in(100) { dice.from(0, 100) } else { dice.from(0, 5) };
    let elements: Vec<String> = (0..count)
        .map(|_| if dice.one_in(8) { "NULL".into() } else { quoted(&element(dice), dice.one_in(10)) })
        .collect();
    escaped(&format!("{{{}}}", elements.join(",")))
}

/// In quotes where an array needs them, or where they are wanted.
fn quoted(element: &str, anyway: bool) -> String {
    const SPECIAL: [char; 11] = ['"', '\\', '{', '}', ',', ' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];
    if !anyway && !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.contains(SPECIAL) {
        return element.into();
    }
    format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))
}

fn json(dice: &mut Dice, depth: u64) -> String {
    match dice.from(0, if depth == 0 { 3 } else { 5 }) {
        0 => dice.any(&["null", "true", "false", "0", "-0.5e3", "1E400"]).into(),
        1 => dice.from(0, 1 << 40).to_string(),
        2 | 3 => {
            format!("\"{}\"", dice.any(&["", "x", "é", "\\n", "\\u00e9", "\\\\", "\\\"", "a/b", "😀", "\\t"]))
        }
        4 => {
            let count = dice.from(0, 3);
            let items: Vec<String> = (0..count).map(|_| json(dice, depth - 1)).collect();
            format!("[{}]", items.join(dice.any(&[",", ", "])))
        }
        _ => {
            let count = dice.from(0, 3);
            let items: Vec<String> =
                (0..count).map(|_| format!("\"k{}\":{}", dice.from(0, 5), json(dice, depth - 1))).collect();
            format!("{{{}}}", items.join(","))
        }
    }
}

fn octets(dice: &mut Dice) -> [u8; 4] {
    (dice.bits() as u32).to_be_bytes()
}

fn inet(dice: &mut Dice) -> String {
    let (host, bits) = if dice.one_in(2) {
        (std::net::Ipv4Addr::from(octets(dice)).to_string(), 32)
    } else {
        (six(dice), 128)
    };
    if dice.one_in(2) { host } else { format!("{host}/{}", dice.from(0, bits)) }
}

/// Groups that are often zero, and never an IPv4 address in disguise.
fn six(dice: &mut Dice) -> String {
    loop {
        let groups: Vec<u16> = (0..8).map(|_| if dice.one_in(2) { 0 } else { dice.bits() as u16 }).collect();
        let host = std::net::Ipv6Addr::from(<[u16; 8]>::try_from(groups).unwrap());
        let text = host.to_string();
        let disguised = host.segments()[..5] == [0; 5];
        if !text.contains('.') && !disguised {
            return text;
        }
    }
}

fn cidr(dice: &mut Dice) -> String {
    if dice.one_in(2) {
        let bits = dice.from(0, 32) as u32;
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        format!("{}/{bits}", std::net::Ipv4Addr::from(dice.bits() as u32 & mask))
    } else {
        let bits = dice.from(90, 128) as u32;
        let host =
            (u128::from(dice.bits()) << 64 | u128::from(dice.bits()) | 1 << 127) & u128::MAX << (128 - bits);
        format!("{}/{bits}", std::net::Ipv6Addr::from(host))
    }
}
