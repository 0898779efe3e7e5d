//! Errors in spec files: where, what, what was expected instead, and what to do.
//!
//! Reading goes on after an error wherever what follows can be judged without what was wrong, so that one run reports as much as
//! possible. Only this module names the library that draws the source line and the caret.

use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::{Files, Span};

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    message: String,
    place: Option<Span>,
    label: String,
    also: Vec<(Span, String)>,
    help: Vec<String>,
}

impl Problem {
    /// An error at a place in a file.
    pub fn at(place: Span, message: impl Into<String>) -> Self {
        Problem {
            place: Some(place),
            ..Problem::nowhere(message)
        }
    }

    /// An error that is about no line, such as a file that cannot be read.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Problem {
            message: message.into(),
            place: None,
            label: String::new(),
            also: Vec::new(),
            help: Vec::new(),
        }
    }

    /// What stands beside the caret: what was expected.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place that has to do with it.
    pub fn also(mut self, place: Span, label: impl Into<String>) -> Self {
        self.also.push((place, label.into()));
        self
    }

    /// A line that says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The same, where there is something to say.
    pub fn hint(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    fn render(&self, files: &Files, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(&self.message));
        let mut elsewhere: Vec<_> = self.also.iter().collect();
        if let Some(place) = self.place {
            let file = files.get(place.file);
            let caret = AnnotationKind::Primary.span(place.range());
            let caret = if self.label.is_empty() {
                caret
            } else {
                caret.label(&self.label)
            };
            let mut snippet = Snippet::source(&file.text)
                .path(&file.path)
                .annotation(caret);
            elsewhere.retain(|(span, label)| {
                if span.file == place.file {
                    let context = AnnotationKind::Context.span(span.range()).label(label);
                    snippet =
                        std::mem::replace(&mut snippet, Snippet::source("")).annotation(context);
                }
                span.file != place.file
            });
            group = group.element(snippet);
        }
        for (span, label) in elsewhere {
            let file = files.get(span.file);
            let context = AnnotationKind::Context.span(span.range()).label(label);
            group = group.element(
                Snippet::source(&file.text)
                    .path(&file.path)
                    .annotation(context),
            );
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }
}

/// The errors found so far.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    problems: Vec<Problem>,
    /// Whether what is read is only a base, which may leave to others what a spec must say.
    pub only_a_base: bool,
}

impl Sink {
    /// Notes an error. The same one twice is noted once: a program that is called twice is compiled twice.
    pub fn report(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes an error that may be seen from several places; it is told where it was seen first.
    pub fn report_once(&mut self, problem: Problem) {
        if !self
            .problems
            .iter()
            .any(|known| known.message == problem.message)
        {
            self.problems.push(problem);
        }
    }

    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The first error in the order of files and lines, in one line without its place: `unknown name `asid``.
    pub fn first(&self) -> Option<(&str, Option<Span>)> {
        let first = self.problems.iter().min_by_key(|problem| problem.place)?;
        Some((&first.message, first.place))
    }

    /// Everything that was found, in the order of files and lines.
    pub fn into_errors(mut self, files: Files) -> SpecErrors {
        self.problems.sort_by_key(|problem| problem.place);
        SpecErrors {
            files,
            problems: self.problems,
        }
    }
}

/// Why a spec file cannot be used: every error that was found in it and in the files that it names.
#[derive(Clone, Debug)]
pub struct SpecErrors {
    files: Files,
    problems: Vec<Problem>,
}

impl SpecErrors {
    /// How many errors there are; at least one.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The errors as text for a terminal; in colour if asked.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let drawn: Vec<_> = self
            .problems
            .iter()
            .map(|problem| problem.render(&self.files, &renderer))
            .collect();
        drawn.join("\n\n")
    }
}

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for SpecErrors {}
