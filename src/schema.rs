//! `nestcheck schema`: spec and hardware files as JSON Schema, for editors that complete and check what is typed.
//!
//! Made from the keys that the reader itself asks for (src/spec/keys.rs). A schema cannot judge what bases bring in: what a spec must
//! have is demanded only of files that name no base and are not one themselves.

use serde_json::{Map, Value, json};

use crate::args::SchemaOf;
use crate::spec::{ACTIONS, Holds, Shape, hardware_shape, shapes, spec_shape};

/// The dialect that editors know best.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema as text.
pub fn render(of: SchemaOf) -> String {
    let schema = match of {
        SchemaOf::Spec => spec(),
        SchemaOf::Hardware => hardware(),
    };
    format!("{schema:#}\n")
}

fn hardware() -> Value {
    let mut schema = table(&hardware_shape());
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("nestcheck hardware file");
    schema
}

fn spec() -> Value {
    let shape = spec_shape();
    let mut schema = table(&shape);
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("nestcheck spec file");
    let inner = shapes()
        .into_iter()
        .filter(|(_, inner)| inner.what != shape.what);
    let definitions = inner.map(|(_, inner)| (id(&inner), table(&inner)));
    schema["definitions"] = Value::Object(definitions.collect());
    schema["description"] = json!(
        "Keys, types and words of a spec file. What programs' steps say is beyond a schema: `nestcheck check FILE` reads them too."
    );
    // Half a table may have its other half in the base.
    schema["if"] = json!({ "required": ["base"] });
    schema["else"] = whole(&shape);
    // What has no title is a base itself, from which others inherit.
    schema["else"]["if"] = json!({ "required": ["title"] });
    schema["else"]["then"] = json!({ "required": needed(&shape) });
    if let Some(object) = schema["else"].as_object_mut() {
        object.remove("required");
    }
    schema
}

/// A name that can stand in a reference.
fn id(shape: &Shape) -> String {
    let words = shape.what.replace(|c: char| !c.is_alphanumeric(), "-");
    words.trim_matches('-').to_owned()
}

fn needed(shape: &Shape) -> Vec<&'static str> {
    let needed = shape.keys.iter().filter(|key| key.needed);
    needed.map(|key| key.name).collect()
}

/// A table with known keys. What it must have is demanded here only if no base can bring it in.
fn table(shape: &Shape) -> Value {
    let mut properties = Map::new();
    for key in &shape.keys {
        let mut value = value(&key.holds);
        value["description"] = json!(key.meaning);
        properties.insert(key.name.to_owned(), value);
    }
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !shape.inherits {
        schema["required"] = json!(needed(shape));
    }
    schema
}

fn value(holds: &Holds) -> Value {
    match holds {
        Holds::Text => json!({ "type": "string" }),
        Holds::Steps => json!({
            "type": "string",
            "description": "one step a line; `nestcheck list steps` has them all",
        }),
        Holds::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Holds::Pair => json!({
            "type": "array",
            "items": { "type": "string" },
            "minItems": 2,
            "maxItems": 2,
        }),
        Holds::Flag => json!({ "type": "boolean" }),
        Holds::Number(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Holds::Word(words) => json!({ "type": "string", "enum": words }),
        Holds::Words(words) => json!({
            "type": "array",
            "items": { "type": "string", "enum": words },
            "uniqueItems": true,
        }),
        Holds::Table(shape) => json!({ "$ref": format!("#/definitions/{}", id(shape)) }),
        Holds::Tables(shape) => {
            let mut item = table(shape);
            if shape.what == crate::spec::change_shape().what {
                item["oneOf"] = ACTIONS.map(action).into_iter().collect();
            }
            json!({ "type": "array", "items": item })
        }
        Holds::Named(None, holds) => {
            json!({ "type": "object", "additionalProperties": value(holds) })
        }
        Holds::Named(Some(names), holds) => {
            let each: Map<_, _> = names
                .iter()
                .map(|name| ((*name).to_owned(), value(holds)))
                .collect();
            json!({ "type": "object", "properties": each, "additionalProperties": false })
        }
        Holds::Either(one, other) => json!({ "anyOf": [value(one), value(other)] }),
    }
}

/// A change does exactly one thing, with the key that goes with it and none that goes with another.
fn action((action, with): (&'static str, Option<&'static str>)) -> Value {
    let required: Vec<_> = [action].into_iter().chain(with).collect();
    let others: Vec<_> = ACTIONS
        .iter()
        .filter_map(|(_, key)| *key)
        .filter(|key| Some(*key) != with)
        .map(|key| (key.to_owned(), json!(false)))
        .collect();
    json!({ "required": required, "properties": Map::from_iter(others) })
}

/// Only what must be there, all the way down: laid over [`table`] for files without a base.
fn whole(shape: &Shape) -> Value {
    let mut properties = Map::new();
    for key in &shape.keys {
        if let Some(inner) = whole_value(&key.holds) {
            properties.insert(key.name.to_owned(), inner);
        }
    }
    json!({ "properties": properties, "required": needed(shape) })
}

fn whole_value(holds: &Holds) -> Option<Value> {
    match holds {
        Holds::Table(shape) if shape.inherits => {
            let mut schema = whole(shape);
            schema["type"] = json!("object");
            Some(schema)
        }
        Holds::Named(_, holds) => {
            let inner = whole_value(holds)?;
            Some(json!({ "additionalProperties": inner }))
        }
        Holds::Either(one, other) => match (whole_value(one), whole_value(other)) {
            (None, None) => None,
            (one_whole, other_whole) => Some(json!({ "anyOf": [
                one_whole.unwrap_or_else(|| value(one)),
                other_whole.unwrap_or_else(|| value(other)),
            ]})),
        },
        _ => None,
    }
}
