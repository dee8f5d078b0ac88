//! The database: whoever made the subject has opened, read and written it, if there was one.

use super::{
    check::Check,
    folders::try_write,
    installation::no_place,
    subject::{Database, Subject},
};

pub(super) fn database(subject: &Subject) -> Check {
    const NAME: &str = "database";
    let Some(place) = &subject.place else { return Check::skip(NAME, no_place()) };
    let file = place.state.join("fleet.db");
    let file = file.display();
    match &subject.database {
        Database::Absent => Check::skip(NAME, "there is none yet; it is made when it is first needed"),
        Database::Works { jobs, .. } => {
            Check::ok(NAME, format!("{file} is of this version, can be read and written; jobs in it: {jobs}"))
        }
        Database::Newer(why) => Check::fail(NAME, why, "update this fleet, or name another state folder by FLEET_HOME"),
        Database::Foreign(why) => Check::fail(
            NAME,
            why,
            format!("move it away, for example `mv {file} {file}.other`; a new one is then made"),
        ),
        Database::Unusable(_) if try_write(&place.state).is_err() => {
            Check::skip(NAME, "the state folder cannot be written, so neither can what lies in it")
        }
        Database::Unusable(why) => Check::fail(
            NAME,
            why,
            format!("`ls -l {file}*` shows whose it is; if the file itself is damaged, put its last backup there"),
        ),
    }
}
