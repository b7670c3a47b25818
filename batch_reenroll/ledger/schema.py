"""The SQLite schema: the life cycle enforced by the database too.

``legal_move`` is written from ``campaign/lifecycle.py`` when a ledger is made, and a
trigger refuses every other change of state. A partial unique index keeps "at most one
unresolved submission per store" whatever the code above believes. The journal can
only grow.
"""

from __future__ import annotations

from batch_reenroll.campaign.budget import FAILURES
from batch_reenroll.campaign.lifecycle import UNRESOLVED, State, is_legal

#: ``PRAGMA user_version`` of a ledger this program writes.
SCHEMA_VERSION = 3

#: ``PRAGMA application_id``: "BREE" in ASCII, so that `file` can tell a ledger.
APPLICATION_ID = 0x42524545


def _names(states: frozenset[State] | type[State]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


#: The condition of the partial index, word for word: SQLite uses it for no other.
IS_UNRESOLVED = f"state IN ({_names(UNRESOLVED)})"

#: The same of rows that failed, or were found unfit before they were sent.
IS_FAILED = f"state IN ({_names(FAILURES | {State.SKIPPED_PREFLIGHT})})"

#: The same of journal lines about the whole campaign. Keys are sorted and times are 24
#: characters long, so a move's line says that it is one at a place of its own.
IS_EVENT = """substr(line, 34, 14) <> '"event":"move"'"""

#: What ``status`` reads instead of every row and line. Each is touched when a row first
#: leaves, when it fails, or by a line that is no move: not by every move.
_INDEXES = f"""
CREATE INDEX waiting_rows ON row (campaign, orchestrator) WHERE state = 'pending';
CREATE INDEX failed_rows ON row (campaign, reason_code, message) WHERE {IS_FAILED};
CREATE INDEX journal_events ON journal (campaign, seq) WHERE {IS_EVENT};
"""

# Only names from our own enum are put into the text, none from outside.
TABLES = f"""
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
  requests TEXT NOT NULL DEFAULT '{{}}',
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
  state TEXT NOT NULL CHECK (state IN ({_names(State)})),
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
  WHERE {IS_UNRESOLVED};

CREATE UNIQUE INDEX one_row_per_job ON row (campaign, job_id)
  WHERE job_id IS NOT NULL;
{_INDEXES}
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

PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""  # noqa: S608

#: From each earlier version, the script that leads to the next. A program of the
#: earlier version that is at work meanwhile must be able to go on: columns are added,
#: none is taken away. ``legal_move`` is written anew after the last.
UPGRADES = {
    1: "ALTER TABLE campaign ADD COLUMN stop_request TEXT;\n"
    "ALTER TABLE row ADD COLUMN deadline TEXT;\n",
    2: "ALTER TABLE row ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';\n"
    "ALTER TABLE row ADD COLUMN inventory_scheduled INTEGER;\n"
    "ALTER TABLE row ADD COLUMN verification TEXT;\n" + _INDEXES,
}

#: Rows for ``legal_move``.
LEGAL_MOVES = sorted(
    (str(origin), str(target))
    for origin in State
    for target in State
    if is_legal(origin, target)
)
