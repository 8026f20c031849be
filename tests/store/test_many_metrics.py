"""A check of everything reads each file once, however many there are."""

from __future__ import annotations

import time
from dataclasses import replace

import gittrack
from gittrack.api.maintain import fsck
from gittrack.api.project import Project


def test_a_run_of_12000_metrics_is_checked_in_seconds_and_a_wrong_summary_among_them_is_found(repo, monkeypatch):
    with gittrack.start_run(name="wide", strict=True) as run:
        run.log_metrics({f"m{number:05}": float(number) for number in range(12_000)})
    began = time.monotonic()
    assert fsck(Project.open()) == []
    assert time.monotonic() - began < 60  # each looked up among all of them: some five minutes

    from gittrack.store import integrity

    right = integrity.summarise

    def summarised(series):
        summary = right(series)
        return replace(summary, count=2) if summary.last == 7777 else summary

    monkeypatch.setattr(integrity, "summarise", summarised)
    assert [finding.reason for finding in fsck(Project.open())] == [
        "the summary of metric 'm07777' is not that of its points"
    ]
