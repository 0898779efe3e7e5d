//! For terminals: a row is a line that begins below its actor's name. Only one moves in a row, so it may run on to the right.

use super::{Story, column};

/// Where lines are broken, if there is room for that much of a sentence right of the actor's place.
const WIDTH: usize = 150;
/// That much.
const LEAST: usize = 60;
/// How far apart actors stand at least.
const APART: usize = 12;

/// The whole story.
pub fn render(story: &Story) -> String {
    let mut lines = vec![
        format!("{}: {}", story.title(), story.about.title),
        format!("  {}", story.circumstances()),
        String::new(),
    ];
    let columns = story.columns();
    let number = story.rows.len().to_string().len().max(4);
    let sources: Vec<_> = story.rows.iter().map(|row| source(&row.source)).collect();
    let source = sources.iter().map(String::len).max().unwrap_or(0).max(4);
    let left = number + 2 + source + 2;
    let mut places = Vec::new();
    let mut header = format!("{:>number$}  {:source$}  ", "step", "line");
    for name in &columns {
        places.push(header.len());
        header.push_str(&format!("{name:width$}", width = APART.max(name.len() + 2)));
    }
    lines.push(header.trim_end().to_owned());
    for (place, (row, source_of)) in story.rows.iter().zip(&sources).enumerate() {
        let lane = columns.iter().position(|name| *name == column(&row.actor));
        let at = places[lane.unwrap_or(0)];
        let room = WIDTH.saturating_sub(at).max(LEAST);
        let head = format!("{:>number$}  {source_of:source$}  ", place + 1);
        let mut said = wrapped(&story.says(row), room).into_iter();
        let first = said.next().unwrap_or_default();
        lines.push(format!("{head}{:width$}{first}", "", width = at - left));
        lines.extend(said.map(|more| format!("{:at$}{more}", "")));
        lines.extend(
            story
                .bytes_of(row)
                .iter()
                .map(|bytes| format!("{:left$}{bytes}", "")),
        );
        for note in &row.notes {
            for (nth, part) in wrapped(note, room - 4).into_iter().enumerate() {
                let mark = if nth == 0 { "  - " } else { "    " };
                lines.push(format!("{:at$}{mark}{part}", ""));
            }
        }
    }
    lines.push(String::new());
    for (title, text) in [
        ("Violated", &*story.end),
        ("Because", &*story.because),
        ("Checked", &*story.certificate()),
        ("Executed", &*format!("on the engine: {}", story.executed)),
    ] {
        let mut parts = wrapped(text, WIDTH - 10).into_iter();
        lines.push(format!("{title:8}  {}", parts.next().unwrap_or_default()));
        lines.extend(parts.map(|part| format!("{:10}{part}", "")));
    }
    lines.push(String::new());
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n")
}

/// The file's name without its directory, and the line.
fn source(source: &Option<(String, u32)>) -> String {
    source.as_ref().map_or(String::new(), |(file, line)| {
        let name = file.rsplit('/').next().unwrap_or(file);
        format!("{name}:{line}")
    })
}

/// A text in lines of at most `room` characters, broken between words.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("a bc def g", 4), ["a bc", "def", "g"]);
        assert_eq!(wrapped("longer than room", 3), ["longer", "than", "room"]);
    }
}
