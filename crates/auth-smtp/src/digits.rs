/// How long a run of digits has to be to be taken for a code.
const CODE_LENGTH: usize = 6;

/// Every run of six or more ASCII digits in `text`: what a person, a phone or a test may take for a code.
pub(crate) fn long_runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|run| run.len() >= CODE_LENGTH)
}

/// Whether six or more ASCII digits stand in a row somewhere in `text`.
pub(crate) fn has_six_digits(text: &str) -> bool {
    long_runs(text).next().is_some()
}
