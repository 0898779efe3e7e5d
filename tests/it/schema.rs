//! The JSON Schemas that editors use: kept beside the specs, and of one mind with the reader about what has the right shape.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use jsonschema::Validator;
use nestcheck::args::SchemaOf;
use nestcheck::schema;
use serde_json::Value;

use crate::tidy::files;

fn validator(of: SchemaOf) -> Validator {
    let schema: Value = serde_json::from_str(&schema::render(of)).expect("it is JSON");
    jsonschema::validator_for(&schema).expect("it is a schema")
}

/// A file as an editor sees it; nothing if it is not TOML.
fn value(path: &Path) -> Option<Value> {
    toml::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn complaints(validator: &Validator, path: &Path) -> Option<Vec<String>> {
    let value = value(path)?;
    let complaint =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    Some(validator.iter_errors(&value).map(complaint).collect())
}

fn is_hardware(path: &Path) -> bool {
    path.parent()
        .is_some_and(|folder| folder.ends_with("hardware"))
}

#[test]
fn the_kept_schemas_are_what_is_printed() {
    expect_file!["../../specs/spec.schema.json"].assert_eq(&schema::render(SchemaOf::Spec));
    expect_file!["../../specs/hardware.schema.json"].assert_eq(&schema::render(SchemaOf::Hardware));
}

#[test]
fn every_file_of_the_repository_is_valid() {
    let (spec, hardware) = (validator(SchemaOf::Spec), validator(SchemaOf::Hardware));
    for folder in [
        "specs",
        "tests/good-specs",
        "tests/spec-format",
        "tests/audit",
    ] {
        for path in files(folder, "toml") {
            let schema = if is_hardware(&path) { &hardware } else { &spec };
            let said = complaints(schema, &path).expect("it is TOML");
            assert!(said.is_empty(), "{}:\n{}", path.display(), said.join("\n"));
        }
    }
}

/// How errors begin that are about a key or a value and not about what steps say.
const OF_SHAPE: [&str; 12] = [
    "unknown key",
    "unknown property",
    "unknown threat",
    "unknown verdict",
    "unknown vmid",
    "unknown memory",
    "unknown operation",
    "expected a string, found",
    "expected a number, found",
    "expected a list, found",
    "expected `true` or `false`, found",
    "expected the steps of a program, found",
];

/// Errors of shape that a file has itself, in the words of its golden file: each is followed by its place.
fn of_shape(case: &Path) -> Vec<String> {
    let golden = fs::read_to_string(case.with_extension("expected")).expect("each has one");
    let own = format!(
        " tests/bad-specs/{}:",
        case.file_name().unwrap_or_default().display()
    );
    let lines: Vec<_> = golden.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[1].contains(&own));
    pairs
        .filter_map(|pair| pair[0].strip_prefix("error: "))
        .filter(|error| OF_SHAPE.iter().any(|shape| error.starts_with(shape)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_the_reader_refuses_for_its_shape_is_not_valid() {
    let schema = validator(SchemaOf::Spec);
    let cases: Vec<PathBuf> = files("tests/bad-specs", "toml");
    let mut judged = 0;
    for case in cases
        .iter()
        .filter(|case| case.with_extension("expected").exists())
    {
        let errors = of_shape(case);
        let Some(said) = complaints(&schema, case) else {
            continue;
        };
        judged += usize::from(!errors.is_empty());
        assert!(
            errors.is_empty() || !said.is_empty(),
            "{} is valid, and the reader says: {}",
            case.display(),
            errors.join("; ")
        );
    }
    assert!(judged >= 10, "only {judged} files have a fault of shape");
}

#[test]
fn missing_keys_and_half_changes_are_not_valid() {
    let schema = validator(SchemaOf::Spec);
    for (case, key) in [
        ("missing-keys", "value"),
        ("missing-keys", "verdict"),
        ("missing-keys", "hardware"),
        ("missing-keys", "vmid"),
        ("change-half", "oneOf"),
    ] {
        let path = Path::new("tests/bad-specs")
            .join(case)
            .with_extension("toml");
        let said = complaints(&schema, &path).expect("it is TOML").join("\n");
        assert!(
            said.contains(key),
            "{case} lacks `{key}`, and the schema says:\n{said}"
        );
    }
    let bad = complaints(
        &validator(SchemaOf::Hardware),
        Path::new("tests/bad-specs/hardware/bad.toml"),
    );
    assert!(bad.is_some_and(|said| !said.is_empty()));
}
