//! `nestcheck list`: the words that spec files and flags are made of.

use std::fmt::Write;

use model::property;

use crate::args::Topic;
use crate::scope::DIMENSIONS;
use crate::spec::vocabulary;

/// The text of a topic, or of all.
pub fn render(topic: Option<Topic>) -> String {
    match topic {
        Some(Topic::Properties) => properties(),
        Some(Topic::Steps) => chapters(&["steps", "commands", "operations"]),
        Some(Topic::Axes) => chapters(&["axes", "hardware", "threats", "devices"]),
        Some(Topic::Scopes) => [chapters(&["scopes"]), dimensions()].join("\n"),
        None => {
            let words: Vec<_> = vocabulary().iter().map(|chapter| chapter.title).collect();
            [properties(), chapters(&words), dimensions()].join("\n")
        }
    }
}

fn properties() -> String {
    let mut text = String::from("properties\n");
    for property in &property::ALL {
        line(
            &mut text,
            &format!("{:8} {}", property.id.name(), property.claim),
        );
        for (name, value) in [
            ("source", property.source),
            ("witness", property.witness),
            ("broken by", property.broken_by),
        ] {
            line(&mut text, &format!("{:8}   {name}: {value}", ""));
        }
    }
    text
}

/// Chapters of the vocabulary of spec files, by title.
fn chapters(titles: &[&str]) -> String {
    let mut texts = Vec::new();
    for chapter in vocabulary() {
        if titles.contains(&chapter.title) {
            let mut text = format!("{}\n", chapter.title);
            for entry in chapter.entries {
                row(&mut text, &entry.form, &entry.meaning);
            }
            texts.push(text);
        }
    }
    texts.join("\n")
}

fn dimensions() -> String {
    let mut text = String::from("dimensions of a scope's parts\n");
    for dimension in DIMENSIONS {
        let range = format!(
            "{} = {}..{}",
            dimension.name, dimension.least, dimension.most
        );
        row(&mut text, &range, dimension.meaning);
    }
    text
}

fn row(text: &mut String, word: &str, meaning: &str) {
    let width = 48;
    if word.chars().count() > width {
        line(text, word);
        line(text, &format!("{:width$}  {meaning}", ""));
    } else {
        line(text, &format!("{word:width$}  {meaning}"));
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "  {line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_words() {
        assert!(render(Some(Topic::Properties)).contains("P-LIVE"));
        assert!(render(Some(Topic::Steps)).contains("CFGI_CD"));
        assert!(render(Some(Topic::Axes)).contains("cd_table"));
        assert!(render(Some(Topic::Scopes)).contains("guest_threads"));
    }

    #[test]
    fn nothing_is_left_out() {
        let all = render(None);
        for topic in [Topic::Properties, Topic::Steps, Topic::Axes, Topic::Scopes] {
            for line in render(Some(topic)).lines() {
                assert!(all.contains(line), "{line}");
            }
        }
    }
}
