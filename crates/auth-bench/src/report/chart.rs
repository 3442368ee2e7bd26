use std::fmt::Write as _;

use super::{value, wanted};
use crate::figures::Judged;

const ROW: usize = 26;
const LABELS: f64 = 430.0;
const WIDTH: f64 = 860.0;
/// Where what is wanted stands, and how far the longest bar goes: beyond that, more says nothing.
const WANTED: f64 = 180.0;
const LONGEST: f64 = 1.6;

/// A bar for each figure, as long as it is good: those that reach the line are as good as wanted.
pub(super) fn svg(judged: &[Judged]) -> String {
    let height = judged.len() * ROW + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" role=\"img\">\n<title>What was measured, against what is wanted</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (row, figure) in judged.iter().enumerate() {
        let top = row * ROW + 8;
        let text = top + 14;
        let length = figure.reached().min(LONGEST) * WANTED;
        let colour = if figure.is_met() { "#2a7f62" } else { "#b5492c" };
        let label = LABELS - 10.0;
        let beside = LABELS + length + 6.0;
        let _infallible = writeln!(
            svg,
            "<text x=\"{label}\" y=\"{text}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{top}\" width=\"{length:.1}\" height=\"18\" fill=\"{colour}\"/>\
             <text x=\"{beside:.1}\" y=\"{text}\">{} ({})</text>",
            figure.what,
            value(figure, figure.value),
            wanted(figure),
        );
    }
    let (line, end) = (LABELS + WANTED, judged.len() * ROW + 8);
    let _infallible = writeln!(
        svg,
        "<path d=\"M{line} 4V{end}\" stroke=\"#222\" stroke-dasharray=\"4 3\"/>\
         <text x=\"{line}\" y=\"{}\" text-anchor=\"middle\">as good as wanted</text>\n</svg>",
        end + 18
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Bar;

    #[test]
    fn a_bar_reaches_the_line_exactly_when_the_figure_is_as_good_as_wanted() {
        let figure = |value| Judged::ratio("a check", value, Bar::AtLeast(0.8), String::new());
        let svg = svg(&[figure(0.8), figure(0.4), figure(80.0)]);
        for width in ["width=\"180.0\"", "width=\"90.0\"", "width=\"288.0\""] {
            assert!(svg.contains(width), "{width} in {svg}");
        }
        assert_eq!(svg.matches("#b5492c").count(), 1);
    }
}
