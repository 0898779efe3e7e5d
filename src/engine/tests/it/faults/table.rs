//! docs/engine-events.md against the code and the tests.

use std::fs;
use std::path::Path;

use engine::layout::EventId;

#[test]
fn every_event_is_in_the_table_with_a_test_or_a_reason() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| {
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let table = read(&crate_root.join("../../docs/engine-events.md"));
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect())
        .skip_while(|row: &Vec<&str>| row[0] != "code")
        .skip(1)
        .collect();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    let known = EventId::ALL.map(|id| (format!("{:02x}", id as u8), format!("{id:?}")));
    assert_eq!(told, known);

    let tests = crate_root.join("tests/it");
    let faults: String = fs::read_dir(tests.join("faults"))
        .expect("this file's folder")
        .map(|entry| read(&entry.expect("a folder can be listed").path()))
        .collect();
    let vectors = read(&tests.join("vectors.rs"));
    for row in rows {
        let [code, _, when, named] = row[..] else {
            panic!("{row:?} has not four columns");
        };
        let (where_, text) = match when.strip_prefix("never: ") {
            Some(_) => ("vectors.rs", &vectors),
            None => ("faults/", &faults),
        };
        for test in named.split(", ").map(|name| name.trim_matches('`')) {
            let at = text
                .find(&format!("#[test]\nfn {test}() {{"))
                .unwrap_or_else(|| panic!("event {code}: no test {test} in {where_}"));
            let body = text[at..].split("\n}\n").next().unwrap_or_default();
            // Its number stands in the test, as a record's first byte.
            assert!(
                body.contains(&format!("0x{code}")),
                "{test} does not mention 0x{code}"
            );
        }
    }
}
