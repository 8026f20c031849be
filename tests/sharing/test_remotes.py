"""Real remotes of every kind, and what each refuses."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gittrack.errors import NoRemoteError, RemoteError

from .test_push_and_fetch import month


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_hook_that_refuses_gives_its_words_and_nothing_is_lost(people, remote):
    ann = people("ann")
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho no runs here >&2\nexit 1\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    ann.run("first")
    with pytest.raises(RemoteError, match="pre-receive hook declined"):
        ann.push()
    assert ann.names() == ["first"]
    hook.unlink()
    assert len(ann.push().shared.rows) == 1


def test_a_remote_that_is_gone_is_told(people, remote):
    ann = people("ann")
    ann.run("first")
    remote.rename(remote.with_name("moved.git"))
    with pytest.raises(RemoteError, match="origin"):
        ann.push()
    with pytest.raises(RemoteError):
        ann.fetch()
    assert ann.names() == ["first"]


def test_without_a_remote_the_error_says_how_to_add_one(repo):
    from gittrack.api.fetch import fetch
    from gittrack.api.project import Project

    with pytest.raises(NoRemoteError) as caught:
        fetch(Project.open(repo))
    assert caught.value.hint == "git remote add origin URL"


def test_what_is_shared_is_known_per_remote(people, remote, git, tmp_path):
    ann = people("ann")
    git("init", "-q", "--bare", str(tmp_path / "backup.git"))
    ann.git("remote", "add", "backup", str(tmp_path / "backup.git"))
    ann.run("first")
    ann.push("origin")
    ann.run("second")
    assert len(ann.push("backup").shared.rows) == 2
    assert len(ann.push("origin").shared.rows) == 1
    assert ann.push("backup").shared.rows == ()
    assert ann.names() == ["first", "second"]


def test_a_remote_renamed_or_at_another_place_is_asked_again(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    ann.git("remote", "rename", "origin", "upstream")
    ann.run("second")
    assert len(ann.push("upstream").shared.rows) == 1
    git("init", "-q", "--bare", str(tmp_path / "new.git"))
    ann.git("remote", "set-url", "upstream", str(tmp_path / "new.git"))
    with pytest.raises(RemoteError, match=r"its URL or gittrack\.refPrefix was changed"):
        ann.push("upstream")
    ann.fetch("upstream", accept_rewrites=True)
    assert len(ann.push("upstream").shared.rows) == 2
    assert ann.names() == ["first", "second"]
    bob.fetch()
    assert bob.names() == ["first", "second"]


def test_a_host_that_takes_only_branches(people, remote):
    ann, bob = people("ann"), people("bob")
    for person in (ann, bob):
        person.git("config", "gittrack.refPrefix", "refs/heads/gittrack/")
    ann.run("first")
    ann.push()
    bob.fetch()
    assert bob.names() == ["first"]
    assert f"refs/heads/gittrack/{month()}/ann" in bob.git("ls-remote", "origin")
    assert "refs/runs" not in bob.git("ls-remote", "origin")


def test_a_path_is_a_remote(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    stick = tmp_path / "stick.git"
    git("init", "-q", "--bare", str(stick))
    ann.run("first")
    ann.push(str(stick))
    bob.fetch(str(stick))
    assert bob.names() == ["first"]


def test_a_throw_away_clone_of_ci_pushes_and_brings_no_history(people, remote):
    ann = people("ann")
    for number in range(3):
        (ann.folder / "train.py").write_text(f"print({number})\n")
        ann.git("commit", "-qam", f"change {number}")
    ann.git("push", "-q", "origin", "main")
    ann.run("first")
    ann.push()
    ci = people("ci", "ann", "--depth=1", "--no-local")
    ci.git("remote", "set-url", "origin", f"file://{remote}")
    ci.run("in-ci")
    ci.push()
    assert int(ci.git("rev-list", "--all", "--count")) < 8
    ann.fetch()
    assert ann.names() == ["first", "in-ci"]


def test_a_remote_set_up_as_a_mirror_loses_nothing(people, remote):
    ann, bob = people("ann"), people("bob")
    ann.git("config", "remote.origin.mirror", "true")
    ann.run("first")
    ann.push()
    bob.fetch()
    assert bob.names() == ["first"]
    assert "refs/heads/main" in bob.git("ls-remote", "origin")


def test_what_the_user_has_is_left_alone(people, remote):
    """No branch, tag, remote-tracking branch, FETCH_HEAD, index or file changes by pushing and fetching runs."""
    ann, bob = people("ann"), people("bob")
    ann.git("commit", "-q", "--allow-empty", "-m", "second")
    ann.git("tag", "v1")
    ann.git("push", "-q", "origin", "main", "v1")
    ann.run("first")
    ann.push()

    def seen() -> list[str]:
        names = bob.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        fetch_head = bob.folder / ".git" / "FETCH_HEAD"
        text = fetch_head.read_text() if fetch_head.exists() else "-"
        return [*(name for name in names if not name.startswith("refs/runs")), bob.git("status", "--porcelain"), text]

    before = seen()
    bob.fetch()
    bob.run("second")
    bob.push()
    assert seen() == before
    assert bob.names() == ["first", "second"]
    assert bob.git("log", "--oneline", "--decorate").count("runs") == 0


def test_a_hook_before_the_push_is_asked_and_its_words_are_said(people, remote):
    """Found by a relative ``core.hooksPath`` too, which counts from the top of the work tree."""
    ann = people("ann")
    ann.git("config", "core.hooksPath", ".githooks")
    hook = script(
        ann.folder / ".githooks" / "pre-push", "echo error: timed out, not found >&2\necho lint first >&2\nexit 1"
    )
    ann.run("first")
    (ann.folder / "deep").mkdir()
    ann.folder = ann.folder / "deep"
    with pytest.raises(RemoteError, match=r"a hook of this clone refused \(pre-push\): lint first") as caught:
        ann.push()
    assert type(caught.value) is RemoteError
    assert "refs/runs" not in ann.git("ls-remote", "origin")
    script(hook, "echo only here\nexit 1")
    with pytest.raises(RemoteError, match="only here"):
        ann.push()
    script(hook, "test -f train.py")
    assert len(ann.push().shared.rows) == 1


def test_a_server_that_is_killed_after_it_took_the_push_is_a_broken_connection(people, remote):
    ann = people("ann")
    ann.run("first")
    hook = script(remote / "hooks" / "post-receive", "kill -9 $PPID")
    with pytest.raises(RemoteError, match="the connection to remote 'origin' broke") as caught:
        ann.push()
    assert caught.value.hint == "repeat the command: what was sent is not sent twice"
    hook.unlink()
    ann.push()
    assert ann.refs() == [
        ann.git("ls-remote", "origin", "refs/runs/*").split()[1].replace("runs", "runs-remote/origin")
    ]


@pytest.mark.parametrize("below", ["", "/ann/x"])
def test_a_ref_there_that_is_in_the_way_is_named_once_with_what_removes_it(people, gittrack_cli, below):
    ann = people("ann")
    ann.run("first")
    ann.push()
    (ledger,) = ann.git("ls-remote", "origin", "refs/runs/*").split()[1:]
    other = ledger.removesuffix("/ann") + below
    ann.git("push", "-q", "origin", f":{ledger}")
    ann.git("push", "-q", "origin", f"HEAD:{other}")
    ann.run("second")
    ann.git("update-ref", "-d", ledger.replace("runs", "runs-remote/origin"))
    done = gittrack_cli("push", "--yes", cwd=ann.folder)
    assert done.returncode == 1
    assert f"remote 'origin' has a ref '{other}', so '{ledger}' cannot be there" in done.stderr
    assert f"when nobody needs it: git push origin :{other}" in done.stderr
    assert done.stderr.count("exists; cannot create") <= 1
    ann.git("push", "-q", "origin", f":{other}")
    assert gittrack_cli("push", "--yes", cwd=ann.folder).returncode == 0


def test_only_gits_own_words_say_what_failed(people, tmp_path):
    from gittrack.errors import AuthenticationError
    from gittrack.git.network_failures import remote_failure

    ann = people("ann")
    ann.git("remote", "set-url", "origin", f"file://{tmp_path}/protected denied to.git")
    with pytest.raises(NoRemoteError, match="there is no remote 'origin'"):
        ann.fetch()
    helper = "my vault: Permission denied, repository not found, timed out\nConnection refused by my vault"
    plain = remote_failure("origin", f"{helper}\nfatal: the pack is odd\nremote: timed out", "")
    assert (type(plain), plain.message) == (RemoteError, "remote 'origin': the pack is odd")
    server = remote_failure("origin", "remote: Permission to ann/x denied to bob.\nfatal: it ended", "")
    assert isinstance(server, AuthenticationError)
    assert "Permission to ann/x denied to bob" in server.message
    ssh = remote_failure("origin", "git@host: Permission denied (publickey).\nfatal: Could not read from remote", "")
    assert isinstance(ssh, AuthenticationError)


def test_a_relative_remote_counts_from_the_top_and_a_path_given_from_where_one_is(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    ann.git("remote", "set-url", "origin", "../remote.git")
    ann.run("first")
    assert len(ann.push().shared.rows) == 1
    assert bob.fetch().runs == 1
    git("init", "-q", "--bare", str(tmp_path / "stick.git"))
    (ann.folder / "deep").mkdir()
    ann.folder = ann.folder / "deep"
    assert len(ann.push("../../stick.git").shared.rows) == 1
    ann.git("config", "gittrack.runsRemote", "../stick.git")
    assert ann.push().shared.rows == ()
    bob.git("config", "gittrack.runsRemote", "../stick.git")
    bob.fetch()
    assert bob.names() == ["first"]
    with pytest.raises(NoRemoteError, match="there is no remote 'deep/er'") as caught:
        ann.fetch("deep/er")
    assert caught.value.hint == "gittrack fetch ./deep/er"


def test_all_places_that_a_remote_pushes_to_must_take_it(people, remote, git, tmp_path):
    ann = people("ann")
    second = tmp_path / "second.git"
    git("init", "-q", "--bare", str(second))
    hook = script(second / "hooks" / "pre-receive", "exit 1")
    for place in (remote, second):
        ann.git("remote", "set-url", "--add", "--push", "origin", str(place))
    ann.run("first")
    with pytest.raises(RemoteError, match=r"hook declined \(said .*second.git\); .*remote.git has it all"):
        ann.push()
    assert "refs/runs" not in ann.git("ls-remote", str(second))
    hook.unlink()
    ann.run("second")
    ann.push()
    assert ann.git("ls-remote", str(second), "refs/runs/*") == ann.git("ls-remote", str(remote), "refs/runs/*")


def test_shared_means_that_every_place_a_remote_pushes_to_has_it(people, remote, git, tmp_path, gittrack_cli):
    """A place added later gets all that was shared before; one that refuses for a while gets it when it takes it."""
    ann, two = people("ann"), people("two", "ann")
    second = tmp_path / "second.git"
    git("init", "-q", "--bare", str(second))
    ann.run("first")
    ann.push()
    ann.git("remote", "set-url", "--add", "origin", str(second))
    said = gittrack_cli("push", "--dry-run", cwd=ann.folder).stderr
    assert f"would bring refs/runs/{month()}/ann to {second}, which lacked it" in said
    assert "refs/runs" not in ann.git("ls-remote", str(second))
    done = gittrack_cli("push", "--json", cwd=ann.folder)
    assert f"brought refs/runs/{month()}/ann to {second}" in done.stderr
    assert json.loads(done.stdout)["lacking"] == [{"place": str(second), "ledger": f"refs/runs/{month()}/ann"}]

    def ledgers(place: Path) -> str:
        return ann.git("ls-remote", str(place), "refs/runs/*")

    assert ledgers(second) == ledgers(remote)
    assert "nothing to push" in gittrack_cli("push", cwd=ann.folder).stderr
    hook = script(second / "hooks" / "pre-receive", "exit 1")
    for name in ("second", "third"):  # what one place has already must not be told to the other in another commit
        ann.run(name)
        with pytest.raises(RemoteError, match="pushes to several places, and one refuses"):
            ann.push()
    two.run("by another clone")
    two.push()
    hook.unlink()
    ann.run("fourth")
    ann.push()
    assert ledgers(second) == ledgers(remote)
    assert len(two.fetch().rows) == 1
    assert two.names() == ["by another clone", "first", "fourth", "second", "third"]


def test_a_remote_is_fetched_from_the_first_of_its_urls(people, remote, git, tmp_path):
    ann, bob = people("ann"), people("bob")
    git("init", "-q", "--bare", str(tmp_path / "second.git"))
    bob.git("remote", "set-url", "--add", "origin", str(tmp_path / "second.git"))
    ann.run("first")
    ann.push()
    assert bob.fetch().runs == 1
    from gittrack.api.remotes import runs_remote

    found = runs_remote(bob.project)
    assert (found.url, found.push_urls) == (str(remote), (str(remote), str(tmp_path / "second.git")))
    assert bob.project.repo.remote_url(None) == str(remote)


def test_what_is_pushed_elsewhere_than_it_is_fetched_from_gets_there(people, remote, git, tmp_path):
    ann = people("ann")
    ann.run("first")
    ann.push()
    main = tmp_path / "main.git"
    git("init", "-q", "--bare", str(main))
    ann.git("config", "remote.origin.pushurl", str(main))
    assert ann.push().shared.rows == ()
    assert "refs/runs" in ann.git("ls-remote", str(main))
    ann.run("second")
    ann.push()
    assert ann.git("ls-remote", str(main), "refs/runs/*") != ann.git("ls-remote", str(remote), "refs/runs/*")
    assert ann.git("-C", str(main), "fsck", "--no-dangling") == ""


def test_a_remote_that_hides_what_it_takes_is_found_out(people, remote, gittrack_cli):
    ann = people("ann")
    ann.git("-C", str(remote), "config", "uploadpack.hideRefs", "refs/runs")
    done = gittrack_cli("remote", "check", cwd=ann.folder)
    assert "NO   it takes runs: it takes it but hides it" in done.stdout
    assert "gittrack.refPrefix" in done.stderr
    assert done.returncode == 1
    assert "check" not in ann.git("-C", str(remote), "for-each-ref")


def test_options_meant_for_pushes_of_branches_do_not_hinder(people):
    ann = people("ann")
    ann.git("config", "push.pushOption", "ci.skip")
    ann.run("first")
    assert len(ann.push().shared.rows) == 1


def test_a_mirror_with_an_equals_sign_in_its_name_loses_nothing(people, remote, monkeypatch):
    ann = people("ann")
    ann.git("config", "remote.a=b.url", str(remote))
    ann.git("config", "remote.a=b.mirror", "true")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Ann")
    ann.run("first")
    assert len(ann.push("a=b").shared.rows) == 1
    assert "refs/heads/main" in ann.git("ls-remote", "a=b")


def test_another_place_to_push_to_is_another_repository(people, remote, git, tmp_path):
    ann = people("ann")
    ann.run("first")
    ann.push()
    git("init", "-q", "--bare", str(tmp_path / "new.git"))
    ann.git("remote", "set-url", "--push", "origin", str(tmp_path / "new.git"))
    from gittrack.api.remotes import runs_remote
    from gittrack.store.remotes import speaks_of

    assert not speaks_of(ann.project.layout, runs_remote(ann.project))


def test_remotes_are_not_called_as_bundles_are(people, remote):
    ann = people("ann")
    for name in ("bundle-origin", "from-0123456789ab"):
        ann.git("remote", "add", name, str(remote))
    ann.run("first")
    ann.push("bundle-origin")
    ann.fetch("from-0123456789ab")
    slugs = {ref.split("/")[2] for ref in ann.refs()}
    assert len(slugs) == 2
    assert all(slug.startswith("remote-") for slug in slugs)


def test_when_a_remote_was_asked_is_known_of_each(people, remote, gittrack_cli):
    ann = people("ann")
    ann.git("remote", "add", "other", str(remote))
    ann.fetch("origin")

    def asked(name: str) -> object:
        return json.loads(gittrack_cli("status", name, "--offline", "--json", cwd=ann.folder).stdout)["last_asked"]

    assert isinstance(asked("origin"), int)
    assert asked("other") is None
    assert gittrack_cli("status", "other", "--offline", cwd=ann.folder).stdout.startswith("remote other, never asked")
    assert gittrack_cli("status", "other", cwd=ann.folder).stdout.startswith("remote other, asked just now")
    file = ann.folder / ".git" / "gittrack" / "remotes.json"
    file.write_text('{"origin": 7, "other": {"repository": "x", "asked": "yesterday"}}')
    assert asked("origin") is asked("other") is None


def test_of_a_full_disk_no_file_stays(people):
    from gittrack.api.remotes import runs_remote
    from gittrack.errors import StorageError
    from gittrack.store.remotes import remember

    ann = people("ann")
    ann.fetch()
    folder = ann.folder / ".git" / "gittrack"
    (folder / "remotes.json").unlink()
    (folder / "remotes.json").mkdir()
    with pytest.raises(StorageError):
        remember(ann.project.layout, runs_remote(ann.project))
    assert [path.name for path in folder.glob("remotes.json*")] == ["remotes.json"]


def test_many_refusals_are_a_few_lines(people, remote, capsys):
    from gittrack.api.fetch import Fetched
    from gittrack.cli.commands.fetch import code_of, say_fetched
    from gittrack.core.problem import Problem

    found = Fetched("origin", refused=tuple(Problem(f"run {number}", "bad") for number in range(20_000)))
    project = people("ann").project
    say_fetched(project, found)
    lines = capsys.readouterr().err.splitlines()
    assert lines[20:] == [
        "gittrack: warning: and 19980 more: gittrack fsck",
        "gittrack: refused 20000 things of origin; nothing else is new there",
    ]
    assert code_of(found) == 6
    found = Fetched("origin", refused=(Problem("run 1", "bad"),), moved=1)
    say_fetched(project, found)
    assert capsys.readouterr().err.endswith("gittrack: refused 1 thing of origin; taken: 1 checkpoint\n")
    assert code_of(found) == 0, "something good came"
    assert code_of(Fetched("origin")) == 0


def test_waiting_for_a_lock_is_told_once(tmp_path):
    import threading

    from gittrack.store.locks import exclusive

    told: list[str] = []
    with exclusive(tmp_path / "lock"):
        timer = threading.Event()

        def wait() -> None:
            with exclusive(tmp_path / "lock", waiting=lambda: (told.append("waiting"), timer.set())[0]):
                told.append("mine")

        thread = threading.Thread(target=wait)
        thread.start()
        assert timer.wait(10)
        assert told == ["waiting"]
    thread.join(10)
    assert told == ["waiting", "mine"]


def test_a_hook_sees_what_it_sees_in_a_push_of_gits_own(people, tmp_path):
    """In the main and in a linked work tree: where it runs, what git sets there, which repository it means."""
    ann = people("ann")
    ann.git("config", "remote.origin.tagOpt", "--no-tags")
    ann.git("worktree", "add", "-q", str(tmp_path / "linked"))
    said = tmp_path / "said"
    text = f'{{ pwd; env | grep "^GIT_\\|^LC_" | sort; echo "$1 $2"; git rev-parse --git-dir; }} > {said}'
    script(ann.folder / ".git" / "hooks" / "pre-push", text)
    for number, folder in enumerate((ann.folder, tmp_path / "linked")):
        ann.folder = folder
        ann.git("push", "-q", "origin", f"HEAD:refs/heads/branch-{number}")
        of_git = said.read_text()
        ann.run(f"run-{number}")
        ann.push()
        assert said.read_text() == of_git
        assert "GIT_CONFIG_PARAMETERS" not in of_git


def test_programs_in_urls_stay_forbidden_where_the_user_allows_them(people, tmp_path, monkeypatch):
    monkeypatch.delenv("GIT_ALLOW_PROTOCOL")
    ann = people("ann")
    ann.git("config", "protocol.allow", "always")
    ann.run("first")
    ann.git("remote", "set-url", "origin", f"ext::sh -c touch% {tmp_path}/ran")
    for action in (ann.push, ann.fetch):
        with pytest.raises(RemoteError):
            action()
    with ann.here():
        from gittrack.core.ids import RefName
        from gittrack.git.network import push_ref

        head = ann.project.repo.refs.get(RefName("refs/heads/main"))
        with pytest.raises(RemoteError):
            push_ref(ann.project.repo, "origin", head, "refs/runs/2026-11/ann")
    assert not (tmp_path / "ran").exists()
