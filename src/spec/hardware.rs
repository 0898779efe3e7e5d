//! The hardware that a variant runs on: a file of its own under `hardware/`.

use std::path::{Path, PathBuf};

use model::Hardware;

use super::fields::{self, Fields, choice, flag};
use super::keys;
use super::report::{Problem, Sink};
use super::source::{self, Files, Span};
use super::tree::{self, Node};

pub(crate) const ORDERS: [(&str, bool); 2] = [("out-of-order", false), ("in-order", true)];

/// The keys of a hardware file, for `nestcheck list`.
pub const HARDWARE_KEYS: [(&str, &str); 3] = [
    (
        "queue_order",
        "`out-of-order` or `in-order`: in which order a queue's commands take effect before a SYNC",
    ),
    (
        "caches_invalid",
        "whether configuration caches hold invalid entries",
    ),
    (
        "s2_drops_combined",
        "whether invalidating a stage-2 entry also drops combined entries made from it",
    ),
];

/// Reads the hardware file that a spec names.
pub(crate) fn read(name: &Node, files: &mut Files, sink: &mut Sink) -> Option<(String, Hardware)> {
    let word = fields::text(name, sink)?;
    if word.is_empty()
        || !word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        sink.report(
            Problem::at(name.span, format!("`{word}` does not name hardware")).label(
                "expected the name of a file under `hardware/`, without directory and extension",
            ),
        );
        return None;
    }
    let spec = PathBuf::from(&files.get(name.span.file).path);
    let Some((path, read)) = find(&spec, word) else {
        sink.report(
            Problem::at(
                name.span,
                format!("there is no hardware file `{word}.toml`"),
            )
            .label("looked for it in `hardware/` beside this file and in every directory above"),
        );
        return None;
    };
    let text = match read {
        Ok(text) => text,
        Err(reason) => {
            sink.report(Problem::at(name.span, reason));
            return None;
        }
    };
    let file = files.add(&path, text.clone());
    let root = tree::parse(file, &text, sink)?;
    let fields = Fields::new(keys::hardware(), Span::new(file, 0..0), &root, sink);
    if let Some(title) = fields.need("title", sink) {
        fields::text(title, sink);
    }
    if let Some(sources) = fields.get("sources") {
        fields::texts(sources, sink);
    }
    let in_order = fields
        .need("queue_order", sink)
        .and_then(|node| choice("order", node, &ORDERS, sink));
    let caches_invalid = fields
        .need("caches_invalid", sink)
        .and_then(|node| flag(node, sink));
    let s2_drops_combined = fields
        .need("s2_drops_combined", sink)
        .and_then(|node| flag(node, sink));
    let hardware = Hardware {
        in_order: in_order?,
        caches_invalid: caches_invalid?,
        s2_drops_combined: s2_drops_combined?,
    };
    Some((word.to_owned(), hardware))
}

/// The nearest hardware file of that name: beside the spec, then upwards.
fn find(spec: &Path, name: &str) -> Option<(PathBuf, Result<String, String>)> {
    let here = std::path::absolute(spec).unwrap_or_else(|_| spec.to_owned());
    let current = std::env::current_dir().unwrap_or_default();
    for above in here.ancestors().skip(1) {
        for folder in ["hardware", "specs/hardware"] {
            let path = above.join(folder).join(format!("{name}.toml"));
            if path.is_file() {
                // Messages name files as people do who work in the current directory.
                let shown = path
                    .strip_prefix(&current)
                    .map(Path::to_owned)
                    .unwrap_or(path);
                let text = source::read(&shown);
                return Some((shown, text));
            }
        }
    }
    None
}
