//! What never happens in this repository: see ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a directory with an extension.
pub(crate) fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root().join(directory)];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).expect("the repository has its directories") {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|have| have == extension) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no .{extension} under {directory}");
    found.sort();
    found
}

/// The files under `directory` that contain `word`.
fn naming(directory: &str, word: &str) -> Vec<String> {
    let names = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(word));
    let relative = |path: PathBuf| {
        path.strip_prefix(root())
            .expect("a file of the repository")
            .display()
            .to_string()
    };
    files(directory, "rs")
        .into_iter()
        .filter(names)
        .map(relative)
        .collect()
}

#[test]
fn each_library_stands_behind_one_wall() {
    for (word, wall) in [
        ("use stateright", "src/search/stateright.rs"),
        ("ctrlc::", "src/shell.rs"),
        ("indicatif::", "src/progress.rs"),
        ("annotate_snippets", "src/spec/report.rs"),
        ("toml::", "src/spec/tree.rs"),
    ] {
        assert_eq!(
            naming("src", word),
            [wall],
            "`{word}` belongs behind {wall}"
        );
    }
}

#[test]
fn the_specification_does_no_io_and_knows_no_search() {
    for word in [
        "std::fs",
        "std::io",
        "std::time",
        "std::env",
        "use stateright",
        "use rand",
    ] {
        let named = naming("model", word);
        // Tests, which take their length from the environment, and the mistakes that a test asks for by it.
        let named: Vec<_> = named
            .iter()
            .filter(|file| {
                ![
                    "model/src/exactness.rs",
                    "model/src/mutant.rs",
                    "model/src/soundness.rs",
                ]
                .contains(&file.as_str())
            })
            .collect();
        assert!(
            named.is_empty(),
            "the specification names {word}: {named:?}"
        );
    }
    let manifest =
        fs::read_to_string(root().join("model/Cargo.toml")).expect("model has a manifest");
    assert!(
        !manifest.contains("nestcheck"),
        "the specification depends on the job"
    );
    let vocab =
        fs::read_to_string(root().join("model/vocab/Cargo.toml")).expect("vocab has a manifest");
    assert!(
        !vocab.contains("dependencies"),
        "the glossary depends on something"
    );
}

#[test]
fn no_code_knows_a_variant_by_name() {
    for spec in files("specs", "toml") {
        let name = spec
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("spec names are UTF-8");
        if name.contains('-') {
            let quoted = format!("\"{name}\"");
            let named: Vec<_> = [naming("src", &quoted), naming("model", &quoted)].concat();
            assert!(
                named.is_empty(),
                "code matches on the variant {name}: {named:?}"
            );
        }
    }
}

#[test]
fn every_property_file_has_what_a_property_needs() {
    for property in model::property::ALL {
        let name = property.id.name();
        for (what, text) in [
            ("claim", property.claim),
            ("source", property.source),
            ("witness", property.witness),
        ] {
            assert!(text.len() > 20, "{name} has no {what}");
        }
        assert!(
            root().join(property.broken_by).is_file(),
            "{name}: no {}",
            property.broken_by
        );
    }
}

#[test]
fn every_workspace_member_is_tested_by_default() {
    let manifest =
        fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a manifest");
    let list = |key: &str| {
        let line = manifest
            .lines()
            .find(|line| line.starts_with(key))
            .expect("the manifest has both lists");
        line.to_owned()
    };
    for manifest_of_member in files("model", "toml") {
        let member = manifest_of_member
            .parent()
            .and_then(|path| path.strip_prefix(root()).ok());
        let member = format!(
            "\"{}\"",
            member.expect("a directory of the repository").display()
        );
        for key in ["members", "default-members"] {
            assert!(list(key).contains(&member), "{member} is not in {key}");
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let documents = [
        files("docs", "md"),
        vec![root().join("README.md"), root().join("ARCHITECTURE.md")],
    ];
    for document in documents.concat() {
        let text = fs::read_to_string(&document).expect("a document can be read");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") {
                let directory = document.parent().expect("a file has a directory");
                assert!(
                    directory.join(path).exists(),
                    "{}: {target}",
                    document.display()
                );
            }
        }
    }
}
