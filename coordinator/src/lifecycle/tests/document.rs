//! `docs/lifecycle.md` shows the table as it is. `FLEET_BLESS=1` writes it anew.

use std::{collections::BTreeMap, path::PathBuf};

use fleet_protocol::Stage;

use super::super::{Cause, TABLE};

#[test]
fn the_documentation_shows_the_table() {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lifecycle.md"));
    let text = std::fs::read_to_string(&path).expect("docs/lifecycle.md can be read");
    let right = filled(&filled(&text, "diagram", &diagram()), "table", &table());
    if std::env::var_os("FLEET_BLESS").is_some() {
        std::fs::write(&path, &right).expect("docs/lifecycle.md can be written");
    }
    let text = std::fs::read_to_string(&path).expect("docs/lifecycle.md can be read");
    assert!(text == right, "docs/lifecycle.md is behind the table; FLEET_BLESS=1 makes it:\n{right}");
}

/// The text with the part between the markers of `name` replaced.
fn filled(text: &str, name: &str, part: &str) -> String {
    let (open, close) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (head, rest) = text.split_once(&open).expect("the part begins with its marker");
    let (_, tail) = rest.split_once(&close).expect("the part ends with its marker");
    format!("{head}{open}{part}{close}{tail}")
}

fn table() -> String {
    let mut rows = String::from("| stage | what happens | leads to | event |\n| --- | --- | --- | --- |\n");
    for edge in TABLE {
        for (i, (to, event)) in edge.outcomes.iter().enumerate() {
            let (from, cause) = if i == 0 { (edge.from.to_string(), name(edge.cause)) } else { Default::default() };
            let to = if *to == edge.from { "–".to_owned() } else { to.to_string() };
            let event = event.map_or("–".to_owned(), |event| format!("`{event}`"));
            rows.push_str(&format!("| {from} | {cause} | {to} | {event} |\n"));
        }
    }
    rows
}

/// The changes of stage; what leads from one stage to another by several causes is one arrow. Every way back to `queued`
/// leads to `blocked` as well, which would double the arrows without telling more.
fn diagram() -> String {
    let mut arrows: BTreeMap<(Stage, Stage), Vec<String>> = BTreeMap::new();
    for edge in TABLE {
        let twin = |to| to == Stage::Blocked && edge.from != Stage::Queued;
        for (to, _) in edge.outcomes.iter().filter(|(to, _)| *to != edge.from && !twin(*to)) {
            let labels = arrows.entry((edge.from, *to)).or_default();
            let label = name(edge.cause).replace('`', "");
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    }
    let mut text =
        String::from("```mermaid\nstateDiagram-v2\n    [*] --> queued: submit\n    [*] --> blocked: submit\n");
    for ((from, to), labels) in arrows {
        text.push_str(&format!("    {from} --> {to}: {}\n", labels.join(", ")));
    }
    text.push_str("    shipped --> [*]\n```\n");
    text
}

fn name(cause: Cause) -> String {
    match cause {
        Cause::Claim => "claim".to_owned(),
        Cause::Start => "start reported".to_owned(),
        Cause::Report => "report".to_owned(),
        Cause::Succeed => "success reported".to_owned(),
        Cause::Fail => "failure reported".to_owned(),
        Cause::HandBack => "handed back".to_owned(),
        Cause::Renew => "renewal".to_owned(),
        Cause::Expire => "lease expires".to_owned(),
        Cause::NeverStarted => "no start in time".to_owned(),
        Cause::Dependencies => "dependencies change".to_owned(),
        Cause::Act(action) => format!("`{action}`"),
    }
}
