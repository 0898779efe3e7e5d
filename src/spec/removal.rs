//! A spec without one of its steps: what `nestcheck necessity` compares with the spec itself.
//!
//! What is removed is removed from the merged tree, as `[[change]] remove` would, before programs are parsed:
//!
//! * a step that heads a block goes with its block and its `else:` or `on refusal:`; either of these two goes with its own block;
//! * `lock` goes with every `unlock` of its name that follows it in its program; an `unlock` goes alone, which leaves the lock taken;
//! * a program whose only call is removed goes with it.

use std::path::Path;

use model::SourceStep;

use super::base::Loaded;
use super::change::{heads, lines_of, whole};
use super::lines::{Line, folded};
use super::programs::{self, Program};
use super::report::Sink;
use super::source::Files;
use super::{Spec, SpecErrors, Unreached, assemble, base};

/// A step, and the spec without it.
#[derive(Clone, Debug)]
pub struct Removal {
    /// The step.
    pub step: SourceStep,
    /// The further steps that go with it.
    pub also: Vec<SourceStep>,
    /// The spec without all of them; if there is none, why not.
    pub without: Result<Spec, String>,
}

/// Reads a spec file, and once more without each single step of its programs, its bases' included, in the order of sections and
/// lines.
pub fn read(path: &Path) -> Result<(Spec, Vec<Removal>), SpecErrors> {
    let mut files = Files::default();
    let mut sink = Sink::default();
    let loaded = base::load(path, &mut files, &mut sink);
    let spec = loaded.as_ref().and_then(|loaded| {
        let own = &mut files;
        assemble(path, loaded, Unreached::Wrong, own, &mut sink)
    });
    let (Some(loaded), Some(spec), 0) = (loaded, spec, sink.count()) else {
        return Err(sink.into_errors(files));
    };
    let mut removals = Vec::new();
    for program in programs::read(&loaded.table, &files, &mut sink) {
        for at in 0..program.lines.len() {
            let gone = gone(&program.lines, at);
            let mut steps = gone.iter().map(|&at| place(&program, at, &files));
            let step = steps.next().expect("a step is removed with its removal");
            let also = steps.collect();
            let without = match only_step(&program.lines, at) {
                Some(head) => {
                    let line = files.line(program.lines[head].span);
                    Err(format!("it is all of the block of line {line}"))
                }
                None => without(path, &loaded, &program, &gone, &files),
            };
            removals.push(Removal {
                step,
                also,
                without,
            });
        }
    }
    Ok((spec, removals))
}

/// The lines that go with a line, the line itself first.
fn gone(lines: &[Line], at: usize) -> Vec<usize> {
    let mut gone: Vec<usize> = (at..whole(lines, at)).collect();
    if let Some(name) = folded(&lines[at].text).strip_prefix("lock ") {
        let (lock, unlock) = (format!("lock {name}"), format!("unlock {name}"));
        let until_locked_again =
            (at + 1..lines.len()).take_while(|&later| folded(&lines[later].text) != lock);
        gone.extend(until_locked_again.filter(|&later| folded(&lines[later].text) == unlock));
    }
    gone
}

/// The head of the block of which a step, with its own block, is all there is.
fn only_step(lines: &[Line], at: usize) -> Option<usize> {
    let (head, indent) = (at.checked_sub(1)?, lines[at].indent);
    let end = lines.get(whole(lines, at));
    let all = heads(&lines[head])
        && lines[head].indent < indent
        && end.is_none_or(|next| next.indent < indent);
    all.then_some(head)
}

/// The spec without some lines of a program, or the first thing that is wrong with it.
fn without(
    path: &Path,
    loaded: &Loaded,
    program: &Program,
    gone: &[usize],
    files: &Files,
) -> Result<Spec, String> {
    let (mut loaded, mut files, mut sink) = (loaded.clone(), files.clone(), Sink::default());
    let lines = lines_of(&program.full_name(), &mut loaded.table)
        .expect("a program that was read is in the tree that it was read from");
    let mut at = 0..;
    lines.retain(|_| at.next().is_some_and(|at| !gone.contains(&at)));
    let spec = assemble(path, &loaded, Unreached::LeftOut, &mut files, &mut sink);
    match (sink.first(), spec) {
        (None, Some(spec)) => Ok(spec),
        (Some((what, Some(span))), _) => Err(format!("{what} (line {})", files.line(span))),
        (Some((what, None)), _) => Err(what.to_owned()),
        (None, None) => panic!("a spec that could be read cannot any more, and nothing says why"),
    }
}

/// A line as reports name it.
fn place(program: &Program, at: usize, files: &Files) -> SourceStep {
    let line = &program.lines[at];
    SourceStep {
        section: program.section,
        program: program.name.clone(),
        line: files.line(line.span),
        file: files.get(line.span.file).path.clone(),
        text: line.text.clone(),
    }
}
