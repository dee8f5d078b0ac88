//! Columns for people: as wide as their content, two blanks apart. On a terminal that is too narrow the columns that can
//! be missed are left out, then the last one is cut.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{
    sanitise,
    style::{self, paint},
};

/// The blanks between two columns.
const GAP: &str = "  ";
/// The narrowest a last column is cut to.
const NARROWEST: usize = 12;
/// What the last column needs to be of use; other columns are left out for it.
const USEFUL: usize = 24;

/// One cell: text, made harmless, and how it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: sanitise::plain(text.as_ref()), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, style::PLAIN)
    }
}

/// Rows under a heading.
#[derive(Debug)]
pub(super) struct Table {
    heading: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
    /// Titles of columns that can be left out, the first one first.
    spare: &'static [&'static str],
}

impl Table {
    pub(super) fn new(heading: &[&str]) -> Self {
        Self {
            heading: heading.iter().map(|title| Cell::styled(title, style::DIM)).collect(),
            rows: Vec::new(),
            spare: &[],
        }
    }

    /// Names the columns that are left out on a narrow terminal, the first one first.
    pub(super) const fn sparing(mut self, titles: &'static [&'static str]) -> Self {
        self.spare = titles;
        self
    }

    /// Adds a row with as many cells as the heading.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.heading.len());
        self.rows.push(cells);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text. Without a width nothing is cut or left out.
    pub(super) fn render(&self, width: Option<usize>) -> String {
        let widths: Vec<usize> = (0..self.heading.len())
            .map(|column| self.lines().map(|row| row[column].text.width()).max().unwrap_or(0))
            .collect();
        let columns = self.columns(&widths, width);
        let Some((&last, before)) = columns.split_last() else { return String::new() };
        let room = width.map(|width| width.saturating_sub(taken(before, &widths)).max(NARROWEST));
        let mut text = String::new();
        for row in self.lines() {
            for &column in before {
                let cell = &row[column];
                text.push_str(&paint(cell.style, &cell.text));
                text.push_str(&" ".repeat(widths[column] - cell.text.width()));
                text.push_str(GAP);
            }
            let cell = &row[last];
            let shown = room.map_or_else(|| cell.text.clone(), |room| cut(&cell.text, room));
            text.push_str(&paint(cell.style, &shown));
            let end = text.trim_end_matches(' ').len();
            text.truncate(end);
            text.push('\n');
        }
        text
    }

    /// The columns that are shown at this width.
    fn columns(&self, widths: &[usize], width: Option<usize>) -> Vec<usize> {
        let mut columns: Vec<usize> = (0..self.heading.len()).collect();
        let (Some(width), Some(last)) = (width, columns.last().map(|&last| widths[last].min(USEFUL))) else {
            return columns;
        };
        for title in self.spare {
            let before = columns.split_last().map_or(&[][..], |(_, before)| before);
            if taken(before, widths) + last <= width {
                break;
            }
            columns.retain(|&column| self.heading[column].text != *title);
        }
        columns
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<Cell>> {
        std::iter::once(&self.heading).chain(&self.rows)
    }
}

/// The cells that columns and the gaps after them take.
fn taken(columns: &[usize], widths: &[usize]) -> usize {
    columns.iter().map(|&column| widths[column] + GAP.len()).sum()
}

/// At most `room` cells of a text, with an ellipsis where something is missing.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= room {
            break;
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["ID", "TITLE"]);
        table.row(vec!["日本".into(), "A long title that goes on".into()]);
        table.row(vec!["abcdef".into(), "Short".into()]);
        table
    }

    #[test]
    fn columns_line_up_by_cells() {
        let shown = anstream::adapter::strip_str(&sample().render(None)).to_string();
        assert_eq!(shown, "ID      TITLE\n日本    A long title that goes on\nabcdef  Short\n");
    }

    #[test]
    fn the_last_column_gives_way_to_the_terminal() {
        let shown = anstream::adapter::strip_str(&sample().render(Some(20))).to_string();
        assert!(shown.contains("A long titl…\n"), "{shown}");
        assert!(shown.lines().all(|line| line.width() <= 20), "{shown}");
    }

    #[test]
    fn a_narrow_terminal_goes_without_what_can_be_missed() {
        let table = || {
            let mut table = Table::new(&["ID", "FACTORY", "SINCE", "TITLE"]).sparing(&["FACTORY", "SINCE"]);
            table.row(["a1", "a-long-name", "2m ago", "What is to be done here"].map(Cell::from).to_vec());
            table
        };
        let shown = |width| anstream::adapter::strip_str(&table().render(width)).to_string();
        let heading = |width| shown(width).lines().next().map(str::to_owned);
        assert_eq!(heading(None).as_deref(), Some("ID  FACTORY      SINCE   TITLE"));
        assert_eq!(heading(Some(48)), heading(None), "all of it fits");
        assert_eq!(heading(Some(47)).as_deref(), Some("ID  SINCE   TITLE"));
        assert_eq!(heading(Some(30)).as_deref(), Some("ID  TITLE"));
        assert_eq!(shown(Some(20)), "ID  TITLE\na1  What is to be d…\n", "nothing is left to go without");
    }

    #[test]
    fn a_title_cannot_break_the_table_or_the_terminal() {
        let mut table = Table::new(&["TITLE"]);
        table.row(vec!["a\nb\x1b]0;t\x07c".into()]);
        assert_eq!(anstream::adapter::strip_str(&table.render(None)).to_string(), "TITLE\na bc\n");
    }
}
