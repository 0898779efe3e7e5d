//! A sequence diagram: commands and requests are messages, everything else is a note above its actor.

use super::{Kind, Story, column};

/// Notes are broken into lines of about this many characters.
const WIDTH: usize = 46;

/// The whole diagram.
pub fn render(story: &Story) -> String {
    let columns = story.columns();
    let smmu = "smmu";
    let has_smmu = columns.iter().any(|name| name == smmu);
    let mut lines = vec![
        format!("%% {}: {}", story.title(), story.circumstances()),
        "sequenceDiagram".to_owned(),
    ];
    let needs_smmu = story
        .rows
        .iter()
        .any(|row| matches!(row.kind, Kind::Command | Kind::Sync | Kind::Request));
    let extra = (needs_smmu && !has_smmu).then(|| smmu.to_owned());
    for name in columns.iter().chain(&extra) {
        lines.push(format!("    participant {} as {name}", id(name)));
    }
    for (place, row) in story.rows.iter().enumerate() {
        let who = id(&column(&row.actor));
        let text = plain(&format!("{}. {}", place + 1, story.says(row)));
        lines.push(match row.kind {
            Kind::Command | Kind::Sync | Kind::Request => format!("    {who}->>{smmu}: {text}"),
            _ => format!("    Note over {who}: {text}"),
        });
        if !row.notes.is_empty() {
            let over = match row.kind {
                Kind::Sync => smmu,
                _ => &who,
            };
            let notes: Vec<_> = row.notes.iter().map(|note| plain(note)).collect();
            lines.push(format!("    Note over {over}: {}", notes.join("<br/>")));
        }
    }
    let all = columns.iter().chain(&extra);
    let ends =
        [all.clone().next(), all.last()].map(|name| name.map_or(String::new(), |name| id(name)));
    for text in [
        format!("violated: {}", story.end),
        format!("because {}", story.because),
    ] {
        lines.push(format!(
            "    Note over {},{}: {}",
            ends[0],
            ends[1],
            plain(&text)
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A participant's id: no spaces, no dots.
fn id(name: &str) -> String {
    name.replace([' ', '.'], "_")
}

/// Without what mermaid takes for the end of a statement or an entity, and broken into lines.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut width = 0;
    for word in text.replace(';', ",").replace('#', "").split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            plain.push_str("<br/>");
            width = 0;
        } else if width > 0 {
            plain.push(' ');
            width += 1;
        }
        plain.push_str(word);
        width += length;
    }
    plain
}
