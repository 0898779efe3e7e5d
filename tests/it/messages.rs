//! Every sentence that the reader of spec files can say stands in a golden file of tests/bad-specs.
//!
//! The sentences are taken from the reader's source: every string literal that has a space in it, whatever it is used for. Left out
//! are those that no error prints: the words and meanings of `nestcheck list`, which its own tests look at, what a panic says, and
//! attributes (documentation too).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nestcheck::spec;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tidy::files;

/// Calls whose strings are for us and not for the authors of specs.
const OURS: [&str; 4] = ["expect", "panic", "assert", "unreachable"];

/// A string literal of the source.
struct Sentence {
    place: String,
    text: String,
}

impl Sentence {
    /// What is printed as it stands, between the values that are put in.
    fn fixed(&self) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut rest = self.text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    parts.last_mut().expect("it begins with one").push(c);
                }
                '{' => {
                    rest.by_ref().find(|c| *c == '}');
                    parts.push(String::new());
                }
                c => parts.last_mut().expect("it begins with one").push(c),
            }
        }
        parts
    }

    /// Whether a line has all of that, in this order.
    fn is_said(&self, line: &str) -> bool {
        let mut rest = line;
        self.fixed()
            .iter()
            .all(|part| match rest.split_once(part.as_str()) {
                Some((_, behind)) => {
                    rest = behind;
                    true
                }
                None => false,
            })
    }
}

/// Collects the sentences of a file.
fn collect(file: &str, tokens: TokenStream, sentences: &mut Vec<Sentence>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(word)) => word.to_string(),
        Some(TokenTree::Punct(sign)) => sign.to_string(),
        _ => String::new(),
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            // The tests of a module are at its end.
            TokenTree::Group(group)
                if group.delimiter() == Delimiter::Bracket
                    && word(at.wrapping_sub(1)) == "#"
                    && group.stream().to_string().replace(' ', "") == "cfg(test)"
                    && word(at + 1) == "mod"
                    && matches!(tokens.get(at + 3), Some(TokenTree::Group(_))) =>
            {
                return;
            }
            TokenTree::Group(group) => {
                let before = [word(at.wrapping_sub(1)), word(at.wrapping_sub(2))];
                let ours = before.iter().any(|word| OURS.contains(&word.as_str()));
                let attribute = before[0] == "#" || before == ["!", "#"];
                if !ours && !attribute {
                    collect(file, group.stream(), sentences);
                }
            }
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal.clone())
                    && text.value().trim().contains(' ')
                {
                    sentences.push(Sentence {
                        place: format!("{file}:{}", literal.span().start().line),
                        text: text.value(),
                    });
                }
            }
            _ => {}
        }
    }
}

/// Every sentence of the reader.
fn sentences() -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for path in files("src", "rs") {
        let name = path
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .expect("a file of the repository");
        let name = name.display().to_string();
        let reader = name == "src/spec.rs" || name.starts_with("src/spec/");
        if !reader || name.ends_with("/tests.rs") || name.ends_with("/removal.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).expect("source is UTF-8");
        let tokens = source.parse().expect("it has been compiled");
        collect(&name, tokens, &mut sentences);
    }
    assert!(
        sentences.len() > 100,
        "the reader has more to say than that"
    );
    sentences
}

#[test]
fn every_message_of_the_reader_has_a_golden_file() {
    let golden: String = files("tests/bad-specs", "expected")
        .iter()
        .map(|path| fs::read_to_string(path).expect("golden files are text"))
        .collect();
    let listed: BTreeSet<String> = spec::vocabulary()
        .into_iter()
        .flat_map(|chapter| chapter.entries)
        .flat_map(|entry| [entry.form, entry.meaning])
        .chain(spec::key_meanings())
        .collect();
    let silent: Vec<_> = sentences()
        .into_iter()
        .filter(|sentence| !listed.iter().any(|line| sentence.is_said(line)))
        .filter(|sentence| !golden.lines().any(|line| sentence.is_said(line)))
        .map(|sentence| format!("{}: {:?}", sentence.place, sentence.text))
        .collect();
    assert!(
        silent.is_empty(),
        "{} messages that no file of tests/bad-specs provokes; write one for each, and UPDATE_EXPECT=1 makes its golden file:\n{}",
        silent.len(),
        silent.join("\n")
    );
}

#[test]
fn sentences_are_found_and_compared_by_their_fixed_parts() {
    let mut found = Vec::new();
    let source = r#"
        /// Not this one.
        fn f() {
            say(format!("`{name}` is {{not}} a command, {}", 1));
            x.expect("nor that one");
            let word = "word";
        }
        #[cfg(test)]
        mod tests { const C: &str = "nor this"; }
    "#;
    collect("f.rs", source.parse().unwrap(), &mut found);
    let [sentence] = &found[..] else {
        panic!("{} sentences", found.len())
    };
    assert_eq!(sentence.place, "f.rs:4");
    assert_eq!(sentence.fixed(), ["`", "` is {not} a command, ", ""]);
    assert!(sentence.is_said("error: `x` is {not} a command, 7"));
    assert!(!sentence.is_said("error: `x` is a command, 7"));
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/spec")
            .is_dir()
    );
}
