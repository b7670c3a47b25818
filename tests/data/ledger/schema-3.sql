CREATE TABLE legal_move (
  origin TEXT NOT NULL,
  target TEXT NOT NULL,
  PRIMARY KEY (origin, target)
) WITHOUT ROWID;

CREATE TABLE campaign (
  no INTEGER PRIMARY KEY,
  campaign_id TEXT NOT NULL UNIQUE,
  command_url TEXT NOT NULL,
  purpose TEXT NOT NULL,          -- JSON object of text
  columns TEXT NOT NULL,          -- JSON array of text
  defaults TEXT NOT NULL,         -- JSON object of text
  manifest_name TEXT NOT NULL,
  manifest_path TEXT NOT NULL,
  manifest_sha256 TEXT NOT NULL,
  plan_sha256 TEXT NOT NULL,
  settings TEXT NOT NULL,         -- JSON object
  operator TEXT NOT NULL,
  host TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  finished_at TEXT,
  exit_code INTEGER,
  stop_reason TEXT NOT NULL DEFAULT '',
  stop_requested_at TEXT,
  stop_request TEXT,              -- a StopRequest, NULL where none was made
  requests TEXT NOT NULL DEFAULT '{}',
  journal_length INTEGER NOT NULL DEFAULT 0,
  journal_head TEXT NOT NULL DEFAULT ''
);

CREATE TABLE row (
  campaign INTEGER NOT NULL REFERENCES campaign (no),
  row_no INTEGER NOT NULL CHECK (row_no >= 1),
  row_id TEXT NOT NULL,
  command_url TEXT NOT NULL,
  keystore_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  request TEXT NOT NULL,          -- JSON object, the POST's content
  cells TEXT NOT NULL,            -- JSON array of text
  orchestrator TEXT NOT NULL,
  client_machine TEXT NOT NULL,
  store_path TEXT NOT NULL,
  store_type TEXT NOT NULL,
  capability TEXT NOT NULL,
  place_unique INTEGER NOT NULL CHECK (place_unique IN (0, 1)),
  current_thumbprint TEXT,
  wave TEXT,
  deadline TEXT,
  state TEXT NOT NULL CHECK (state IN ('cancelled', 'failed', 'in_doubt', 'not_attempted', 'pending', 'queued', 'rejected', 'running', 'skipped_already_rotated', 'skipped_excluded', 'skipped_preflight', 'stalled', 'submitted', 'submitting', 'succeeded', 'unknown', 'verified', 'verifying', 'warning', 'withdrawing')),
  reason_code TEXT,
  message TEXT,
  http_status INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  losses INTEGER NOT NULL DEFAULT 0 CHECK (losses >= 0),
  retries INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),
  fence TEXT,
  "before" TEXT,
  planned_at TEXT NOT NULL,
  submitted_at TEXT,
  picked_up_at TEXT,
  finished_at TEXT,
  verified_at TEXT,
  job_id TEXT,
  job_history_id INTEGER,
  job_result INTEGER,
  alias_after TEXT,
  thumbprint_before TEXT,
  not_before_before TEXT,
  not_after_before TEXT,
  thumbprint_after TEXT,
  not_after_after TEXT,
  endpoint TEXT NOT NULL DEFAULT '',
  inventory_scheduled INTEGER,    -- 0 or 1, NULL where it is not known
  verification TEXT,              -- JSON object, NULL before the row was verified
  PRIMARY KEY (campaign, row_no)
);

CREATE TABLE tally (
  campaign INTEGER NOT NULL REFERENCES campaign (no),
  state TEXT NOT NULL,
  n INTEGER NOT NULL CHECK (n >= 0),
  PRIMARY KEY (campaign, state)
) WITHOUT ROWID;

CREATE TABLE journal (
  campaign INTEGER NOT NULL REFERENCES campaign (no),
  seq INTEGER NOT NULL,
  line TEXT NOT NULL,
  PRIMARY KEY (campaign, seq)
);

CREATE UNIQUE INDEX one_unresolved_per_store ON row (command_url, keystore_id)
  WHERE state IN ('in_doubt', 'queued', 'running', 'submitted', 'submitting', 'verifying', 'withdrawing');

CREATE UNIQUE INDEX one_row_per_job ON row (campaign, job_id)
  WHERE job_id IS NOT NULL;

CREATE INDEX waiting_rows ON row (campaign, orchestrator) WHERE state = 'pending';
CREATE INDEX failed_rows ON row (campaign, reason_code, message) WHERE state IN ('failed', 'rejected', 'skipped_preflight', 'stalled', 'unknown', 'warning');
CREATE INDEX journal_events ON journal (campaign, seq) WHERE substr(line, 34, 14) <> '"event":"move"';

CREATE TRIGGER row_moves_legally BEFORE UPDATE OF state ON row
WHEN NOT EXISTS (
  SELECT 1 FROM legal_move WHERE origin = OLD.state AND target = NEW.state
)
BEGIN
  SELECT RAISE(ABORT, 'illegal move');
END;

CREATE TRIGGER row_starts_pending BEFORE INSERT ON row
WHEN NEW.state <> 'pending'
BEGIN
  SELECT RAISE(ABORT, 'a row starts pending');
END;

CREATE TRIGGER row_is_never_replaced BEFORE INSERT ON row
WHEN EXISTS (
  SELECT 1 FROM row WHERE campaign = NEW.campaign AND row_no = NEW.row_no
)
BEGIN
  SELECT RAISE(ABORT, 'rows are never replaced');
END;

CREATE TRIGGER row_stays BEFORE DELETE ON row
BEGIN
  SELECT RAISE(ABORT, 'rows are never deleted');
END;

CREATE TRIGGER tally_follows AFTER UPDATE OF state ON row
BEGIN
  UPDATE tally SET n = n - 1 WHERE campaign = OLD.campaign AND state = OLD.state;
  UPDATE tally SET n = n + 1 WHERE campaign = NEW.campaign AND state = NEW.state;
END;

CREATE TRIGGER journal_is_never_changed BEFORE UPDATE ON journal
BEGIN
  SELECT RAISE(ABORT, 'the journal only grows');
END;

CREATE TRIGGER journal_is_never_replaced BEFORE INSERT ON journal
WHEN EXISTS (SELECT 1 FROM journal WHERE campaign = NEW.campaign AND seq = NEW.seq)
BEGIN
  SELECT RAISE(ABORT, 'the journal only grows');
END;

CREATE TRIGGER journal_is_never_cut BEFORE DELETE ON journal
BEGIN
  SELECT RAISE(ABORT, 'the journal only grows');
END;

PRAGMA application_id = 1112687941;
PRAGMA user_version = 3;

INSERT INTO legal_move (origin, target) VALUES
  ('cancelled', 'pending'),
  ('failed', 'pending'),
  ('in_doubt', 'failed'),
  ('in_doubt', 'pending'),
  ('in_doubt', 'queued'),
  ('in_doubt', 'running'),
  ('in_doubt', 'stalled'),
  ('in_doubt', 'succeeded'),
  ('in_doubt', 'unknown'),
  ('in_doubt', 'verified'),
  ('in_doubt', 'verifying'),
  ('in_doubt', 'warning'),
  ('in_doubt', 'withdrawing'),
  ('not_attempted', 'pending'),
  ('pending', 'cancelled'),
  ('pending', 'failed'),
  ('pending', 'not_attempted'),
  ('pending', 'rejected'),
  ('pending', 'skipped_already_rotated'),
  ('pending', 'skipped_excluded'),
  ('pending', 'skipped_preflight'),
  ('pending', 'submitting'),
  ('queued', 'failed'),
  ('queued', 'running'),
  ('queued', 'stalled'),
  ('queued', 'submitted'),
  ('queued', 'succeeded'),
  ('queued', 'unknown'),
  ('queued', 'verified'),
  ('queued', 'verifying'),
  ('queued', 'warning'),
  ('queued', 'withdrawing'),
  ('rejected', 'pending'),
  ('running', 'failed'),
  ('running', 'queued'),
  ('running', 'stalled'),
  ('running', 'submitted'),
  ('running', 'succeeded'),
  ('running', 'unknown'),
  ('running', 'verified'),
  ('running', 'verifying'),
  ('running', 'warning'),
  ('skipped_excluded', 'pending'),
  ('stalled', 'in_doubt'),
  ('submitted', 'failed'),
  ('submitted', 'queued'),
  ('submitted', 'running'),
  ('submitted', 'stalled'),
  ('submitted', 'succeeded'),
  ('submitted', 'unknown'),
  ('submitted', 'verified'),
  ('submitted', 'verifying'),
  ('submitted', 'warning'),
  ('submitting', 'failed'),
  ('submitting', 'in_doubt'),
  ('submitting', 'pending'),
  ('submitting', 'rejected'),
  ('submitting', 'submitted'),
  ('unknown', 'in_doubt'),
  ('unknown', 'pending'),
  ('verifying', 'succeeded'),
  ('verifying', 'unknown'),
  ('verifying', 'verified'),
  ('verifying', 'warning'),
  ('warning', 'pending'),
  ('warning', 'verifying'),
  ('withdrawing', 'cancelled'),
  ('withdrawing', 'failed'),
  ('withdrawing', 'pending'),
  ('withdrawing', 'queued'),
  ('withdrawing', 'running'),
  ('withdrawing', 'stalled'),
  ('withdrawing', 'succeeded'),
  ('withdrawing', 'unknown'),
  ('withdrawing', 'verified'),
  ('withdrawing', 'verifying'),
  ('withdrawing', 'warning');
