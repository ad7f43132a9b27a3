//! The house, held by a test: rooms in reading order, each importing only from those above
//! it, and a few things that may be said in some rooms only.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in reading order. The words come first, and everybody may use them.
const ROOMS: &[&str] = &[
    // words
    "verdict",
    "clock",
    "digest",
    "event", //
    // doors
    "store",
    "postgres", //
    // thing
    "archive", //
    // intent
    "plan", //
    // stages
    "catalog",
    "restore",
    "proof",
    "record",
    "judge",
    "evidence",
    "stamp",
    "history", //
    // whole
    "journal",
    "drill",
    "recovery",
    "self_test",
    "bench", //
    // faces
    "exit_code",
    "report",
    "cli", //
];

/// Rooms that read from or write to the outside in a format that serde knows.
const SERDE_ROOMS: &[&str] = &["store", "plan", "record", "evidence", "stamp", "journal", "report", "cli"];

/// Rooms that may print.
const PRINTING_ROOMS: &[&str] = &["report", "cli", "main"];

/// One source file, its code split from comments and strings.
struct Source {
    /// Below `src/`, with slashes.
    path: String,
    /// The code, with comments and the insides of strings blanked; lines are kept.
    code: String,
    /// Whether the whole file is a test module of another one.
    test_only: bool,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), code: blank(text), test_only: false }
    }

    /// The room a file lies in: the first part of its path.
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules stand around the file's items.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// The code without its test modules.
    fn shipped(&self) -> String {
        if self.test_only {
            return String::new();
        }
        let mut code = self.code.clone();
        let marker = "#[cfg(test)]";
        while let Some(start) = code.find(marker) {
            let end = end_of_item(&code, start + marker.len());
            let lines = code[start..end].matches('\n').count();
            code.replace_range(start..end, &"\n".repeat(lines));
        }
        code
    }

    /// The paths of the files that this one declares as test modules.
    fn test_files(&self) -> Vec<String> {
        let folder = self.path.strip_suffix("mod.rs").or_else(|| self.path.strip_suffix("lib.rs"));
        let folder = folder.map_or_else(|| self.path.replace(".rs", "/"), str::to_owned);
        let declared = self.code.split("#[cfg(test)]").skip(1).filter_map(|behind| {
            let (item, _) = behind.split_once(';')?;
            let (visibility, name) = item.trim_start().split_once("mod ")?;
            (["", "pub(crate) ", "pub "].contains(&visibility) && !name.contains('{'))
                .then(|| format!("{folder}{}.rs", name.trim()))
        });
        declared.collect()
    }

    fn at(&self, code: &str, position: usize) -> String {
        format!("src/{}:{}", self.path, code[..position].matches('\n').count() + 1)
    }
}

/// The end of the item that begins at `from`: behind its closing brace or its semicolon.
fn end_of_item(code: &str, from: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, char) in code[from..].char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth <= 1 => return from + offset + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return from + offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// `text` with comments, strings and character literals blanked; newlines stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => position(&chars, at, |rest| rest[0] == '\n'),
            ('/', Some('*')) => end_of_block_comment(&chars, at),
            ('"', _) => end_of_string(&chars, at + 1),
            ('r' | 'b' | 'c', Some('"' | '#' | 'r')) if !follows_word(&chars, at) => {
                end_of_prefixed(&chars, at).unwrap_or(at)
            }
            ('\'', _) => end_of_char(&chars, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

fn position(chars: &[char], from: usize, found: impl Fn(&[char]) -> bool) -> usize {
    (from..chars.len()).find(|at| found(&chars[*at..])).unwrap_or(chars.len())
}

fn end_of_block_comment(chars: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn end_of_string(chars: &[char], inside: usize) -> usize {
    let mut at = inside;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn follows_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

/// Behind `b"…"`, `r"…"`, `r#"…"#`, `br#"…"#` and the like, if that is what stands here.
fn end_of_prefixed(chars: &[char], at: usize) -> Option<usize> {
    let mut next = at;
    while chars.get(next).is_some_and(|c| matches!(c, 'r' | 'b' | 'c')) && next < at + 2 {
        next += 1;
    }
    let raw = chars[at..next].contains(&'r');
    let hashes = chars[next..].iter().take_while(|c| **c == '#').count();
    if chars.get(next + hashes) != Some(&'"') || (hashes > 0 && !raw) {
        return None;
    }
    let inside = next + hashes + 1;
    if !raw {
        return Some(end_of_string(chars, inside));
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let end = position(chars, inside, |rest| rest.starts_with(&closing));
    Some((end + closing.len()).min(chars.len()))
}

/// Behind `'x'` or `'\n'`; a lifetime is no character.
fn end_of_char(chars: &[char], at: usize) -> Option<usize> {
    if chars.get(at + 1) == Some(&'\\') {
        return Some((position(chars, at + 3, |rest| rest[0] == '\'') + 1).min(chars.len()));
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

/// Every `word` in the code that is not part of a longer one.
fn words(code: &str, word: &str) -> Vec<usize> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| {
            let goes_on_before = word.starts_with(part_of_word) && code[..*at].ends_with(part_of_word);
            let goes_on_behind =
                word.ends_with(part_of_word) && code[at + word.len()..].starts_with(part_of_word);
            !goes_on_before && !goes_on_behind
        })
        .collect()
}

/// The rooms that a path behind `crate::` leads to: one, or those of a group.
fn rooms_named(behind: &str) -> Vec<String> {
    let behind = behind.trim_start();
    let Some(group) = behind.strip_prefix('{') else {
        return vec![behind.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()];
    };
    let mut depth = 0_usize;
    let mut names = vec![String::new()];
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            _ if depth == 0 => names.last_mut().unwrap().push(char),
            _ => {}
        }
    }
    let first = |name: &String| name.trim().split([':', ' ']).next().unwrap_or_default().to_owned();
    names.iter().map(first).filter(|name| !name.is_empty()).collect()
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

/// Imports that lead down the house, or leave a room by the window.
fn wrong_imports(source: &Source) -> Vec<String> {
    let mut faults = Vec::new();
    let room = source.room();
    if room == "lib" || room == "main" {
        return faults;
    }
    let Some(own) = rank(room) else {
        return vec![format!("src/{}: '{room}' is no room of the house", source.path)];
    };
    for at in words(&source.code, "crate::") {
        for target in rooms_named(&source.code[at + "crate::".len()..]) {
            match rank(&target) {
                Some(rank) if rank <= own => {}
                Some(_) => faults.push(format!(
                    "{}: '{room}' imports from '{target}', which stands below it",
                    source.at(&source.code, at)
                )),
                None => faults.push(format!(
                    "{}: 'crate::{target}' is no room of the house",
                    source.at(&source.code, at)
                )),
            }
        }
    }
    let shipped = source.shipped();
    let chain = "super::".repeat(source.depth());
    for at in words(&shipped, &chain) {
        faults.push(format!("{}: leaves its room by 'super'", source.at(&shipped, at)));
    }
    faults
}

/// What stands in a room where it must not.
fn wrong_words(source: &Source) -> Vec<String> {
    let shipped = source.shipped();
    let room = source.room();
    let mut faults = Vec::new();
    let mut forbid = |words_of: &[&str], why: &str| {
        for word in words_of {
            for at in words(&shipped, word) {
                faults.push(format!("{}: '{word}': {why}", source.at(&shipped, at)));
            }
        }
    };
    if room == "judge" {
        let impure = [
            "async",
            "await",
            "fs",
            "io",
            "tokio",
            "Instant",
            "SystemTime",
            "Stopwatch",
            "now",
            "env",
            "process",
            "thread",
            "net",
        ];
        forbid(&impure, "the judge is a pure function");
    }
    if !SERDE_ROOMS.contains(&room) {
        let serde = ["serde", "serde_json", "toml", "Serialize", "Deserialize", "schemars", "JsonSchema"];
        forbid(&serde, "formats belong where something is read or written");
    }
    if !PRINTING_ROOMS.contains(&room) {
        let printing = ["println!", "eprintln!", "print!", "eprint!", "stdout()", "stderr()"];
        forbid(&printing, "the core never prints");
    }
    forbid(&["#[allow", "#![allow"], "use #[expect] with a reason");
    forbid(&["todo!", "unimplemented!", ".unwrap()"], "not outside tests");
    forbid(&["use crate::*"], "name what you use");
    faults
}

/// The rooms that `src/lib.rs` declares.
fn declared(lib: &Source) -> BTreeSet<String> {
    words(&lib.code, "mod").into_iter().flat_map(|at| rooms_named(&lib.code[at + 3..])).collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|e| e == "rs") => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    assert!(files.len() > 20, "only {} files under {}", files.len(), root.display());
    let relative = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
    let read = |path: &PathBuf| Source::new(&relative(path), &fs::read_to_string(path).unwrap());
    let mut sources: Vec<Source> = files.iter().map(read).collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(Source::test_files).collect();
    for source in &mut sources {
        source.test_only = tests.contains(&source.path);
    }
    sources
}

fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_room_imports_only_from_rooms_above_it() {
    assert_none(sources().iter().flat_map(wrong_imports).collect());
}

#[test]
fn words_stay_in_the_rooms_where_they_belong() {
    assert_none(sources().iter().flat_map(wrong_words).collect());
}

#[test]
fn the_rooms_are_those_that_lib_declares() {
    let sources = sources();
    let lib = sources.iter().find(|source| source.path == "lib.rs").unwrap();
    let known: BTreeSet<String> = ROOMS.iter().map(ToString::to_string).collect();
    assert_eq!(declared(lib), known);
}

#[test]
fn a_wrong_import_is_found_however_it_is_written() {
    let clean = "use crate::store::Store;\nuse crate::verdict::{Code, Reason};\nuse super::header;\n";
    assert_none(wrong_imports(&Source::new("archive/toc.rs", clean)));
    let table = [
        ("archive/toc.rs", "use crate::plan::Plan;"),
        ("archive/toc.rs", "use crate::{\n    store::Store,\n    plan::{Plan, Fault},\n};"),
        ("archive/mod.rs", "fn f() { let x = crate::drill::run(); }"),
        ("archive/mod.rs", "pub(in crate::plan) fn f() {}"),
        ("store/mod.rs", "use super::plan::Plan;"),
        ("store/s3/mod.rs", "use super::super::plan::Plan;"),
        ("store/s3/driver.rs", "use super::super::super::plan::Plan;"),
        ("verdict.rs", "use crate::clock::Phase;"),
        ("store/mod.rs", "use crate::utils::pad;"),
        ("store/mod.rs", "#[cfg(test)]\nmod tests { use crate::drill::run; }"),
        ("utils.rs", "fn pad() {}"),
    ];
    for (path, code) in table {
        assert_eq!(wrong_imports(&Source::new(path, code)).len(), 1, "{path}: {code}");
    }
}

#[test]
fn a_wrong_word_is_found_in_code_and_nowhere_else() {
    let clean = r##"
        //! println! and .unwrap() in a comment, `#[allow(x)]` too
        fn f<'a>(text: &'a str) -> char { let _ = ("todo!()", r#"a "println!" b"#, b"\".unwrap()"); '"' }
        /* async /* nested */ Instant */
        #[cfg(test)]
        mod tests { fn f() { println!("{}", Some(1).unwrap()); todo!() } }
        fn asynchronous_knowledge(unserde: u8) {}
    "##;
    assert_none(wrong_words(&Source::new("judge.rs", clean)));
    let table = [
        ("judge.rs", "async fn f() {}"),
        ("judge.rs", "fn f() { Timestamp::now(); }"),
        ("judge.rs", "use std::fs;"),
        ("judge.rs", "use std::time::Instant;"),
        ("restore/mod.rs", "use serde::Serialize as S;"),
        ("store/mod.rs", "fn f() { println!(); }"),
        ("store/mod.rs", "fn f() { std::io::stdout(); }"),
        ("cli/mod.rs", "#[allow(dead_code)]\nfn f() {}"),
        ("cli/mod.rs", "fn f() { todo!() }"),
        ("cli/mod.rs", "fn f() { Some(1).unwrap(); }"),
        ("cli/mod.rs", "#[cfg(test)]\nmod tests {}\nfn f() { Some(1).unwrap(); }"),
        ("cli/mod.rs", "#[cfg(test)]\nuse a::b;\nfn f() { Some(1).unwrap(); }"),
        ("cli/mod.rs", "fn f() { let c = '\\''; Some(c).unwrap(); }"),
    ];
    for (path, code) in table {
        let faults = wrong_words(&Source::new(path, code));
        assert!(!faults.is_empty(), "nothing found in {path}: {code}");
    }
}

#[test]
fn files_that_are_test_modules_are_known() {
    let code = "#[cfg(test)]\npub(crate) mod sample;\nmod shown;\n#[cfg(test)]\nmod tests { fn f() {} }\nfn g() {}\n";
    assert_eq!(Source::new("report/mod.rs", code).test_files(), ["report/sample.rs"]);
    assert_eq!(Source::new("store/s3.rs", code).test_files(), ["store/s3/sample.rs"]);
    let plain = code.replace("pub(crate) ", "");
    assert_eq!(Source::new("report/mod.rs", &plain).test_files(), ["report/sample.rs"]);
    assert_eq!(Source::new("lib.rs", code).test_files(), ["sample.rs"]);
}

#[test]
fn a_fault_is_reported_with_its_line() {
    let source = Source::new("store/mod.rs", "// one\n/* two\nthree */\nuse crate::cli;\n");
    assert_eq!(
        wrong_imports(&source),
        ["src/store/mod.rs:4: 'store' imports from 'cli', which stands below it"]
    );
}
