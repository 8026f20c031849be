"""What is said of a run in progress is found like what is said of one that has ended."""

from __future__ import annotations

import gittrack
from gittrack.api.project import Project
from gittrack.core.records import Event, Subject
from gittrack.store.event_store import write_event


def test_a_comment_on_a_run_in_progress_is_found(repo):
    run = gittrack.start_run(name="live", strict=True)
    project = Project.open()
    write_event(
        project.repo,
        Event(
            id=project.new_event_id(),
            kind="comment",
            subject=Subject("run", run.id),
            time=project.now(),
            author=project.person,
            writer=project.writer,
            value="a Zebra crossed",
        ),
    )

    def found() -> list[str]:
        return [each.name for each in gittrack.search_runs("text('zebra')", output_format="list")]

    try:
        assert found() == ["live"]
    finally:
        run.end()
    assert found() == ["live"]
