//! Every violation that is claimed can be told as a story that was taken on scheduled caches; every kind of cause has a mutant that has
//! it; and chosen stories read as they did (UPDATE_EXPECT=1 rewrites them).

use std::path::Path;

use expect_test::expect_file;
use nestcheck::job::Options;
use nestcheck::job::explain::{Explained, explain};
use nestcheck::spec::Spec;
use nestcheck::story::{Executed, Format, Story};
use vocab::{Devices, PropertyId, Threat, Verdict};

use crate::runs::{self, CORPUS, MUTANTS, SHIPPED};

type Pair = (Threat, Devices);

const HONEST: Pair = (Threat::Honest, Devices::Driven);
const SCRIBBLING: Pair = (Threat::Scribbling, Devices::Driven);
const HOSTILE: Pair = (Threat::Hostile, Devices::Wild);

fn tell(spec: &Spec, id: PropertyId, (threat, devices): Pair) -> Result<Story, String> {
    let options = Options {
        threat: Some(threat),
        devices: Some(devices),
        ..runs::quick()
    };
    match explain(spec, id, true, &options, &runs::silent()) {
        Ok(Explained::Story(story)) => Ok(*story),
        Ok(Explained::Nothing(why) | Explained::Interrupted(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    }
}

/// A spec by its name under `specs/`.
fn named(name: &str) -> Spec {
    runs::read(&Path::new(SHIPPED).join(name).with_extension("toml"))
}

/// The violations that are claimed of a spec.
fn claimed(spec: &Spec) -> Vec<(Pair, PropertyId)> {
    let of = |(&pair, claims)| {
        let claims: &std::collections::BTreeMap<_, nestcheck::spec::Claim> = claims;
        let violated = claims
            .iter()
            .filter(|(_, claim)| claim.verdict == Verdict::Violated);
        violated.map(move |(&id, _)| (pair, id)).collect::<Vec<_>>()
    };
    spec.expect.iter().flat_map(of).collect()
}

/// Tells what is claimed of all specs of a directory; what `is_told` leaves out only if SLOW_TESTS is set.
fn tell_all(directory: &str, is_told: impl Fn(&Spec, Pair, PropertyId) -> bool) {
    let all = std::env::var_os("SLOW_TESTS").is_some();
    let mut wrong = Vec::new();
    let mut told = 0;
    for spec in runs::specs(directory) {
        for (pair, id) in claimed(&spec) {
            let name = format!("{} {} {}", spec.name, runs::pair_name(pair), id.name());
            if !all && !is_told(&spec, pair, id) {
                println!("{name}: only with SLOW_TESTS=1");
                continue;
            }
            told += 1;
            match tell(&spec, id, pair) {
                Ok(story) => {
                    println!("{name}: {}\n    {}", story.cause.name(), story.because);
                    println!("    executed: {}", story.executed);
                    wrong.extend(not_executed(id, &story).map(|why| format!("{name}: {why}")));
                    let line = not_mermaid(&story.render(Format::Mermaid));
                    wrong.extend(line.map(|line| format!("{name}: not mermaid: {line}")));
                }
                Err(why) => wrong.push(format!("{name}: {why}")),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(told > 0, "no violation is claimed under {directory}");
}

/// What is missing in what the engine makes of a story: that it can be executed at all, and that what must not be reached is.
fn not_executed(id: PropertyId, story: &Story) -> Option<String> {
    let is_about_frames = matches!(id, PropertyId::S1 | PropertyId::Iso | PropertyId::S2);
    match &story.executed {
        Executed::NotReproduced(why) => Some(why.clone()),
        Executed::Reached(_) => None,
        other if is_about_frames => Some(format!("no frame is reached: {other}")),
        _ => None,
    }
}

/// The first line that mermaid's grammar of sequence diagrams does not take, as far as we use it (https://mermaid.js.org/syntax/
/// sequenceDiagram.html): `;` ends a statement, `#` begins an entity, `end` is a keyword.
fn not_mermaid(diagram: &str) -> Option<String> {
    let mut ids = Vec::new();
    let mut lines = diagram.lines().skip_while(|line| line.starts_with("%% "));
    let first = lines.next();
    if first != Some("sequenceDiagram") {
        return Some(format!("{first:?}"));
    }
    let is_text = |text: &str| !text.trim().is_empty() && !text.contains([';', '#']);
    let is_id = |id: &str| {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        !id.is_empty() && id.chars().all(is_word) && id != "end"
    };
    for line in lines {
        let fine = match line
            .strip_prefix("    ")
            .map(|line| (line, line.split_once(": ")))
        {
            Some((line, None)) => {
                let words = line.strip_prefix("participant ");
                let words = words.and_then(|words| words.split_once(" as "));
                words.is_some_and(|(id, name)| {
                    ids.push(id);
                    is_id(id) && is_text(name)
                })
            }
            Some((_, Some((head, text)))) => {
                let named: Vec<_> = match head.strip_prefix("Note over ") {
                    Some(over) => over.split(',').collect(),
                    None => head.split("->>").collect(),
                };
                let all_known = named.iter().all(|id| ids.contains(id));
                all_known && (head.starts_with("Note ") || named.len() == 2) && is_text(text)
            }
            None => false,
        };
        if !fine {
            return Some(line.to_owned());
        }
    }
    None
}

#[test]
fn what_mermaid_does_not_take_is_noticed() {
    let fine =
        "%% a: b\nsequenceDiagram\n    participant a as A\n    a->>a: x\n    Note over a,a: y\n";
    assert_eq!(not_mermaid(fine), None);
    for (good, bad) in [
        ("x", "x; y"),
        ("y", "#y"),
        ("a->>a", "a->>b"),
        ("participant a", "participant a b"),
        ("Note over a,a", "Note over a,b"),
        ("sequenceDiagram", "sequence"),
    ] {
        let wrong = fine.replace(good, bad);
        assert!(not_mermaid(&wrong).is_some(), "{wrong}");
    }
}

/// A pair is told unless the property is broken there just as it is with honest guests and driven devices. That a hostile guest
/// makes a machine stuck takes a minute to find.
#[test]
fn every_mutants_violation_has_a_story() {
    tell_all(MUTANTS, |spec, pair, id| {
        let simple = || claimed(spec).contains(&(HONEST, id));
        match pair {
            HONEST => true,
            HOSTILE => id != PropertyId::Live && !simple(),
            (Threat::Honest, _) => !simple(),
            _ => false,
        }
    });
}

#[test]
fn every_variants_violation_has_a_story() {
    tell_all(SHIPPED, |_, pair, _| pair == HONEST || pair == SCRIBBLING);
}

/// What a known bug adds to its base, in the parts that it names.
#[test]
fn every_known_bugs_violation_has_a_story() {
    tell_all(CORPUS, |spec, pair, id| {
        let bug = spec.bug.as_ref().expect("the corpus is of bugs");
        pair == HONEST && !claimed(&bug.fixed).contains(&(pair, id))
    });
}

/// What honest guests wrote is what their memory holds, global or not.
#[test]
fn guest_memory_that_programs_wrote_is_not_called_anything() {
    let spec = named("corpus/b78-global-left-by-asid-scope");
    let story = tell(&spec, PropertyId::S1, HONEST).unwrap_or_else(|why| panic!("{why}"));
    let told = story.render(Format::Text);
    assert!(!told.contains("guest memory holds"), "{told}");
    assert!(
        told.contains("pte(space 0, page 0) = global ipa 0"),
        "{told}"
    );
}

/// A violation of P-REPORT says which of its two kinds it is.
#[test]
fn a_lie_is_told_for_what_it_is() {
    let handled = "a guest was told that what it asked for is handled, and this is not completed: ";
    let refused = "a guest that follows its programs was refused a request, and nothing had failed";
    for (name, expected) in [
        ("b28-converted-reported", handled),
        ("b29-illegal-swallowed", handled),
        ("b33-syncs-merged", handled),
        ("b40-early-cfgi-refused", refused),
    ] {
        let story = tell(
            &named(&format!("corpus/{name}")),
            PropertyId::Report,
            HONEST,
        );
        let story = story.unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(story.end.starts_with(expected), "{name}: {}", story.end);
    }
}

/// What the closing sentence names: the cause, and what became of the invalidation.
#[test]
fn every_cause_has_a_spec_that_has_it() {
    use PropertyId::{Alias, Cfg, Conf, Iso, Live, S1, S2, Scope};
    let expected = [
        (
            "mutants/atc-forgotten",
            HONEST,
            S1,
            "not-at-all",
            Some("not-at-all"),
        ),
        (
            "mutants/bind-without-cfgi",
            HONEST,
            Cfg,
            "too-early",
            Some("too-early"),
        ),
        (
            "mutants/answered-early",
            HONEST,
            S1,
            "not-synced",
            Some("not-synced"),
        ),
        (
            "mutants/sync-on-another-queue",
            HONEST,
            S1,
            "wrong-queue",
            Some("wrong-queue"),
        ),
        (
            "corpus/b01-atc-before-tlbi",
            HONEST,
            S1,
            "filled-from-stale",
            Some("in-flight"),
        ),
        (
            "mutants/detach-without-cfgi",
            HONEST,
            S2,
            "filled-from-stale",
            Some("too-late"),
        ),
        (
            "mutants/vmid-reused-unflushed",
            HONEST,
            Iso,
            "filled-from-stale",
            Some("not-at-all"),
        ),
        (
            "mutants/asid-flushed-after-reuse",
            HONEST,
            Alias,
            "not-at-all",
            Some("not-at-all"),
        ),
        (
            "corpus/b27-one-vmid-two-viommus",
            HONEST,
            S1,
            "memory",
            None,
        ),
        (
            "corpus/b27-one-vmid-two-viommus",
            SCRIBBLING,
            S1,
            "guest-memory",
            None,
        ),
        ("mutants/asid-scope-narrowed", HONEST, Scope, "step", None),
        ("corpus/b25-vsid-unchecked", HOSTILE, Conf, "step", None),
        ("mutants/lock-order", HONEST, Live, "stuck", None),
        (
            "corpus/b80e-fan-out-failure-swallowed",
            HONEST,
            S1,
            "not-answered",
            Some("not-answered"),
        ),
        ("mutants/lock-kept-on-failure", HONEST, Live, "stuck", None),
    ];
    for (name, pair, id, cause, removal) in expected {
        let story = tell(&named(name), id, pair).unwrap_or_else(|why| panic!("{name}: {why}"));
        let found = (story.cause.name(), story.cause.removal());
        assert_eq!(
            found,
            (cause, removal),
            "{name} {}: {}",
            id.name(),
            story.because
        );
    }
}

/// Each in the format that its file's extension says.
#[test]
fn chosen_stories_read_as_they_did() {
    use PropertyId::{Iso, Live, Report, S1};
    let golden = |spec: &Spec, id, pair, format, file: &str| {
        let story = tell(spec, id, pair).unwrap_or_else(|why| panic!("{file}: {why}"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/stories")
            .join(file);
        expect_file![path].assert_eq(&story.render(format));
    };
    let trapped = named("strong-guest-cd-trapped");
    let text = Format::Text;
    golden(
        &named("corpus/b01-atc-before-tlbi"),
        S1,
        HONEST,
        text,
        "b01-atc-before-tlbi.txt",
    );
    golden(&trapped, S1, HONEST, text, "strong-guest-cd-trapped.txt");
    golden(
        &named("mutants/vmid-reused-unflushed"),
        Iso,
        HONEST,
        text,
        "vmid-reused-unflushed.txt",
    );
    golden(
        &named("mutants/lock-order"),
        Live,
        HONEST,
        text,
        "lock-order.txt",
    );
    golden(&trapped, S1, SCRIBBLING, text, "scribbled.txt");
    for (name, id) in [
        ("b28-converted-reported", Report),
        ("b80e-fan-out-failure-swallowed", S1),
    ] {
        golden(
            &named(&format!("corpus/{name}")),
            id,
            HONEST,
            text,
            &format!("{name}.txt"),
        );
    }
    let both = named("mutants/one-sync-for-both");
    golden(&both, S1, HONEST, Format::Markdown, "one-sync-for-both.md");
    golden(&both, S1, HONEST, Format::Json, "one-sync-for-both.json");
    golden(
        &both,
        S1,
        HONEST,
        Format::Mermaid,
        "one-sync-for-both.mermaid",
    );
}
