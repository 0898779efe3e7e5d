//! How verdicts depend on the bounds: the pages of docs/scopes are what the command prints, and its README counts what the pages say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use expect_test::expect_file;
use model::CacheMode;
use nestcheck::evidence;
use nestcheck::files;
use nestcheck::job::{Engine, Options, Watch};
use nestcheck::search::{Found, Limits, Progress};
use nestcheck::spec::{self, Spec};

use crate::runs::SHIPPED;

const PAGES: &str = "docs/scopes";
/// What `--max-states` was for the pages.
const LIMIT: u64 = 600_000;
/// The page and the part that are made again at every test; everything only with SLOW_TESTS=1.
const QUICK: (&str, &str) = ("native-batched-no-ats", "isolation");

struct Nobody(AtomicBool);

impl Watch for Nobody {
    fn interrupt(&self) -> &AtomicBool {
        &self.0
    }
    fn begins(&self, _: &str) {}
    fn progress(&self, _: Progress) {}
    fn ends(&self, _: &str, _: &Found<()>, _: Duration) {}
}

/// What `nestcheck scopes --max-states LIMIT` prints of a spec.
fn page(spec: &Spec) -> String {
    let options = Options {
        threat: None,
        devices: None,
        scope: "quick".parse().unwrap(),
        limits: Limits {
            max_states: Some(LIMIT),
            timeout: None,
        },
        engine: Engine::Levels,
        caches: CacheMode::Saturated,
    };
    let watch = Nobody(AtomicBool::new(false));
    let evidence = evidence::gather(spec, &options, &watch);
    evidence::page(&evidence.unwrap_or_else(|error| panic!("{error}")))
}

fn variants() -> Vec<PathBuf> {
    files::named(&[PathBuf::from(SHIPPED)]).unwrap()
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_pages_are_what_the_command_prints() {
    let all = std::env::var_os("SLOW_TESTS").is_some();
    for path in variants() {
        let name = name_of(&path);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{PAGES}/{name}.md"));
        let mut spec =
            spec::read(&path).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        if all {
            expect_file![file].assert_eq(&page(&spec));
        } else if name == QUICK.0 {
            let parts = spec.scopes.get_mut("quick").unwrap();
            parts.retain(|part| part.name == QUICK.1);
            let page = page(&spec);
            let (_, section) = page.split_once("\n\n").unwrap();
            let kept = fs::read_to_string(&file).unwrap();
            assert!(
                kept.contains(section),
                "{PAGES}/{name}.md is out of date, which says otherwise than\n{section}"
            );
        } else {
            println!("{name}: only with SLOW_TESTS=1");
        }
    }
}

#[test]
fn every_variant_has_a_page_and_every_page_a_variant() {
    let variants: BTreeSet<_> = variants().iter().map(|path| name_of(path)).collect();
    let pages = fs::read_dir(PAGES).unwrap();
    let pages: BTreeSet<_> = pages.map(|entry| name_of(&entry.unwrap().path())).collect();
    assert_eq!(&pages - &variants, BTreeSet::from(["README".to_owned()]));
    assert_eq!(&variants - &pages, BTreeSet::new());
}

/// A cell of a page, read back.
struct Cell {
    variant: String,
    part: String,
    /// `honest driven`
    pair: String,
    /// `pages 2`; none for the part itself.
    bound: Option<String>,
    /// The verdicts that are otherwise: property, verdict.
    otherwise: Vec<(String, String)>,
    given_up: bool,
}

/// All cells of all pages, and what each part says within its own bounds: (variant, pair, property) with the verdicts of all parts.
type Said = BTreeMap<(String, String, String), BTreeSet<String>>;

fn read() -> (Vec<Cell>, Said) {
    let (mut cells, mut said) = (Vec::new(), Said::new());
    for path in variants() {
        let variant = name_of(&path);
        let page = fs::read_to_string(format!("{PAGES}/{variant}.md")).unwrap();
        for section in page.split("\n## ").skip(1) {
            let (part, rest) = section.split_once('\n').unwrap();
            let rows: Vec<Vec<&str>> = rest
                .lines()
                .filter(|line| line.starts_with('|') && !line.starts_with("|--"))
                .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
                .collect();
            let pairs = &rows[0][1..];
            let verdicts = rest.lines().find(|line| line.starts_with('*')).unwrap();
            for (property, verdict, whose) in verdicts_of(verdicts) {
                for pair in pairs
                    .iter()
                    .filter(|pair| whose.is_empty() || whose.contains(**pair))
                {
                    let key = (variant.clone(), (*pair).to_owned(), property.clone());
                    said.entry(key).or_default().insert(verdict.clone());
                }
            }
            for row in &rows[1..] {
                for (pair, text) in pairs.iter().zip(&row[1..]) {
                    cells.push(Cell {
                        variant: variant.clone(),
                        part: part.to_owned(),
                        pair: (*pair).to_owned(),
                        ..cell(row[0], text)
                    });
                }
            }
        }
    }
    (cells, said)
}

/// `*holds*: P-CFG, P-S1 (honest driven, honest wild).` as (property, verdict, pairs if not all).
fn verdicts_of(line: &str) -> Vec<(String, String, BTreeSet<&str>)> {
    let mut all = Vec::new();
    for sentence in line.trim_end_matches('.').split(". ") {
        let (verdict, list) = sentence.split_once("*: ").unwrap();
        // Commas between pairs are not commas between properties.
        for item in list.split("P-").skip(1) {
            let item = item.trim_end_matches(", ");
            let (property, whose) = item.split_once(" (").unwrap_or((item, ""));
            let whose = whose.trim_end_matches(')').split(", ");
            all.push((
                format!("P-{property}"),
                verdict.trim_start_matches('*').to_owned(),
                whose.filter(|pair| !pair.is_empty()).collect(),
            ));
        }
    }
    all
}

fn cell(row: &str, text: &str) -> Cell {
    let bound = row.split_once(" → ").map(|(what, to)| {
        let (dimension, _) = what.split_once(' ').unwrap();
        format!("{dimension} {to}")
    });
    let text = text.replace("**", "");
    let given_up = text.contains("> ");
    // What is not verdicts is numbers: `P-S1 holds, P-CFG vacuous, > 2,240 · 46`.
    let words = text.split(", ").filter(|word| word.starts_with("P-"));
    let otherwise = words.map(|word| {
        let (property, verdict) = word.split_once(' ').unwrap();
        (property.to_owned(), verdict.to_owned())
    });
    Cell {
        variant: String::new(),
        part: String::new(),
        pair: String::new(),
        bound,
        otherwise: otherwise.collect(),
        given_up,
    }
}

/// How many neighbours say what, by variant and pair.
fn counts(cells: &[Cell]) -> String {
    let mut pairs: Vec<&str> = Vec::new();
    let mut counted: BTreeMap<(&str, &str), [usize; 4]> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.bound.is_some()) {
        if !pairs.contains(&cell.pair.as_str()) {
            pairs.push(&cell.pair);
        }
        let is_vacuous = |(_, verdict): &(String, String)| verdict == "vacuous";
        let place = match (cell.otherwise.is_empty(), cell.given_up) {
            (true, false) => 0,
            (true, true) => 2,
            (false, _) if cell.otherwise.iter().all(is_vacuous) => 1,
            (false, _) => 3,
        };
        for variant in [cell.variant.as_str(), "all"] {
            counted.entry((variant, &cell.pair)).or_default()[place] += 1;
        }
    }
    let mut text = format!(
        "| | {} |\n|---|{}\n",
        pairs.join(" | "),
        "---|".repeat(pairs.len())
    );
    let variants = cells.iter().map(|cell| cell.variant.as_str());
    let mut variants: Vec<_> = variants.collect();
    variants.dedup();
    for variant in variants.into_iter().chain(["all"]) {
        match variant {
            "all" => write!(text, "| all").unwrap(),
            _ => write!(text, "| [{variant}]({variant}.md)").unwrap(),
        }
        for pair in &pairs {
            let [same, vacuous, given_up, otherwise] = counted[&(variant, *pair)];
            write!(text, " | {same} / {vacuous} / {given_up} / {otherwise}").unwrap();
        }
        text.push_str(" |\n");
    }
    text
}

/// Where verdicts are otherwise, by what that means for the verdict of the whole scope.
fn otherwise(cells: &[Cell], said: &Said, news: bool) -> String {
    let mut lines: BTreeMap<String, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for cell in cells {
        let Some(bound) = &cell.bound else { continue };
        for (property, verdict) in cell.otherwise.iter().filter(|(_, it)| it != "vacuous") {
            let key = (cell.variant.clone(), cell.pair.clone(), property.clone());
            let is_news = verdict == "violated" && !said[&key].contains("violated");
            if is_news == news {
                let what = format!("{}, {}: {property} {verdict}", cell.variant, cell.part);
                let bounds = lines.entry(what).or_default();
                bounds.entry(bound).or_default().insert(&cell.pair);
            }
        }
    }
    let mut text = String::new();
    for (what, bounds) in lines {
        let bounds = bounds.into_iter().map(|(bound, pairs)| {
            let pairs: Vec<_> = pairs.into_iter().collect();
            format!("{bound} ({})", pairs.join(", "))
        });
        writeln!(
            text,
            "* {what} with {}",
            bounds.collect::<Vec<_>>().join("; ")
        )
        .unwrap();
    }
    match text.is_empty() {
        true => "* nothing\n".to_owned(),
        false => text,
    }
}

/// Replaces a block of the README.
fn replaced(document: &str, name: &str, block: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = document
        .split_once(&begin)
        .expect("the README has the block");
    let (_, after) = rest.split_once("<!-- end -->").expect("a block has an end");
    format!("{before}{begin}{block}<!-- end -->{after}")
}

#[test]
fn the_readme_counts_what_the_pages_say() {
    let file = Path::new(PAGES).join("README.md");
    let old = fs::read_to_string(&file).unwrap();
    let (cells, said) = read();
    let new = replaced(&old, "counts", &counts(&cells));
    let new = replaced(&new, "missed", &otherwise(&cells, &said, true));
    let new = replaced(&new, "otherwise", &otherwise(&cells, &said, false));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &new).expect("the README can be written");
        return;
    }
    assert!(
        new == old,
        "{} is out of date; UPDATE_EXPECT=1 writes its blocks anew",
        file.display()
    );
    // The limit is a claim of the README, too.
    assert!(old.contains(&format!("--max-states {LIMIT}")));
}
