"""What DVC tracks, out of the files that DVC writes, and out of files that only look like them."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gittrack.core.dvc_pointers import TrackedOut, parse_folders, parse_lock, parse_pointer
from gittrack.errors import CorruptRecordError

MD5 = "0123456789abcdef0123456789abcdef"


def test_what_dvc_add_writes_of_a_file_is_read():
    text = f"outs:\n- md5: {MD5}\n  size: 2\n  hash: md5\n  path: data.csv\n"
    assert parse_pointer(text) == (TrackedOut("data.csv", f"md5:{MD5}", 2),)


def test_what_dvc_add_writes_of_a_folder_is_read():
    text = f"outs:\n- md5: {MD5}.dir\n  size: 4\n  nfiles: 2\n  hash: md5\n  path: raw\n"
    assert parse_pointer(text) == (TrackedOut("raw", f"md5:{MD5}.dir", 4),)


def test_a_file_edited_by_hand_is_read_too():
    text = f"""\
# where it comes from
md5: {MD5[::-1]}
frozen: true
wdir: ../other   # not here
meta:
  outs: no list
  path: none of ours
deps:
- path: https://example.com/x.csv
  md5: {MD5[::-1]}
desc: |
  outs:
  - path: nor this
outs:
  - path: 'it''s'   # quoted
    md5: "{MD5}"
    hash: md5
    cloud:
      remote:
        path: nested
        md5: nested
    remote: storage
  - path: without a hash.csv
  -   md5: {MD5}.dir
      path: "a \\u00e9\\x21"
      hash: md5
"""
    assert parse_pointer(text) == (
        TrackedOut("../other/it's", f"md5:{MD5}"),
        TrackedOut("../other/a é!", f"md5:{MD5}.dir"),
    )


def test_a_pointer_of_dvc_2_is_told_from_others():
    (out,) = parse_pointer(f"outs:\n- md5: {MD5}\n  size: 5\n  path: old.txt\n")
    assert out.legacy


LOCK = f"""\
schema: '2.0'
stages:
  prepare:
    cmd: cat data/raw/a data/raw/b > prepared.txt && echo a long command that{" "}
      outs: goes on and on until it is wrapped
    deps:
    - path: data/raw
      hash: md5
      md5: {MD5}.dir
    params:
      params.yaml:
        outs:
        - path: no
          md5: {MD5}
    outs:
    - path: a very long file name with many words in it that makes the line longer{" "}
        than eighty columns.csv
      hash: md5
      md5: {MD5}
      size: 4
  each@1:
    cmd:
    - echo one
    - 'two: three'
    outs:
    - path: out1.txt
      hash: md5
      md5: {MD5}
  multi:
    cmd: x
    outs:
    - path: d
      hash: md5
      md5: {MD5}.dir
      size: 4
      nfiles: 1
"""


def test_a_lock_gives_the_outs_of_its_stages_where_the_pipeline_puts_them():
    pipeline = """\
stages:
  prepare:
    cmd: x
  each:
    foreach: [1]
    do:
      wdir: src
      cmd: x
  multi:
    wdir: "sub/dir"
  other:
    wdir: ${where}
"""
    folders = parse_folders(pipeline)
    assert folders == {"each": "src", "multi": "sub/dir"}
    name = "a very long file name with many words in it that makes the line longer than eighty columns.csv"
    assert [(out.path, out.digest) for out in parse_lock(LOCK, folders)] == [
        (name, f"md5:{MD5}"),
        ("src/out1.txt", f"md5:{MD5}"),
        ("sub/dir/d", f"md5:{MD5}.dir"),
    ]


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t #:'\"\\-&*!|>[]{}%@`,?é\u2028"),
    min_size=1,
    max_size=120,
)


@given(st.lists(st.tuples(names, st.booleans()), min_size=1, max_size=4), st.sampled_from([None, "'", '"']))
@example([("?0", False)], None)
def test_whatever_a_file_is_called_its_name_is_read_as_a_real_yaml_library_wrote_it(files, style):
    digest = {True: MD5 + ".dir", False: MD5}
    outs = [{"md5": digest[folder], "hash": "md5", "path": name} for name, folder in files]
    text = yaml.safe_dump({"outs": outs}, default_style=style, allow_unicode=True, sort_keys=False, width=60)
    assert yaml.safe_load(text)["outs"] == outs
    assert [(out.path, out.digest) for out in parse_pointer(text)] == [
        (name, f"md5:{digest[folder]}") for name, folder in files
    ]


HOSTILE = {
    "an alias": f"outs:\n- md5: {MD5}\n  path: *x\n",
    "an anchor": f"outs:\n- md5: &x {MD5}\n  path: a\n",
    "a tag": f"outs:\n- md5: {MD5}\n  path: !!python/object/apply:os.system [id]\n",
    "flow style": f"outs:\n- md5: {MD5}\n  path: [a]\n",
    "no hash": "outs:\n- md5: ../../etc/passwd\n  path: a\n",
    "an empty path": f'outs:\n- md5: {MD5}\n  path: ""\n',
    "NUL": f'outs:\n- md5: {MD5}\n  path: "a\\0b"\n',
    "a lone surrogate": f'outs:\n- md5: {MD5}\n  path: "\\ud800"\n',
    "an open quote": f"outs:\n- md5: {MD5}\n  path: 'a\n",
    "an unknown escape": f'outs:\n- md5: {MD5}\n  path: "\\q"\n',
    "a long line": f"outs:\n- md5: {MD5}\n  path: {'x' * 100_000}\n",
    "a long value": f"outs:\n- md5: {MD5}\n  path: x\n" + "    more words\n" * 10_000,
    "many outs": "outs:\n" + f"- md5: {MD5}\n  path: x\n" * 10_001,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_dvc_does_not_write_is_refused(text):
    with pytest.raises(CorruptRecordError):
        parse_pointer(text)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)
ODD = {
    "a bomb": BOMB,
    "deep": "".join(" " * depth + "a:\n" for depth in range(1000)),
    "dashes": "outs:\n" + "- " * 30_000 + "a: b\n",
    "quotes": "outs:\n" + '- "' + '\\"' * 30_000 + "\n",
    "backslashes": 'outs:\n- path: "' + "\\" * 60_000 + "\n",
    "blanks": (" " * 60_000 + "\n") * 15,
    "binary": "\x00\x01\x02:\x03 \x04\n" * 10_000,
    "a scalar": "hello",
    "nothing": "",
    "keys": "x: y\n" * 100_000,
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
@pytest.mark.parametrize("read", [parse_pointer, lambda text: parse_lock("stages:\n  s:\n    outs:\n" + text, {})])
def test_odd_files_take_no_time(read, text):
    began = time.process_time()
    try:
        assert read(text[: 1 << 20]) == ()
    except CorruptRecordError:
        pass
    assert time.process_time() - began < 1


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text):
    for read in (parse_pointer, parse_folders, lambda text: parse_lock(text, {})):
        try:
            read(text)
            read("outs:\n- " + text)
        except CorruptRecordError:
            continue
