//! Where the database lies, and how a connection to it is set up.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{
    error::OpenError,
    schema::{self, Found},
};

/// How long a connection waits for another process's transaction.
const PATIENCE: Duration = Duration::from_secs(5);
/// Statements kept prepared per connection; we have about sixty.
const STATEMENTS: usize = 128;

/// Where the database lies.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file on a local disk.
    File(PathBuf),
    /// Memory of this process, gone with the last connection; for tests and demos.
    Memory(String),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Writer,
    Reader,
}

impl Place {
    /// A new, empty place in memory.
    pub fn memory() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self::Memory(format!("fleet-{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// For messages.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Memory(name) => Path::new(name),
        }
    }

    /// The write-ahead log's file, where there is one.
    pub(super) fn wal(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => {
                let mut name = path.clone().into_os_string();
                name.push("-wal");
                Some(name.into())
            }
            Self::Memory(_) => None,
        }
    }

    /// Opens the first connection: looks whose file it is, creates or migrates it.
    pub(super) fn prepare(&self) -> Result<Connection, OpenError> {
        let database = |source| OpenError::Database { path: self.path().to_owned(), source };
        self.make_private();
        let mut conn = self.raw().map_err(database)?;
        if schema::inspect(&conn, self.path())? == Found::Older {
            self.create(&mut conn).map_err(database)?;
        }
        tune(&conn, Role::Reader).map_err(database)?;
        Ok(conn)
    }

    /// Makes a file that is missing readable by this user alone. SQLite would go by the umask; it makes the files beside it
    /// like the file itself.
    fn make_private(&self) {
        if let Self::File(path) = self
            && let Err(error) = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
        {
            // SQLite meets the same trouble, and says it better.
            tracing::debug!(path = %path.display(), %error, "the database's file could not be made");
        }
    }

    /// Opens a further connection.
    pub(super) fn connect(&self, role: Role) -> rusqlite::Result<Connection> {
        let conn = self.raw()?;
        tune(&conn, role)?;
        Ok(conn)
    }

    fn raw(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(name) => {
                Connection::open_with_flags(format!("file:/{name}?vfs=memdb"), flags | OpenFlags::SQLITE_OPEN_URI)?
            }
        };
        conn.busy_handler(Some(patience()))?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(conn)
    }

    fn create(&self, conn: &mut Connection) -> rusqlite::Result<()> {
        // Both are ignored, silently, once there is a table or a write-ahead log.
        conn.pragma_update(None, "page_size", 4096)?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        if matches!(self, Self::File(_)) {
            use_wal(conn)?;
        }
        schema::migrate(conn, schema::STEPS)
    }
}

/// Opens a database that is there, to read all of it. It is neither made nor brought up to date.
pub(super) fn open_to_look(path: &Path) -> rusqlite::Result<Connection> {
    // Not read-only: what its last user left in the write-ahead log has to be found again first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_handler(Some(patience()))?;
    tune(&conn, Role::Reader)?;
    // Whoever looks at a copy alone leaves one file, as it was found.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(conn)
}

fn tune(conn: &Connection, role: Role) -> rusqlite::Result<()> {
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    match role {
        Role::Writer => {
            // An answered write survives a power cut.
            conn.pragma_update(None, "synchronous", "FULL")?;
            conn.pragma_update(None, "cache_size", -16 * 1024)?;
            conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
            conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        }
        Role::Reader => {
            conn.pragma_update(None, "query_only", true)?;
            conn.pragma_update(None, "cache_size", -4 * 1024)?;
        }
    }
    // Plans do not depend on the values that are bound: otherwise a statement is compiled anew for each of them.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A command that lives for milliseconds must not pay for a checkpoint; the writer makes one when it is worth it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(())
}

/// Switching the journal needs the file alone for a moment, and SQLite does not ask the busy handler for that.
fn use_wal(conn: &Connection) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether another connection was in the way.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

/// Waits in short, even steps. SQLite's own handler waits ever longer, so that who came first gets it last.
fn patience() -> impl FnMut(i32) -> bool + Send + 'static {
    let mut since = Instant::now();
    move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        std::thread::sleep(Duration::from_micros(if tries < 8 { 200 } else { 1_000 }));
        since.elapsed() < PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pragma(conn: &Connection, name: &str) -> String {
        conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| match value {
                rusqlite::types::Value::Integer(number) => number.to_string(),
                rusqlite::types::Value::Text(text) => text,
                other => format!("{other:?}"),
            })
            .unwrap()
    }

    #[test]
    fn a_new_file_is_durable_by_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::File(folder.path().join("fleet.db"));
        let _first = place.prepare().unwrap();
        let writer = place.connect(Role::Writer).unwrap();
        for (name, value) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("page_size", "4096"),
            ("auto_vacuum", "2"),
        ] {
            assert_eq!(pragma(&writer, name), value, "{name}");
        }
    }

    #[test]
    fn many_may_create_the_same_file_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::File(folder.path().join("fleet.db"));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| place.prepare().map(drop).unwrap());
            }
        });
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.db");
        std::fs::write(&path, "this is a letter, not a database, and long enough to have a header".repeat(40)).unwrap();
        assert!(matches!(Place::File(path).prepare().unwrap_err(), OpenError::Foreign { .. }));
    }
}
