//! Takes every record apart, as a reader would.

use fleet_protocol::{EventType, Run};
use rusqlite::{Connection, Row};

use super::Finding;
use crate::store::{
    column::{Json, Word},
    row::{self, COLUMNS},
};

const UNREADABLE: &str = "unreadable";

/// Whether jobs, runs and events are what this program can read, and say of themselves what their columns say.
pub(super) fn readable(conn: &Connection, findings: &mut Vec<Finding>) -> rusqlite::Result<()> {
    let mut say = |job: Option<String>, message: String| findings.push(Finding { code: UNREADABLE, job, message });
    each(conn, &format!("SELECT {COLUMNS} FROM jobs"), |row| {
        if let Err(error) = row::read(row) {
            say(row.get(0).ok(), format!("its record cannot be read: {error}"));
        }
        Ok(())
    })?;
    each(conn, "SELECT jobs.id, runs.number, runs.doc FROM runs JOIN jobs ON jobs.pk = runs.job", |row| {
        let (id, number): (String, u32) = (row.get(0)?, row.get(1)?);
        match row.get::<_, Json<Run>>(2) {
            Ok(Json(run)) if run.number == number && run.job_id.as_str() == id => {}
            Ok(_) => say(Some(id), format!("its run {number} is the record of another run")),
            Err(error) => say(Some(id), format!("its run {number} cannot be read: {error}")),
        }
        Ok(())
    })?;
    each(conn, "SELECT DISTINCT type FROM events", |row| {
        if row.get::<_, Word<EventType>>(0).is_err() {
            say(None, format!("there are events of an unknown type `{}`", row.get::<_, String>(0)?));
        }
        Ok(())
    })
}

fn each(conn: &Connection, sql: &str, mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let mut question = conn.prepare(sql)?;
    let mut rows = question.query([])?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}
