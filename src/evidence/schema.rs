//! The shape of evidence, published as JSON Schema 2020-12.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::evidence::review::ReviewStatement;
use crate::evidence::statement::Statement;
use crate::record::{INTEGER_MAX, SCHEMA_VERSION};

/// The schema of the statement that this firedrill writes: closed, so that an unknown field
/// is an error, and without `null`, since what is unknown is absent.
pub fn schema() -> Value {
    let id = format!("https://firedrill.dev/schema/evidence/{SCHEMA_VERSION}");
    closed::<Statement>("Evidence of a firedrill", &id)
}

/// The schema of the statement that a review makes, as closed.
pub fn review_schema() -> Value {
    closed::<ReviewStatement>("Review of a firedrill", "https://firedrill.dev/schema/review/1")
}

/// The closed schema of a document of ours, by its title and its name.
pub fn closed<T: JsonSchema>(title: &str, id: &str) -> Value {
    let generated = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = generated.to_value();
    tighten(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.insert("title".to_owned(), json!(title));
        root.insert("$id".to_owned(), json!(id));
    }
    schema
}

/// Says what serde holds and schemars does not know: no `null`, integers below 2^53.
fn tighten(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            without_null(map);
            bounded(map);
            map.values_mut().for_each(tighten);
        }
        Value::Array(items) => items.iter_mut().for_each(tighten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(words)) = map.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    let Some(Value::Array(choices)) = map.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|it| it != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        map.remove("anyOf");
        map.extend(only);
    }
}

fn bounded(map: &mut Map<String, Value>) {
    if map.get("type").is_some_and(|it| it == "integer") {
        map.entry("maximum").or_insert_with(|| json!(INTEGER_MAX));
        map.entry("minimum").or_insert_with(|| json!(-(INTEGER_MAX as i64)));
        map.remove("format");
    }
}
