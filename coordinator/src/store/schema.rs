//! The schema and its versions: forward only, each step one transaction.
//!
//! `user_version` counts the steps done, `application_id` says that the file is ours. A released step is never edited.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::OpenError;

/// `FLET`, the mark of our files.
const APPLICATION_ID: i64 = 0x464c_4554;

/// Every step, in order.
pub(super) const STEPS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002-retention.sql"),
    include_str!("schema/0003-lines.sql"),
];

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// As this program writes it.
    Current,
    /// Older, or empty.
    Older,
}

/// Looks at a file without changing it.
pub(super) fn inspect(conn: &Connection, path: &Path) -> Result<Found, OpenError> {
    let database = |source| match source {
        rusqlite::Error::SqliteFailure(error, _) if error.code == rusqlite::ErrorCode::NotADatabase => {
            OpenError::Foreign { path: path.to_owned() }
        }
        source => OpenError::Database { path: path.to_owned(), source },
    };
    // One moment of the file: another process may be creating it between two looks.
    let moment = conn.unchecked_transaction().map_err(database)?;
    let number = |sql: &str| moment.query_row(sql, [], |row| row.get::<_, i64>(0));
    let version = number("PRAGMA user_version").map_err(database)?;
    let application = number("PRAGMA application_id").map_err(database)?;
    let known = known();
    if application != APPLICATION_ID {
        let tables = number("SELECT count(*) FROM sqlite_schema").map_err(database)?;
        let empty = application == 0 && version == 0 && tables == 0;
        return if empty { Ok(Found::Older) } else { Err(OpenError::Foreign { path: path.to_owned() }) };
    }
    match version {
        found if found > known => Err(OpenError::Newer { path: path.to_owned(), found, known }),
        found if found == known => Ok(Found::Current),
        _ => Ok(Found::Older),
    }
}

/// Brings a file that `inspect` let pass to the newest version. Safe to be run by several processes at once.
pub(super) fn migrate(conn: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Read again now that nobody else can write: another process may have been faster.
    let done: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, step) in (1..).zip(steps).filter(|(version, _)| *version > done) {
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", version)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.commit()
}

fn known() -> i64 {
    i64::try_from(STEPS.len()).expect("the steps can be counted")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fleet_protocol::{Stage, lease::LeaseStatus};

    use super::*;

    fn migrated() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, STEPS).unwrap();
        conn
    }

    /// The words of the first `column IN (…)` check of a table.
    fn checked_words(conn: &Connection, table: &str, column: &str) -> BTreeSet<String> {
        let sql: String =
            conn.query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0)).unwrap();
        let start = sql.find(&format!("{column} IN (")).unwrap();
        let list = &sql[start..start + sql[start..].find(')').unwrap()];
        list.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_stages_of_the_schema_are_the_stages_of_the_protocol() {
        let words: BTreeSet<String> = Stage::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(checked_words(&migrated(), "jobs", "stage"), words);
    }

    #[test]
    fn the_lease_statuses_of_the_schema_are_those_of_the_protocol() {
        let words: BTreeSet<String> = LeaseStatus::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(checked_words(&migrated(), "jobs", "lease_status"), words);
        assert_eq!(checked_words(&migrated(), "leases", "status"), words);
    }

    #[test]
    fn the_stages_that_hold_a_job_are_the_same_everywhere() {
        let held: BTreeSet<String> =
            Stage::ALL.iter().filter(|stage| stage.is_held()).map(ToString::to_string).collect();
        assert_eq!(held, BTreeSet::from(["assigned".to_owned(), "building".to_owned()]));
    }

    #[test]
    fn every_earlier_version_is_brought_to_the_newest() {
        for version in 0..=STEPS.len() {
            let mut conn = Connection::open_in_memory().unwrap();
            migrate(&mut conn, &STEPS[..version]).unwrap();
            migrate(&mut conn, STEPS).unwrap();
            assert_eq!(inspect(&conn, Path::new("test")).unwrap(), Found::Current, "from version {version}");
        }
    }

    #[test]
    fn jobs_of_the_first_version_are_put_in_line() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, &STEPS[..1]).unwrap();
        for (pk, lock, stage) in
            [(1, "'db'", "shipped"), (2, "'db'", "queued"), (3, "'db'", "queued"), (4, "NULL", "queued")]
        {
            conn.execute_batch(&format!(
                "INSERT INTO jobs (pk, id, product, file, fingerprint, stage, priority, route, lock, held, dep_failed, rev,
                 lease_epoch, created_at, updated_at, doc)
                 VALUES ({pk}, 'j{pk}', 'p', 'f{pk}', '', '{stage}', 1, 'r', {lock}, 0, 0, 1, 0, 0, 0, '{{}}');
                 INSERT INTO tags VALUES ({pk}, 'b'), ({pk}, 'a')"
            ))
            .unwrap();
        }
        migrate(&mut conn, STEPS).unwrap();
        let mut jobs = conn.prepare("SELECT pk, tagset FROM jobs WHERE stage = 'queued' AND front = 1").unwrap();
        let fronts: Vec<(i64, String)> =
            jobs.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        let tags = r#"["a","b"]"#.to_owned();
        assert_eq!(fronts, [(2, tags.clone()), (4, tags)]);
    }

    #[test]
    fn a_newer_database_is_refused_and_left_alone() {
        let conn = migrated();
        conn.pragma_update(None, "user_version", known() + 1).unwrap();
        let error = inspect(&conn, Path::new("fleet.db")).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found, known: k, .. } if found == k + 1), "{error}");
        assert!(error.to_string().contains("update fleet"), "{error}");
    }

    #[test]
    fn another_program_s_database_is_refused() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(inspect(&conn, Path::new("x")).unwrap_err(), OpenError::Foreign { .. }));
    }

    #[test]
    fn events_can_neither_be_changed_nor_deleted() {
        let conn = migrated();
        conn.execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO events VALUES (1, 1, 1, 'submitted', 0, 'a', NULL, 'queued', 0, '{}');",
        )
        .unwrap();
        for sql in ["UPDATE events SET actor = 'b'", "DELETE FROM events"] {
            assert!(conn.execute(sql, []).unwrap_err().to_string().contains("append-only"), "{sql}");
        }
    }
}
