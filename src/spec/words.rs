//! Lists of words in messages, and the known word nearest to an unknown one.

/// `did you mean …`, if a known word is near enough to be meant.
pub(crate) fn did_you_mean<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(unknown, known).map(|word| format!("did you mean `{word}`?"))
}

/// The known word that is near enough to be meant.
pub(crate) fn nearest<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let nearest = known
        .into_iter()
        .map(|word| {
            (
                strsim::damerau_levenshtein(&unknown.to_lowercase(), &word.to_lowercase()),
                word,
            )
        })
        .min()?;
    // A third of the letters may be wrong; more than that is another word.
    (nearest.0 <= unknown.chars().count().max(3) / 3).then_some(nearest.1)
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}
