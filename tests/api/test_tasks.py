"""Which run the fluent functions mean when coroutines and threads interleave."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import gittrack


@gittrack.track
async def train(number):
    for step in range(3):
        await asyncio.sleep(0.001)
        gittrack.log_metric("loss", number * 10 + step, step=step)
    gittrack.set_tag("number", number)
    return {"number": number}


def parents() -> dict[str, str | None]:
    """Name -> name of the parent, of all runs."""
    runs = gittrack.runs()
    names = {run.id: run.name for run in runs}
    return {run.name: None if run.parent is None else names[run.parent] for run in runs}


def test_coroutines_that_are_gathered_keep_their_points_apart(repo):
    async def main():
        await asyncio.gather(train(1), train(2), train(3))

    asyncio.run(main())
    runs = gittrack.runs()
    assert len(runs) == 3
    for run in runs:
        number = run.params["number"]
        assert list(run.history("loss").values) == [number * 10, number * 10 + 1, number * 10 + 2]
        assert run.tags == {"number": str(number)}
        assert run.parent is None
    assert gittrack.active_run() is None


def test_coroutines_within_a_run_are_its_children(repo):
    async def main():
        with gittrack.start_run("sweep"):
            await asyncio.gather(train(1), train(2))
            gittrack.log_metric("done", 2)

    asyncio.run(main())
    runs = {run.id: run for run in gittrack.runs()}
    sweep = next(run for run in runs.values() if run.name == "sweep")
    assert sweep.metrics == {"done": 2.0}
    assert [run.parent for run in runs.values() if run.name == "train"] == [sweep.id] * 2


def test_a_run_around_the_event_loop_is_that_of_its_tasks_and_is_not_ended_by_them(repo, capfd):
    outer = gittrack.start_run("outer")

    async def inner(name):
        run = gittrack.start_run(name)
        await asyncio.sleep(0.001)
        gittrack.log_metric(name, 1)
        run.end()

    async def main():
        gittrack.log_metric("before", 1)
        await asyncio.gather(inner("one"), inner("two"))
        gittrack.log_metric("after", 1)

    asyncio.run(main())
    assert outer.active
    gittrack.end_run()
    assert {run.name: set(run.metrics) for run in gittrack.runs()} == {
        "outer": {"before", "after"}, "one": {"one"}, "two": {"two"},
    }  # fmt: skip
    assert parents() == {"outer": None, "one": "outer", "two": "outer"}
    assert "still active" not in capfd.readouterr().err


def test_a_task_without_a_run_does_not_log_to_that_of_another_task(repo):
    seen = []

    async def bystander():
        await asyncio.sleep(0.005)
        seen.append(gittrack.active_run())

    async def trainer():
        with gittrack.start_run("trainer"):
            await asyncio.sleep(0.02)

    async def main():
        await asyncio.gather(trainer(), bystander())

    asyncio.run(main())
    assert seen == [None]


def test_what_a_task_starts_logs_to_the_tasks_run(repo):
    async def step(name):
        await asyncio.sleep(0.001)
        await asyncio.to_thread(gittrack.log_metric, name, 1)

    async def trainer(name):
        with gittrack.start_run(name):
            await asyncio.gather(step(f"{name}/a"), asyncio.create_task(step(f"{name}/b")))

    async def main():
        await asyncio.gather(trainer("one"), trainer("two"))

    asyncio.run(main())
    assert {run.name: set(run.metrics) for run in gittrack.runs()} == {
        "one": {"one/a", "one/b"}, "two": {"two/a", "two/b"},
    }  # fmt: skip


def test_a_worker_thread_that_knows_no_task_logs_to_the_run_of_the_main_threads_task(repo):
    async def main():
        with gittrack.start_run("around"), ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, gittrack.log_metric, "loss", 1)

    asyncio.run(main())
    assert gittrack.get_run("around").metrics == {"loss": 1.0}


def test_a_run_that_outlives_its_task_is_still_the_active_one_as_from_cell_to_cell_of_a_notebook(repo, capfd):
    async def cell(name):
        return gittrack.start_run(name)

    first = asyncio.run(cell("first"))
    assert gittrack.active_run() is first
    gittrack.log_metric("from the next cell", 1)
    second = asyncio.run(cell("second"))
    assert (first.active, second.active) == (False, True)
    assert "run 'first' was still active and is ended" in capfd.readouterr().err
    gittrack.end_run()
    assert gittrack.get_run("first").metrics == {"from the next cell": 1.0}
    assert parents() == {"first": None, "second": None}


def test_threads_with_event_loops_of_their_own_stay_apart(repo):
    def work(number):
        asyncio.run(train(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {run.params["number"]: (list(run.history("loss").values), run.parent) for run in gittrack.runs()}
    assert found == {n: ([n * 10, n * 10 + 1, n * 10 + 2], None) for n in (1, 2, 3)}


def test_a_run_ended_by_another_task_is_active_nowhere(repo):
    async def main():
        run = gittrack.start_run("it")

        async def stop():
            run.end()

        await asyncio.create_task(stop())
        assert gittrack.active_run() is None

    asyncio.run(main())
    assert gittrack.get_run("it").status == "finished"
