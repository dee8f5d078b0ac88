//! Argument vector templates.
//!
//! `{model}`, `{max-turns}`, `{max-usd}`, `{session}`, `{prompt-file}`, `{workspace}`, `{gateway}` and `{fleet}` stand for
//! values; every other brace is literal, so arguments may hold JSON. An element whose value is not set is left out, and
//! so is the flag right before it: `["--model", "{model}"]` disappears as a whole. The element `{options}` is the place
//! of the added arguments; without it they go to the end. Values are put in once: braces inside them stay literal.

/// Every placeholder that stands for a value.
pub(super) const PLACEHOLDERS: [&str; 8] =
    ["model", "max-turns", "max-usd", "session", "prompt-file", "workspace", "gateway", "fleet"];

/// The element that marks where added arguments go.
pub(super) const OPTIONS: &str = "{options}";

/// The values of one run.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    pub(super) model: Option<&'a str>,
    pub(super) max_turns: Option<String>,
    pub(super) max_usd: Option<String>,
    pub(super) session: Option<&'a str>,
    pub(super) prompt_file: Option<&'a str>,
    pub(super) workspace: Option<&'a str>,
    pub(super) gateway: Option<&'a str>,
    pub(super) fleet: Option<&'a str>,
}

impl Values<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "model" => self.model,
            "max-turns" => self.max_turns.as_deref(),
            "max-usd" => self.max_usd.as_deref(),
            "session" => self.session,
            "prompt-file" => self.prompt_file,
            "workspace" => self.workspace,
            "gateway" => self.gateway,
            "fleet" => self.fleet,
            _ => None,
        }
    }
}

/// The template with its values; `options` go to their place.
pub(super) fn expand(template: &[String], values: &Values<'_>, options: &[String]) -> Vec<String> {
    let mut argv: Vec<String> = Vec::with_capacity(template.len() + options.len());
    let mut placed = false;
    for (position, element) in template.iter().enumerate() {
        if element == OPTIONS {
            argv.extend_from_slice(options);
            placed = true;
        } else if let Some(argument) = fill(element, values) {
            argv.push(argument);
        } else if position > 1 && !element.starts_with('-') && is_bare_flag(&template[position - 1]) {
            argv.pop();
        }
    }
    if !placed {
        argv.extend_from_slice(options);
    }
    argv
}

/// Whether an element names a placeholder.
pub(super) fn mentions(element: &str, placeholder: &str) -> bool {
    pieces(element).any(|piece| piece == Piece::Placeholder(placeholder))
}

/// Words in braces that look like placeholders and are none.
pub(super) fn strangers(element: &str) -> impl Iterator<Item = &str> {
    element.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).filter(|name| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            && !PLACEHOLDERS.contains(name)
            && *name != "options"
    })
}

fn is_bare_flag(element: &str) -> bool {
    element.len() > 1 && element.starts_with('-') && element != "--" && !element.contains(['=', '{'])
}

fn fill(element: &str, values: &Values<'_>) -> Option<String> {
    pieces(element)
        .map(|piece| match piece {
            Piece::Literal(text) => Some(text),
            Piece::Placeholder(name) => values.get(name),
        })
        .collect()
}

#[derive(PartialEq, Eq)]
enum Piece<'a> {
    Literal(&'a str),
    Placeholder(&'a str),
}

fn pieces(element: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = element;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let next = PLACEHOLDERS
            .iter()
            .filter_map(|name| {
                let at = rest.find(&format!("{{{name}}}"))?;
                Some((at, *name))
            })
            .min();
        match next {
            Some((0, name)) => {
                rest = &rest[name.len() + 2..];
                Some(Piece::Placeholder(name))
            }
            Some((at, _)) => {
                let (literal, tail) = rest.split_at(at);
                rest = tail;
                Some(Piece::Literal(literal))
            }
            None => Some(Piece::Literal(std::mem::take(&mut rest))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strings(elements: &[&str]) -> Vec<String> {
        elements.iter().map(|&element| element.to_owned()).collect()
    }

    #[test]
    fn an_unset_placeholder_takes_its_flag_along() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&["./agent.sh", "--model", "{model}"], &["./agent.sh"]),
            (&["a", "--model={model}", "-v"], &["a", "-v"]),
            (&["a", "-v", "--model={model}"], &["a", "-v"]),
            (&["a", "{model}", "-x"], &["a", "-x"]),
            (&["a", "--", "{model}"], &["a", "--"]),
            (&["-agent", "{model}"], &["-agent"]),
        ];
        for (template, expected) in cases {
            assert_eq!(expand(&strings(template), &Values::default(), &[]), expected, "{template:?}");
        }
    }

    #[test]
    fn values_are_put_in_once() {
        let values = Values { model: Some("{session}"), session: Some("s1"), ..Values::default() };
        let template = strings(&["a", "-c", "m=\"{model}\" in {workspace-ish}", "{session}"]);
        assert_eq!(expand(&template, &values, &[]), ["a", "-c", "m=\"{session}\" in {workspace-ish}", "s1"]);
    }

    #[test]
    fn options_go_to_their_place_or_the_end() {
        let options = strings(&["--yes"]);
        let values = Values::default();
        assert_eq!(expand(&strings(&["a", OPTIONS, "-"]), &values, &options), ["a", "--yes", "-"]);
        assert_eq!(expand(&strings(&["a", "b"]), &values, &options), ["a", "b", "--yes"]);
    }

    #[test]
    fn misspelt_placeholders_are_seen_and_json_is_not() {
        assert_eq!(strangers("x{promt-file}y{model}").collect::<Vec<_>>(), ["promt-file"]);
        assert_eq!(strangers("{\"a\": {\"b\": 1}}{}").count(), 0);
    }

    proptest! {
        #[test]
        fn elements_without_placeholders_pass_as_they_are(
            element in "[^{}]{1,40}", json in "\\{\"[a-z]{1,5}\":[0-9]\\}"
        ) {
            let template = vec!["program".to_owned(), element, json];
            prop_assert_eq!(expand(&template, &Values::default(), &[]), template);
        }
    }
}
