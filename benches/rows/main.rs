//! `cargo bench --bench rows [-- --smoke] [-- --json] [-- --only NAME]`: every row of `docs/performance.md` that exists,
//! each as a ratio to something measured beside it.

mod bare;
mod claims;
mod commands;
mod desk;
mod idle;
mod intake;
mod lab;
mod leases;
mod output;
mod report;
mod rounds;
mod start;
mod world;

use lab::{Lab, Size};
use report::Row;

/// A group of rows that are measured together.
type Group = fn(&Lab) -> Vec<Row>;

const GROUPS: &[(&str, Group)] = &[
    ("claims", claims::throughput),
    ("depth", claims::depth),
    ("blocked-head", claims::blocked_head),
    ("submit-durable", intake::rows),
    ("renewals", leases::rows),
    ("version", commands::version),
    ("submit-command", commands::submit),
    ("start", start::rows),
    ("logs", output::rows),
    ("idle", idle::rows),
];

const USAGE: &str = "usage: cargo bench --bench rows [-- [--smoke] [--json] [--only GROUP]]";

struct Arguments {
    size: Size,
    json: bool,
    only: Option<String>,
}

fn main() -> std::process::ExitCode {
    let arguments = match read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            eprintln!("nothing is measured here: {USAGE}");
            return std::process::ExitCode::SUCCESS;
        }
        Err(mistake) => {
            let groups: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
            eprintln!("{mistake}\n{USAGE}\ngroups: {}", groups.join(" "));
            return std::process::ExitCode::from(2);
        }
    };
    let lab = Lab::new(arguments.size);
    let machine = report::Machine::look(&lab);
    let chosen = GROUPS.iter().filter(|(name, _)| arguments.only.as_ref().is_none_or(|only| name.contains(only)));
    let mut rows = Vec::new();
    for (name, group) in chosen {
        eprintln!("measuring {name} …");
        let found = group(&lab);
        eprint!("{}", report::table(&found));
        rows.extend(found);
    }
    if arguments.json {
        println!("{}", report::json(&machine, &lab, &rows));
    } else {
        println!("{}\n{}", machine.line(&lab), report::table(&rows));
    }
    std::process::ExitCode::SUCCESS
}

/// Nothing where it is not `cargo bench` that asks: `cargo test --benches` starts this program too.
fn read(arguments: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut chosen = Arguments { size: Size::Full, json: false, only: None };
    let mut asked = false;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => asked = true,
            "--smoke" => chosen.size = Size::Smoke,
            "--json" => chosen.json = true,
            "--only" => {
                let name = arguments.next().ok_or("--only needs the name of a group")?;
                if !GROUPS.iter().any(|(group, _)| group.contains(&name)) {
                    return Err(format!("there is no group `{name}`"));
                }
                chosen.only = Some(name);
            }
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(asked.then_some(chosen))
}
