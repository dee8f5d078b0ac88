//! Reads a script out of a prompt. Pure.

use std::time::Duration;

use fleet_protocol::Span;

/// What is to be done for one run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// Line of the prompt, from 1, and what it says.
    pub(super) steps: Vec<(usize, Step)>,
}

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `say TEXT`, and marker lines as they are: a line on standard output.
    Say(String),
    /// `stderr TEXT`: a line on standard error.
    Complain(String),
    /// `write PATH TEXT`: the file, with these contents and a line end.
    Write { path: String, text: String },
    /// `append PATH TEXT`: the same at the file's end.
    Append { path: String, text: String },
    /// `run LINE`: a shell line that must succeed.
    Run(String),
    /// `spawn LINE`: a shell line in a process that is nobody's child.
    Spawn(String),
    /// `commit MESSAGE`: everything.
    Commit(String),
    /// `sleep 2s`.
    Sleep(Duration),
    /// `expect TEXT`: fails unless the prompt says so outside its scripts.
    Expect(String),
    /// `exit N`.
    Exit(i32),
    /// `hang`: until it is ended.
    Hang,
}

/// A line that is no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the prompt: {problem}")]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) problem: String,
}

/// A prompt, taken apart.
pub(super) struct Prompt<'a> {
    /// What it says outside of script blocks.
    pub(super) words: String,
    blocks: Vec<Block<'a>>,
}

struct Block<'a> {
    run: Option<u32>,
    lines: Vec<(usize, &'a str)>,
}

impl<'a> Prompt<'a> {
    /// Finds the script blocks.
    pub(super) fn read(text: &'a str) -> Result<Self, Mistake> {
        let mut prompt = Self { words: String::new(), blocks: Vec::new() };
        let mut open: Option<(usize, Block<'a>)> = None;
        for (line, content) in (1..).zip(text.lines()) {
            let (ticks, info) = fence(content);
            open = match open.take() {
                Some((width, block)) if ticks >= width && info.is_empty() => {
                    prompt.blocks.push(block);
                    None
                }
                Some((width, mut block)) => {
                    block.lines.push((line, content));
                    Some((width, block))
                }
                None if ticks >= 3 && info.split(' ').next() == Some("script") => {
                    Some((ticks, Block { run: run_of(info, line)?, lines: Vec::new() }))
                }
                None => {
                    prompt.words.push_str(content);
                    prompt.words.push('\n');
                    None
                }
            };
        }
        // A fence that is never closed reaches to the end, as in markdown.
        prompt.blocks.extend(open.map(|(_, block)| block));
        Ok(prompt)
    }

    /// The script for this run: its own, else the first for any run; none when the prompt has neither.
    pub(super) fn script(&self, run: u32) -> Result<Option<Script>, Mistake> {
        let own = self.blocks.iter().find(|block| block.run == Some(run));
        let Some(block) = own.or_else(|| self.blocks.iter().find(|block| block.run.is_none())) else {
            return Ok(None);
        };
        let mut steps = Vec::new();
        for &(line, content) in &block.lines {
            let content = content.trim();
            if !content.is_empty() && !content.starts_with('#') {
                steps.push((line, step(content).map_err(|problem| Mistake { line, problem })?));
            }
        }
        Ok(Some(Script { steps }))
    }
}

/// How many back-ticks a line opens or closes with, and what follows them.
fn fence(line: &str) -> (usize, &str) {
    let line = line.trim();
    let rest = line.trim_start_matches('`');
    (line.len() - rest.len(), rest)
}

fn run_of(info: &str, line: usize) -> Result<Option<u32>, Mistake> {
    let mut run = None;
    for word in info.split_whitespace().skip(1) {
        let number = word.strip_prefix("run=").and_then(|number| number.parse().ok());
        run = Some(number.ok_or_else(|| Mistake { line, problem: format!("`{word}` is not run=NUMBER") })?);
    }
    Ok(run)
}

fn step(line: &str) -> Result<Step, String> {
    if line.starts_with("FLEET_") {
        return Ok(Step::Say(line.to_owned()));
    }
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let needed =
        || if rest.is_empty() { Err(format!("`{verb}` needs something to work on")) } else { Ok(rest.to_owned()) };
    Ok(match verb {
        "say" => Step::Say(unescape(rest)),
        "stderr" => Step::Complain(unescape(rest)),
        "write" | "append" => {
            let (path, text) = needed().map(|_| rest.split_once(char::is_whitespace).unwrap_or((rest, "")))?;
            let (path, text) = (path.to_owned(), unescape(text.trim()));
            if verb == "write" { Step::Write { path, text } } else { Step::Append { path, text } }
        }
        "run" => Step::Run(needed()?),
        "spawn" => Step::Spawn(needed()?),
        "commit" => Step::Commit(needed()?),
        "sleep" => Step::Sleep(rest.parse::<Span>().map_err(|error| error.to_string())?.duration()),
        "usage" => Step::Say(format!("FLEET_USAGE {}", needed()?)),
        "expect" => Step::Expect(needed()?),
        "exit" => Step::Exit(rest.parse().map_err(|_| format!("`{rest}` is no exit code"))?),
        "hang" => Step::Hang,
        other => return Err(format!("`{other}` is no step")),
    })
}

/// `\n`, `\t` and `\\`; any other backslash stays.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = match (character, characters.peek()) {
            ('\\', Some('n')) => Some('\n'),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('\\')) => Some('\\'),
            _ => None,
        };
        if escaped.is_some() {
            characters.next();
        }
        plain.push(escaped.unwrap_or(character));
    }
    plain
}
