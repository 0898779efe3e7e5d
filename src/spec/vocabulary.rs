//! Every word of spec files with one line of explanation, for `nestcheck list`.
//!
//! The words are those of the tables that the reader itself uses, so that what is listed is what is understood.

use model::OpKind;
use vocab::{Devices, Opcode, Threat};

use super::axes::axes;
use super::compile::written;
use super::hardware::HARDWARE_KEYS;
use super::scopes::SCOPES;
use super::text::forms::FORMS;

/// Words that belong together.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// What they are.
    pub title: &'static str,
    /// The words.
    pub entries: Vec<Entry>,
}

/// A word, or a form of words, and what it means.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How it is written.
    pub form: String,
    /// What it means, in one line.
    pub meaning: String,
}

fn entry(form: impl Into<String>, meaning: impl Into<String>) -> Entry {
    Entry {
        form: form.into(),
        meaning: meaning.into(),
    }
}

/// The vocabulary of spec files, chapter by chapter; properties and verdicts apart.
pub fn vocabulary() -> Vec<Chapter> {
    let steps = FORMS.iter().map(|form| entry(form.form, form.meaning));
    let commands = Opcode::ALL.into_iter().map(|opcode| {
        let form = written(opcode, false).replace('`', "");
        entry(form, opcode.meaning())
    });
    let axes = axes().into_iter().flat_map(|axis| {
        let values = axis
            .values
            .into_iter()
            .map(move |(value, meaning)| entry(format!("{} = {value}", axis.key), meaning));
        std::iter::once(entry(axis.key, axis.meaning)).chain(values)
    });
    let operations = OpKind::ALL.into_iter().map(|op| {
        let who = if op.is_guests() {
            "a guest's operation"
        } else {
            "the host's operation"
        };
        entry(
            format!("{}({})", op.name(), op.param_names().join(", ")),
            who,
        )
    });
    let threats = [
        "guests follow their programs",
        "guests follow their programs, but guest memory may hold anything at any time",
        "guest memory holds anything, and guests make any call with any argument at any time",
    ];
    let devices = [
        "a device uses a SubstreamID only after bind returned and until unbind returned",
        "a device uses any SubstreamID at any time",
    ];
    let chapter = |title, entries| Chapter { title, entries };
    vec![
        chapter("steps", steps.collect()),
        chapter("commands", commands.collect()),
        chapter("operations", operations.collect()),
        chapter("axes", axes.collect()),
        chapter(
            "grades",
            super::GRADES
                .iter()
                .map(|(word, _, meaning)| Entry {
                    form: (*word).to_owned(),
                    meaning: (*meaning).to_owned(),
                })
                .collect(),
        ),
        chapter(
            "threats",
            Threat::ALL
                .iter()
                .zip(threats)
                .map(|(threat, m)| entry(threat.name(), m))
                .collect(),
        ),
        chapter(
            "devices",
            Devices::ALL
                .iter()
                .zip(devices)
                .map(|(devices, m)| entry(devices.name(), m))
                .collect(),
        ),
        chapter(
            "hardware",
            HARDWARE_KEYS
                .into_iter()
                .map(|(key, m)| entry(key, m))
                .collect(),
        ),
        chapter(
            "scopes",
            SCOPES.into_iter().map(|(name, m)| entry(name, m)).collect(),
        ),
    ]
}
