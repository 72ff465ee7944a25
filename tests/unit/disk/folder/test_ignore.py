"""Patterns of what is not kept the same; git is the judge."""

from __future__ import annotations

import os
import re
import subprocess
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import encounters

from wildbach.base import limits
from wildbach.base.errors import LimitError, StorageError
from wildbach.disk.folder import ignore
from wildbach.disk.folder.ignore import Ignores
from wildbach.testing.fakefs import FakeFs

FILES = ["b", "abc", "a.o", "foo.txt", "b c", "*", "!a", "#a", "a\\b", "Z", "]", "-"]
FOLDERS = ["a", "ab", "foo", "x-y", "[a]", "c.txt"]


def paths(depth: int = 3, above: str = "") -> list[str]:
    """Every file and directory of a small tree; directories end with `/`."""
    out = [above + name for name in FILES]
    for name in FOLDERS if depth > 1 else ():
        out += [f"{above}{name}/", *paths(depth - 1, f"{above}{name}/")]
    return out


PATHS = paths()
PIECES = st.sampled_from([
    "a", "b", "ab", "foo", ".o", ".txt", "*", "**", "?", "/", "/**/", "**/", "/**", "[ab]", "[!a]", "[^b]", "[a-c]",
    "[]a]", "[[:alpha:]]", "[[:upper:]x]", "[a", "\\*", "\\a", "\\", " ", "\\ ", "!", "#", "-",
    "[z-a]", "[\\]a]", "[a-]",
])
UNLIKE = re.compile(r"\[[^\]]*/|[^/!]\*\*.*/|/.*[^/]\*\*")
"""Where git is not what its manual says: a slash between brackets (here it ends the name, and the bracket is open), and
`**` behind other characters in a pattern with a slash (here as in the manual: one star).
"""
LINES = st.lists(PIECES, min_size=1, max_size=5).map("".join).filter(lambda line: not UNLIKE.search(line))


class Git:
    """`git check-ignore` in a repository with a tree of empty files."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        subprocess.run(["git", "init", "-q", str(folder)], check=True, env=self.env)
        for path in PATHS:
            if path.endswith("/"):
                (folder / path).mkdir(parents=True)
            else:
                (folder / path).touch()

    def ignored(self, patterns: str) -> set[str]:
        """Those of PATHS that are ignored."""
        asked = {path.rstrip("/"): path for path in PATHS}
        (self.folder / ".gitignore").write_bytes(patterns.encode())
        done = subprocess.run(
            ["git", "-C", str(self.folder), "check-ignore", "--no-index", "--stdin", "-z"], env=self.env,
            input="\0".join(asked).encode() + b"\0", capture_output=True, timeout=20,
        )
        assert done.returncode in (0, 1), done.stderr
        encounters.note("git")
        return {asked[path] for path in done.stdout.decode().split("\0") if path}


@pytest.fixture(scope="module")
def git(tmp_path_factory) -> Git:
    return Git(tmp_path_factory.mktemp("repository"))


def ours(patterns: str) -> set[str]:
    ignores = Ignores.parse(patterns)
    return {path for path in PATHS if ignores.ignored(path.rstrip("/"), folder=path.endswith("/"))}


CASES = [
    "foo", "/foo", "foo/", "a/b", "a/*", "a/**", "**/a", "**/a/b", "a/**/b", "*.o", "*", "!*.o", "*\n!a/\n", "/*\n!/a",
    "a\n!a/b", "\\#a", "\\!a", "#a", "a ", "a\\ ", "b c", "[a]", "\\[a\\]", "[[:alpha:]]", "a?c", "**", "**/", "/**",
    "a**", "**b", "a\\\\b", "/", "//", "!", "!/", "a//b", "[", "[]", "[!]", "a[/]b", "*a*b*", "foo*txt", "\r",
    "a\r\nb\r\n", "x[-]y", "[!a-z]", "a/**/**/b", "**/**", "*/a", "*/*", "foo.txt/", " a", "\ta", "a\t", "[\\", "[a-",
    "?", "??/?",
]


@pytest.mark.foreign("git")
def test_git_says_the_same_of_known_cases(git):
    for patterns in CASES:
        assert ours(patterns) == git.ignored(patterns), repr(patterns)


@pytest.mark.foreign("git")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["", "!"]), LINES).map("".join), min_size=1, max_size=6))
def test_git_says_the_same_of_any_patterns(git, lines):
    patterns = "\n".join(lines)
    assert ours(patterns) == git.ignored(patterns)


def test_the_last_pattern_that_matches_decides_and_the_own_come_last():
    ignores = Ignores.parse("*.log\n", "!keep.log\n")
    assert ignores.ignored("a/x.log", folder=False)
    assert not ignores.ignored("a/keep.log", folder=False)
    rule = ignores.rule("keep.log", folder=False)
    assert rule is not None and rule.text == "!keep.log" and rule.line == 1


def test_below_an_ignored_directory_nothing_is_taken_back():
    ignores = Ignores.parse("build/\n!build/keep")
    assert ignores.ignored("build/keep", folder=False)
    assert not ignores.ignored("build", folder=False)


def test_a_mark_at_the_beginning_and_bytes_that_are_no_text_do_no_harm():
    assert Ignores.parse(b"\xef\xbb\xbfa").ignored("a", folder=False)
    assert Ignores.parse(b"a\xff*").ignored(os.fsdecode(b"a\xffb"), folder=False)


def test_stars_that_stand_beside_other_characters_are_one_star():
    ignores = Ignores.parse("a**/b")
    assert ignores.ignored("ax/b", folder=False) and not ignores.ignored("ax/y/b", folder=False)


def test_characters_count_and_not_bytes():
    assert Ignores.parse("?").ignored("\u00e9", folder=False)


@pytest.mark.parametrize("mark", [".stfolder", ".stversions", ".stignore"])
def test_what_syncthing_keeps_for_itself_is_left_out_where_it_is_or_was_at_work(mark):
    fs = FakeFs(lambda: 1)
    fs.put(mark, b"")
    found = ignore.read(fs)
    for path in (".stfolder", ".stversions", "a/.syncthing.b.txt.tmp", "~syncthing~b.tmp"):
        assert found.ignored(path, folder=False)
    assert found.ignored(".stversions/a", folder=False)
    assert not found.ignored("a/.stignore", folder=False) and not found.ignored("a.tmp", folder=False)
    # Who wants it can have it.
    fs.put(".wbignore", b"!/.stignore\n")
    assert not ignore.read(fs).ignored(".stignore", folder=False)


def test_the_patterns_of_a_folder_are_read_from_it_or_nothing_is_scanned():
    fs = FakeFs(lambda: 1)
    assert not ignore.read(fs).rules
    fs.put(".wbignore.shared", b"*.log\n")
    fs.put(".wbignore", b"!keep.log\n")
    found = ignore.read(fs)
    assert found.ignored("a.log", folder=False) and not found.ignored("keep.log", folder=False)
    with fs.quietly():
        fs.unlink(".wbignore")
        fs.symlink("/etc/passwd", ".wbignore")
    with pytest.raises(StorageError):
        ignore.read(fs)
    with fs.quietly():
        fs.unlink(".wbignore")
    fs.put(".wbignore", b"#" * (limits.SYNC_IGNORE_BYTES + 1))
    with pytest.raises(LimitError):
        ignore.read(fs)


def test_too_much_is_refused():
    with pytest.raises(LimitError):
        Ignores.parse("a\n" * (limits.SYNC_IGNORE_RULES + 1))
    with pytest.raises(LimitError):
        Ignores.parse("#" * (limits.SYNC_IGNORE_BYTES + 1))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 100 + "b", "a" * 255), ("a" + "*?" * 100 + "b", "a" * 255), ("**/a/" * 50 + "b", "a/" * 100 + "c"),
        ("/" + "**/*a*a*a*/" * 20 + "b", ("a" * 40 + "/") * 90 + "c"), ("[a-z]*" * 50 + "/b", "abc" * 80 + "/c"),
    ],
)
def test_no_pattern_takes_long(pattern, path):
    ignores = Ignores.parse(pattern)
    began = time.process_time()
    assert not ignores.ignored(path, folder=False)
    assert time.process_time() - began < 0.5
