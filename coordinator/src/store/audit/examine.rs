//! Goes through a database: first whether it is whole, then whether what it says can be true.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::{records, rules};
use crate::store::{error::OpenError, place::open_to_look, schema};

/// Most findings of one kind; who has more has them all from one cause.
const MOST: usize = 50;

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Nothing is wrong when there is none.
    pub findings: Vec<Finding>,
    pub jobs: u64,
    pub events: u64,
}

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule, a stable word such as `events_gap`.
    pub code: &'static str,
    /// The job it is about, where it is about one.
    pub job: Option<String>,
    /// A sentence without a full stop.
    pub message: String,
}

/// Looks at the database in this file, which is another process's perhaps.
///
/// # Errors
///
/// When it cannot be opened, is another program's, or a newer fleet's. A database of ours that is damaged is no error: the
/// audit says so.
pub fn audit(path: &Path) -> Result<Audit, OpenError> {
    let database = |source| OpenError::Database { path: path.to_owned(), source };
    let opened = open_to_look(path).map_err(database).and_then(|conn| schema::inspect(&conn, path).map(|_| conn));
    let conn = match opened {
        Ok(conn) => conn,
        Err(OpenError::Database { source, .. }) if is_foreign(&source) => {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        Err(OpenError::Database { source, .. }) if is_damage(&source) => {
            return Ok(Audit { findings: vec![damage(&source)], jobs: 0, events: 0 });
        }
        Err(error) => return Err(error),
    };
    // All questions are about one moment.
    let moment = conn.unchecked_transaction().map_err(database)?;
    let mut findings = Vec::new();
    for ask in [rules::whole, schema_as_made, rules::references, rules::agreements, records::readable] {
        if let Err(error) = ask(&moment, &mut findings) {
            if !is_damage(&error) {
                return Err(database(error));
            }
            findings.push(damage(&error));
        }
    }
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        // What cannot be counted was found already.
        moment.query_row(&sql, [], |row| row.get::<_, i64>(0)).ok().and_then(|count| u64::try_from(count).ok())
    };
    let (jobs, events) = (count("jobs").unwrap_or(0), count("events").unwrap_or(0));
    Ok(Audit { findings: some_of_each(findings), jobs, events })
}

fn damage(error: &rusqlite::Error) -> Finding {
    Finding { code: rules::DAMAGED, job: None, message: error.to_string() }
}

fn is_foreign(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::NotADatabase)
}

/// Whether it is the file that is at fault, and not the way to it.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => {
            matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::Unknown)
        }
        rusqlite::Error::SqlInputError { .. } => true,
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    }
}

/// What is filtered and refused by indexes, checks and triggers is so only while these are there.
fn schema_as_made(conn: &Connection, findings: &mut Vec<Finding>) -> rusqlite::Result<()> {
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let steps = usize::try_from(version).unwrap_or(usize::MAX).min(schema::STEPS.len());
    let mut made = Connection::open_in_memory()?;
    schema::migrate(&mut made, &schema::STEPS[..steps])?;
    let (here, there) = (objects(conn)?, objects(&made)?);
    let mut say = |message| findings.push(Finding { code: "schema", job: None, message });
    for (name, sql) in &there {
        match here.iter().find(|(other, _)| other == name) {
            None => say(format!("`{name}` is missing")),
            Some((_, other)) if other != sql => say(format!("`{name}` is not as this program makes it")),
            Some(_) => {}
        }
    }
    for (name, _) in here.iter().filter(|(name, _)| !there.iter().any(|(known, _)| known == name)) {
        say(format!("`{name}` is not this program's"));
    }
    Ok(())
}

/// Tables, indexes and triggers with how they were made.
fn objects(conn: &Connection) -> rusqlite::Result<Vec<(String, Option<String>)>> {
    conn.prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn some_of_each(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        if kept.iter().filter(|other| other.code == finding.code).count() < MOST {
            kept.push(finding);
        }
    }
    kept
}
