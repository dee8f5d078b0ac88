-- Jobs that wait for the same lock, and that nothing else tells apart, stand in a line. Only the first of a line needs to
-- be looked at by a claim: the others cannot run beside it, and nothing keeps it back that does not keep them back too.
-- So only the first lies where a claim looks, and it does not matter how many stand behind it.

-- The job's tags, sorted, as a JSON list; empty when it has none.
ALTER TABLE jobs ADD COLUMN tagset TEXT NOT NULL DEFAULT '';
-- Whether it is the first of its line, or stands in none. Means nothing while the job is not to be claimed.
ALTER TABLE jobs ADD COLUMN front INTEGER NOT NULL DEFAULT 1 CHECK (front IN (0, 1));

UPDATE jobs SET tagset = (
    SELECT json_group_array(tag) FROM (SELECT tag FROM tags WHERE tags.job = jobs.pk ORDER BY tag)
) WHERE EXISTS (SELECT 1 FROM tags WHERE tags.job = jobs.pk);

-- The lines, each in its order: by age, or by retry time where there is one.
CREATE INDEX jobs_line
    ON jobs (product, lock, route, tagset, priority, retry_not_before IS NULL, coalesce(retry_not_before, 0))
    WHERE lock IS NOT NULL AND stage = 'queued' AND held = 0;

UPDATE jobs SET front = pk = (
    SELECT pk FROM jobs AS line
    WHERE line.product = jobs.product AND line.lock = jobs.lock AND line.route = jobs.route
    AND line.tagset = jobs.tagset AND line.priority = jobs.priority
    AND (line.retry_not_before IS NULL) = (jobs.retry_not_before IS NULL)
    AND line.stage = 'queued' AND line.held = 0
    ORDER BY coalesce(line.retry_not_before, 0), line.pk LIMIT 1
) WHERE lock IS NOT NULL AND stage = 'queued' AND held = 0;

-- Whoever leaves the head of a line makes way for the next.
CREATE TRIGGER jobs_leave_line AFTER UPDATE OF stage, held, retry_not_before, priority, route, lock, tagset ON jobs
WHEN old.lock IS NOT NULL AND old.stage = 'queued' AND old.held = 0 AND old.front = 1
BEGIN
    UPDATE jobs SET front = 1 WHERE front = 0 AND pk = (
        SELECT pk FROM jobs AS line
        WHERE line.product = old.product AND line.lock = old.lock AND line.route = old.route
        AND line.tagset = old.tagset AND line.priority = old.priority
        AND (line.retry_not_before IS NULL) = (old.retry_not_before IS NULL)
        AND line.stage = 'queued' AND line.held = 0
        ORDER BY coalesce(line.retry_not_before, 0), line.pk LIMIT 1
    );
END;

-- Whoever joins a line is its first or not; if so, the next was the first until now.
CREATE TRIGGER jobs_join_line AFTER UPDATE OF stage, held, retry_not_before, priority, route, lock, tagset ON jobs
WHEN new.lock IS NOT NULL AND new.stage = 'queued' AND new.held = 0
BEGIN
    UPDATE jobs SET front = pk = (
        SELECT pk FROM jobs AS line
        WHERE line.product = new.product AND line.lock = new.lock AND line.route = new.route
        AND line.tagset = new.tagset AND line.priority = new.priority
        AND (line.retry_not_before IS NULL) = (new.retry_not_before IS NULL)
        AND line.stage = 'queued' AND line.held = 0
        ORDER BY coalesce(line.retry_not_before, 0), line.pk LIMIT 1
    ) WHERE pk = new.pk;
    UPDATE jobs SET front = 0 WHERE front = 1 AND pk = (
        SELECT pk FROM jobs AS line
        WHERE line.product = new.product AND line.lock = new.lock AND line.route = new.route
        AND line.tagset = new.tagset AND line.priority = new.priority
        AND (line.retry_not_before IS NULL) = (new.retry_not_before IS NULL)
        AND line.stage = 'queued' AND line.held = 0
        ORDER BY coalesce(line.retry_not_before, 0), line.pk LIMIT 1 OFFSET 1
    );
END;

-- Without a lock a job stands in no line, whatever it stood in before.
CREATE TRIGGER jobs_give_up_line AFTER UPDATE OF lock ON jobs
WHEN new.lock IS NULL AND new.front = 0
BEGIN
    UPDATE jobs SET front = 1 WHERE pk = new.pk;
END;

-- A newcomer is the youngest, so the last of its line.
CREATE TRIGGER jobs_new_in_line AFTER INSERT ON jobs
WHEN new.lock IS NOT NULL AND new.stage = 'queued' AND new.held = 0
BEGIN
    UPDATE jobs SET front = 0 WHERE pk = new.pk AND pk <> (
        SELECT pk FROM jobs AS line
        WHERE line.product = new.product AND line.lock = new.lock AND line.route = new.route
        AND line.tagset = new.tagset AND line.priority = new.priority
        AND (line.retry_not_before IS NULL) = (new.retry_not_before IS NULL)
        AND line.stage = 'queued' AND line.held = 0
        ORDER BY coalesce(line.retry_not_before, 0), line.pk LIMIT 1
    );
END;

-- What can be claimed now: by urgency, then one lane per route, the oldest first (the row id is the last column).
DROP INDEX jobs_ready;
CREATE INDEX jobs_ready ON jobs (product, priority, route)
    WHERE stage = 'queued' AND held = 0 AND retry_not_before IS NULL AND front = 1;
-- What can be claimed at its time: likewise, what is due first coming first.
CREATE INDEX jobs_due ON jobs (product, priority, route, retry_not_before)
    WHERE stage = 'queued' AND held = 0 AND retry_not_before IS NOT NULL AND front = 1;
