//! The elements of a document as a browser writes it out: every text escaped, every attribute
//! in double quotes.

/// An element, as far as its opening tag says.
#[derive(Debug, PartialEq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

/// Every element of `document`, in its order. The inside of a style is no element.
pub fn elements(document: &str) -> Vec<Element> {
    let mut found = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let (element, behind) = one(rest);
        rest = match element.name.as_str() {
            "style" => behind.split_once("</style>").map_or("", |(_, behind)| behind),
            _ => behind,
        };
        found.push(element);
    }
    found
}

/// The tag at the start of `text`, and what is behind it.
fn one(text: &str) -> (Element, &str) {
    let end = text.find([' ', '>']).expect("a tag ends");
    let mut element = Element { name: text[..end].to_owned(), attributes: Vec::new() };
    let mut rest = text[end..].trim_start();
    loop {
        if let Some(behind) = rest.strip_prefix('>') {
            return (element, behind);
        }
        let (name, behind) = rest.split_once("=\"").expect("an attribute has a value in quotes");
        let (value, behind) = behind.split_once('"').expect("a value ends");
        element.attributes.push((name.to_owned(), value.to_owned()));
        rest = behind.trim_start();
    }
}
