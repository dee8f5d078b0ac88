-- Until when, and up to which run, the output of a job's runs was let go. A job that changed since has output anew.
ALTER TABLE jobs ADD COLUMN logs_expired_at INTEGER;
ALTER TABLE jobs ADD COLUMN logs_expired_runs INTEGER NOT NULL DEFAULT 0 CHECK (logs_expired_runs >= 0);
CREATE INDEX jobs_expirable ON jobs (updated_at)
    WHERE stage IN ('shipped', 'failed', 'dead_letter') AND held = 0
    AND (logs_expired_at IS NULL OR logs_expired_at <= updated_at);
