//! Draws what a terminal showed as an SVG: a window with monospace text that is readable on dark and light pages.
//!
//! Understands the colours that `fleet` prints (bold, dim, the eight named ones) and nothing else. Each piece of text says
//! how wide it is, so that columns stay columns whatever font the reader has.

use std::fmt::Write;

/// A run of text in one style.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    text: String,
    /// Classes of the style sheet, separated by blanks.
    class: String,
}

const CELL: f64 = 8.4;
const LINE: usize = 20;
const MARGIN: usize = 18;
const BAR: usize = 34;

const STYLE: &str = "
  .window { fill: #0d1117; stroke: #30363d }
  .dot { fill: #484f58 }
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #e6edf3; white-space: pre }
  .bold { font-weight: bold }
  .dim { fill: #8b949e }
  .red { fill: #ff7b72 }
  .green { fill: #56d364 }
  .yellow { fill: #e3b341 }
  .magenta { fill: #d2a8ff }
  .cyan { fill: #76e3ea }
  @media (prefers-color-scheme: light) {
    .window { fill: #ffffff; stroke: #d0d7de }
    .dot { fill: #d0d7de }
    text { fill: #1f2328 }
    .dim { fill: #656d76 }
    .red { fill: #cf222e }
    .green { fill: #1a7f37 }
    .yellow { fill: #9a6700 }
    .magenta { fill: #8250df }
    .cyan { fill: #1b7c83 }
  }
";

/// A picture of `screen`, which may hold colours; `title` is for those who do not see it.
pub(super) fn draw(title: &str, screen: &str) -> String {
    let lines: Vec<Vec<Piece>> = screen.lines().map(pieces).collect();
    let cells = lines.iter().map(|line| line.iter().map(|piece| piece.text.chars().count()).sum()).max().unwrap_or(0);
    let width = wide(cells).ceil() as usize + 2 * MARGIN;
    let height = BAR + lines.len() * LINE + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n<rect class=\"window\" x=\"0.5\" y=\"0.5\" width=\"{}\" \
         height=\"{}\" rx=\"8\"/>\n",
        escaped(title),
        width - 1,
        height - 1
    );
    for dot in 0..3 {
        let _ = writeln!(svg, "<circle class=\"dot\" cx=\"{}\" cy=\"18\" r=\"5\"/>", MARGIN + 5 + dot * 18);
    }
    for (number, line) in lines.iter().enumerate() {
        let y = BAR + (number + 1) * LINE - 5;
        let mut column = 0;
        for piece in line {
            svg.push_str(&drawn(piece, column, y));
            column += piece.text.chars().count();
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn drawn(piece: &Piece, column: usize, y: usize) -> String {
    let text = piece.text.trim();
    if text.is_empty() {
        return String::new();
    }
    let indent = piece.text.chars().take_while(|c| *c == ' ').count();
    let class = if piece.class.is_empty() { String::new() } else { format!(" class=\"{}\"", piece.class) };
    let x = MARGIN as f64 + wide(column + indent);
    let length = wide(text.chars().count());
    format!("<text{class} x=\"{x:.1}\" y=\"{y}\" textLength=\"{length:.1}\">{}</text>\n", escaped(text))
}

fn wide(cells: usize) -> f64 {
    cells as f64 * CELL
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Cuts a line where its style changes.
fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut class = String::new();
    for (number, part) in line.split("\x1b[").enumerate() {
        let text = match (number, part.split_once('m')) {
            (0, _) => part,
            (_, Some((codes, text))) => {
                codes.split(';').for_each(|code| restyle(&mut class, code));
                text
            }
            (_, None) => panic!("an unfinished escape sequence in {line:?}"),
        };
        if !text.is_empty() {
            pieces.push(Piece { text: text.to_owned(), class: class.clone() });
        }
    }
    pieces
}

fn restyle(class: &mut String, code: &str) {
    let word = match code {
        "" | "0" => return class.clear(),
        "1" => "bold",
        "2" => "dim",
        "31" => "red",
        "32" => "green",
        "33" => "yellow",
        "35" => "magenta",
        "36" => "cyan",
        other => panic!("the picture knows no style {other}"),
    };
    if !class.is_empty() {
        class.push(' ');
    }
    class.push_str(word);
}

#[test]
fn styles_become_classes_and_text_is_escaped() {
    let piece = |text: &str, class: &str| Piece { text: text.to_owned(), class: class.to_owned() };
    assert_eq!(
        pieces("a \x1b[1m\x1b[31mb\x1b[0m c\x1b[2md\x1b[0m"),
        [piece("a ", ""), piece("b", "bold red"), piece(" c", ""), piece("d", "dim")]
    );
    let svg = draw("a < b", "  x & \x1b[32my\x1b[0m");
    assert!(svg.contains("<title>a &lt; b</title>") && svg.contains(">x &amp;</text>"), "{svg}");
    assert!(svg.contains("<text class=\"green\" x=\"68.4\" y=\"49\" textLength=\"8.4\">y</text>"), "{svg}");
}
