"""The tables of the index.

One row per run, and one per run and name of each param, metric and tag: names are numbers here, and each value has an
index with its name, so that ``metrics.acc > 0.9`` is a walk through those that are. NaN is NULL in a row that is there;
what a run does not have has no row.
"""

from __future__ import annotations

VERSION = 4
"""Another number in the file: it is made anew."""

APPLICATION_ID = 0x67_74_69_78
"""``gtix``, so that ``file`` can tell what it is."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE ref (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tip TEXT NOT NULL, writer TEXT NOT NULL);
CREATE TABLE listing (
    run TEXT NOT NULL, commit_id TEXT NOT NULL, ref INTEGER NOT NULL,
    PRIMARY KEY (run, commit_id, ref)) WITHOUT ROWID;
CREATE TABLE event (
    subject TEXT NOT NULL, commit_id TEXT NOT NULL, ref INTEGER NOT NULL, data BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (subject, commit_id, ref)) WITHOUT ROWID;
CREATE INDEX event_ref ON event (ref);
CREATE TABLE problem (
    ref INTEGER, run TEXT, event TEXT, commit_id TEXT, place TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE unread (
    run TEXT PRIMARY KEY, commit_id TEXT NOT NULL, reason TEXT NOT NULL, tried INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, experiment_id TEXT NOT NULL,
    experiment TEXT NOT NULL, status TEXT NOT NULL, start_time INTEGER NOT NULL, end_time INTEGER, duration INTEGER,
    author TEXT NOT NULL, email TEXT NOT NULL, host TEXT NOT NULL, branch TEXT, code TEXT, head TEXT,
    dirty INTEGER NOT NULL, parent TEXT, kind TEXT NOT NULL, entry TEXT NOT NULL, exit_code INTEGER,
    error TEXT NOT NULL, note TEXT NOT NULL, deleted INTEGER NOT NULL, words TEXT NOT NULL,
    detailed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX run_start ON run (deleted, start_time, id);
CREATE INDEX run_name ON run (name);
CREATE INDEX run_experiment ON run (experiment_id, start_time);
CREATE TABLE document (
    n INTEGER PRIMARY KEY, commit_id TEXT, conflicts TEXT NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE name (n INTEGER PRIMARY KEY, scope TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (scope, text));
CREATE TABLE metric (
    run INTEGER NOT NULL, name INTEGER NOT NULL, last REAL, min REAL, max REAL, mean REAL, count INTEGER NOT NULL,
    first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE INDEX metric_last ON metric (name, last);
CREATE TABLE param (
    run INTEGER NOT NULL, name INTEGER NOT NULL, value BLOB, kind TEXT NOT NULL, text TEXT,
    PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE INDEX param_value ON param (name, value);
CREATE TABLE tag (
    run INTEGER NOT NULL, name INTEGER NOT NULL, value BLOB, kind TEXT NOT NULL, text TEXT,
    PRIMARY KEY (run, name)) WITHOUT ROWID;
CREATE INDEX tag_value ON tag (name, value);
CREATE TABLE input (
    run INTEGER NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, uri TEXT NOT NULL, digest TEXT NOT NULL,
    source TEXT NOT NULL, state TEXT NOT NULL, size INTEGER);
CREATE INDEX input_run ON input (run);
CREATE INDEX input_digest ON input (digest);
CREATE TABLE artifact (
    run INTEGER NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, size INTEGER,
    storage TEXT NOT NULL);
CREATE INDEX artifact_run ON artifact (run);
CREATE INDEX artifact_path ON artifact (path);
"""
"""``param.value`` has no affinity (BLOB): numbers, and texts that are no number; ``text`` says what else was meant."""
