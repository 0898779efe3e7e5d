//! For documents: a table with a column for each actor.

use super::{Story, column};

/// The whole story.
pub fn render(story: &Story) -> String {
    let columns = story.columns();
    let mut lines = vec![
        format!("### {}", story.title()),
        String::new(),
        format!("{}; {}.", story.about.title, story.circumstances()),
        String::new(),
        format!("| step | line | {} |", columns.join(" | ")),
        format!("|---:|---|{}", "---|".repeat(columns.len())),
    ];
    for (place, row) in story.rows.iter().enumerate() {
        let source = row.source.as_ref();
        let source = source.map_or(String::new(), |(file, line)| format!("{file}:{line}"));
        let mut cell = escaped(&story.says(row));
        for bytes in story.bytes_of(row) {
            cell.push_str(&format!("<br>`{bytes}`"));
        }
        for note in &row.notes {
            cell.push_str("<br>• ");
            cell.push_str(&escaped(note));
        }
        let cells = columns
            .iter()
            .map(|name| match *name == column(&row.actor) {
                true => &*cell,
                false => "",
            });
        let cells: Vec<_> = cells.collect();
        lines.push(format!(
            "| {} | {} | {} |",
            place + 1,
            escaped(&source),
            cells.join(" | ")
        ));
    }
    lines.extend([
        String::new(),
        format!("**Violated:** {}.", escaped(&story.end)),
        String::new(),
        format!("**Because** {}.", escaped(&story.because)),
        String::new(),
        format!("Checked {}.", escaped(&story.certificate())),
        String::new(),
        format!(
            "Executed on the engine: {}.",
            escaped(&story.executed.to_string())
        ),
        String::new(),
    ]);
    lines.join("\n")
}

/// What Markdown would take for its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '|' | '*' | '_' | '<' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
