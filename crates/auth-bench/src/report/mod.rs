//! What is printed and written down.

mod chart;

use std::{fmt::Write as _, fs, path::Path};

use crate::{
    Measured,
    figures::{Bar, Figures, Judged, Line},
};

/// What the measurement fills in stands between these two.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// What is wanted and what was found, for people to read, in Markdown.
pub(crate) fn table(figures: &Figures) -> String {
    let mut text = String::from("| measured | figure | wanted | | made of |\n|---|---:|---:|---|---|\n");
    for judged in &figures.judged {
        let Judged { what, made_of, .. } = judged;
        let met = if judged.is_met() { "met" } else { "**missed**" };
        let _infallible =
            writeln!(text, "| {what} | {} | {} | {met} | {made_of} |", value(judged, judged.value), wanted(judged));
    }
    text.push_str("\n| asked | connections | a second | ratio | p50 | p99 |\n|---|---:|---:|---:|---:|---:|\n");
    for Line { what, connections, rate, ratio } in &figures.lines {
        let p99 = if rate.p99.is_zero() { String::new() } else { micros(rate.p99) };
        let _infallible = writeln!(
            text,
            "| {what} | {connections} | {:.0} | {ratio:.2} | {} | {p99} |",
            rate.per_second,
            micros(rate.p50)
        );
    }
    text
}

/// Puts the figures into `page`, and a chart of them beside it.
pub(crate) fn write(page: &Path, figures: &Figures) -> Measured<()> {
    let text = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the page does not say where the figures begin")?;
    let (_old, after) = rest.split_once(END).ok_or("the page does not say where the figures end")?;
    let mut machine = String::new();
    for (what, said) in &figures.machine {
        let _infallible = writeln!(machine, "| {what} | {said} |");
    }
    let measured = format!("\n\n| | |\n|---|---|\n{machine}\n{}\n", table(figures));
    fs::write(page, [before, BEGIN, &measured, END, after].concat())?;
    Ok(fs::write(page.with_extension("svg"), chart::svg(&figures.judged))?)
}

fn value(judged: &Judged, value: f64) -> String {
    let digits =
        if judged.unit.is_empty() && value.fract() != 0.0 || value < 10.0 && judged.unit == "ms" { 2 } else { 0 };
    format!("{value:.digits$} {}", judged.unit).trim_end().to_owned()
}

fn wanted(judged: &Judged) -> String {
    match judged.bar {
        Bar::AtLeast(wanted) => format!("≥ {}", value(judged, wanted)),
        Bar::AtMost(wanted) => format!("≤ {}", value(judged, wanted)),
    }
}

fn micros(span: std::time::Duration) -> String {
    format!("{} µs", span.as_micros())
}
