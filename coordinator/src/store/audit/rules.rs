//! The rules as questions to SQLite: each is answered by what breaks it, with the job's id and a sentence.

use rusqlite::Connection;

use super::Finding;

/// The file itself is broken.
pub(super) const DAMAGED: &str = "damaged";

/// A rule's word, and the question for what breaks it.
type Rule = (&'static str, &'static str);

/// What the schema cannot refuse by itself, and what it refuses as long as it is whole.
const AGREEMENTS: &[Rule] = &[
    (
        "two_leases",
        "SELECT jobs.id, count(*) || ' leases on it are active'
         FROM leases JOIN jobs ON jobs.pk = leases.job WHERE leases.status = 'active'
         GROUP BY leases.job HAVING count(*) > 1",
    ),
    (
        "held_without_lease",
        "SELECT id, 'it is ' || stage || ', and no lease on it is active' FROM jobs
         WHERE stage IN ('assigned', 'building')
         AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.job = jobs.pk AND leases.status = 'active')",
    ),
    (
        "lease_without_hold",
        "SELECT jobs.id, 'the lease ' || leases.epoch || ' is active, and the job is ' || jobs.stage
         FROM leases JOIN jobs ON jobs.pk = leases.job
         WHERE leases.status = 'active' AND jobs.stage NOT IN ('assigned', 'building')",
    ),
    (
        "lease_disagrees",
        "SELECT jobs.id, 'job and lease differ in who holds it, or since which epoch'
         FROM leases JOIN jobs ON jobs.pk = leases.job
         WHERE leases.status = 'active' AND jobs.stage IN ('assigned', 'building')
         AND (jobs.lease_holder IS NOT leases.holder OR jobs.lease_at_epoch IS NOT leases.epoch
              OR jobs.product IS NOT leases.product)",
    ),
    (
        "epoch_behind",
        "SELECT id, 'its epoch is ' || lease_epoch || ', and ' || told || ' was given out already' FROM (
             SELECT id, lease_epoch, max(
                 coalesce((SELECT max(epoch) FROM leases WHERE leases.job = jobs.pk), 0),
                 coalesce((SELECT max(lease_epoch) FROM events WHERE events.job = jobs.pk), 0)) AS told FROM jobs
         ) WHERE told > lease_epoch",
    ),
    (
        "out_of_sight",
        "SELECT id, 'it is queued where no claim looks: the line that it stands in has no first' FROM jobs
         WHERE stage = 'queued' AND held = 0 AND front = 0 AND (lock IS NULL OR NOT EXISTS (
             SELECT 1 FROM jobs AS line
             WHERE line.product = jobs.product AND line.lock = jobs.lock AND line.route = jobs.route
             AND line.tagset = jobs.tagset AND line.priority = jobs.priority
             AND (line.retry_not_before IS NULL) = (jobs.retry_not_before IS NULL)
             AND line.stage = 'queued' AND line.held = 0 AND line.front = 1))",
    ),
    (
        "events_gap",
        "SELECT jobs.id, count(events.seq) || ' events, numbered ' ||
             coalesce(min(events.seq) || ' to ' || max(events.seq), 'not at all')
         FROM jobs LEFT JOIN events ON events.job = jobs.pk
         GROUP BY jobs.pk HAVING count(events.seq) = 0 OR min(events.seq) <> 1 OR max(events.seq) <> count(events.seq)",
    ),
    (
        "history_jumps",
        "SELECT jobs.id, 'event ' || seq || ' moves it from ' || stage_from || ', where it was not' FROM (
             SELECT job, seq, stage_from, lag(stage_to) OVER (PARTITION BY job ORDER BY seq) AS before FROM events
             WHERE seq = 1 OR stage_from IS NOT stage_to
         ) JOIN jobs ON jobs.pk = job WHERE seq > 1 AND before IS NOT stage_from",
    ),
    (
        "stage_untold",
        "SELECT id, 'it is ' || stage || ', and its history ends in ' || coalesce(told, 'nothing') FROM (
             SELECT id, stage, (SELECT stage_to FROM events WHERE events.job = jobs.pk
                 AND (seq = 1 OR stage_from IS NOT stage_to) ORDER BY seq DESC LIMIT 1) AS told FROM jobs
         ) WHERE told IS NOT stage",
    ),
    (
        "runs_gap",
        "SELECT jobs.id, count(*) || ' runs, numbered ' || min(number) || ' to ' || max(number)
         FROM runs JOIN jobs ON jobs.pk = runs.job
         GROUP BY runs.job HAVING min(number) <> 1 OR max(number) <> count(*)",
    ),
    (
        "runs_uncounted",
        "SELECT id, 'it counts ' || counted || ' runs, and has ' || kept FROM (
             SELECT id, CASE WHEN json_valid(doc) THEN json_extract(doc, '$.runs') END AS counted,
                 (SELECT count(*) FROM runs WHERE runs.job = jobs.pk) AS kept FROM jobs
         ) WHERE counted IS NOT NULL AND counted <> kept",
    ),
    (
        "run_without_end",
        "SELECT jobs.id, 'its run ' || runs.number || ' has no end, and nobody holds the job'
         FROM runs JOIN jobs ON jobs.pk = runs.job
         WHERE jobs.stage NOT IN ('assigned', 'building')
         AND json_valid(runs.doc) AND json_extract(runs.doc, '$.endedAt') IS NULL",
    ),
    (
        "text_missing",
        "SELECT id, 'its task file is missing' FROM jobs
         WHERE NOT EXISTS (SELECT 1 FROM texts WHERE texts.job = jobs.pk)",
    ),
    ("version", "SELECT NULL, 'the queue has ' || count(*) || ' versions' FROM meta HAVING count(*) <> 1"),
];

/// Whether pages, rows and indexes are whole, and each row as its table demands.
pub(super) fn whole(conn: &Connection, findings: &mut Vec<Finding>) -> rusqlite::Result<()> {
    let said: Vec<String> =
        conn.prepare("PRAGMA integrity_check(20)")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let wrong = said.into_iter().filter(|line| line != "ok");
    findings.extend(wrong.map(|message| Finding { code: DAMAGED, job: None, message }));
    Ok(())
}

/// Whether every row that belongs to a job has one.
pub(super) fn references(conn: &Connection, findings: &mut Vec<Finding>) -> rusqlite::Result<()> {
    let mut check =
        conn.prepare("SELECT \"table\", \"parent\", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let message = format!("{count} rows of `{table}` belong to no row of `{parent}`");
        findings.push(Finding { code: "orphaned", job: None, message });
    }
    Ok(())
}

/// Whether jobs, leases, runs and events tell the same story.
pub(super) fn agreements(conn: &Connection, findings: &mut Vec<Finding>) -> rusqlite::Result<()> {
    for (code, sql) in AGREEMENTS {
        let mut question = conn.prepare(sql)?;
        let mut rows = question.query([])?;
        while let Some(row) = rows.next()? {
            findings.push(Finding { code, job: row.get(0)?, message: row.get(1)? });
        }
    }
    Ok(())
}
