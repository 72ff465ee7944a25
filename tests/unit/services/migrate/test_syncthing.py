from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError
from wildbach.services.migrate import syncthing
from wildbach.services.migrate.placing import PathMap

CONFIG = """<configuration version="36">
  <folder id="abcd-1" label="Photos" path="{home}/photos" type="sendreceive"><paused>true</paused>
    <device id="AAAAAAA-1"></device><device id="BBBBBBB-2"/></folder>
  <folder id="x" label="" path="~/docs" type="sendonly"><paused>false</paused></folder>
  <folder id="y" label="Sealed" path="/s" type="receiveencrypted"/>
  <folder id="z" label="Relative" path="s" type="receiveonly"/>
  <device id="AAAAAAA-1" name="laptop"/><device id="BBBBBBB-2" name=""/>
  <defaults><folder id="" label="" path="~" type="sendreceive"/><device id="CCC" name="none"/></defaults>
</configuration>"""


def read(folder: Path, text: str) -> syncthing.Config:
    (folder / "config.xml").write_text(text)
    return syncthing.read_config(folder, PathMap(), folder)


def test_folders_are_taken_over_with_label_role_and_names_of_devices(tmp_path: Path) -> None:
    found = read(tmp_path, CONFIG.format(home=tmp_path))
    photos, docs = found.folders
    assert (photos.label, photos.path, photos.role, photos.paused) == ("Photos", tmp_path / "photos", "both", True)
    assert photos.devices == ("laptop", "BBBBBBB")
    assert (docs.label, docs.path, docs.role, docs.paused) == ("x", tmp_path / "docs", "send", False)
    assert len(found.notes) == 2
    assert "receiveencrypted" in found.notes[0]
    assert "Relative" in found.notes[1]


def test_the_device_whose_state_it_is_is_none_of_the_others(tmp_path: Path) -> None:
    certificate = b"a certificate in DER"
    (tmp_path / "cert.pem").write_bytes(
        b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(certificate) + b"\n-----END CERTIFICATE-----\n")
    plain = base64.b32encode(hashlib.sha256(certificate).digest()).decode().rstrip("=")
    checked = "".join(plain[at : at + 13] + "X" for at in range(0, 52, 13))
    id = "-".join(checked[at : at + 7] for at in range(0, 56, 7))
    found = read(tmp_path, CONFIG.format(home=tmp_path).replace("AAAAAAA-1", id))
    assert found.folders[0].devices == ("BBBBBBB",)
    # A certificate that is none tells nothing.
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----")
    assert syncthing.read_config(tmp_path, PathMap(), tmp_path).folders[0].devices == ("laptop", "BBBBBBB")


def test_paths_of_another_machine_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(CONFIG.format(home="C:\\Users\\me").replace("/photos", "\\photos"))
    found = syncthing.read_config(tmp_path, PathMap([("C:\\Users\\me", "/srv/me")]), tmp_path)
    assert found.folders[0].path == Path("/srv/me/photos")


@pytest.mark.parametrize("text", [
    "", "<configuration/>", "<a><b></a>", '<!DOCTYPE x [<!ENTITY a "b">]><configuration/>',
    "<configuration>" + "<a>" * 100 + "</a>" * 100 + "</configuration>",
    "<configuration>" + '<folder id="a"/>' * (limits.SYNC_FOLDERS + 1) + "</configuration>",
])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError):
        read(tmp_path, text)


def test_a_missing_state_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        syncthing.read_config(tmp_path, PathMap(), tmp_path)
    assert syncthing.find(tmp_path) is None


def test_the_state_of_a_user_is_found(tmp_path: Path) -> None:
    where = tmp_path / ".config/syncthing"
    where.mkdir(parents=True)
    (where / "config.xml").write_text("")
    assert syncthing.find(tmp_path) == where


@pytest.mark.parametrize(("line", "wanted"), [
    ("foo", ("foo",)), ("/foo", ("/foo",)), ("foo/bar", ("**/foo/bar",)), ("/foo/bar", ("/foo/bar",)),
    ("*.tmp", ("*.tmp",)), ("(?d)(?i)ab", ("[aA][bB]",)), ("!keep", ("!keep",)), ("(?i)!k1", ("![kK]1",)),
    ("#odd", ("\\#odd",)), ("a{b,c}d", ("abd", "acd")), ("(?i)[ab]\\c", ("[ab]\\c",)), ("/", ()), ("!", ()),
])
def test_a_pattern_is_said_in_the_other_syntax(line: str, wanted: tuple[str, ...]) -> None:
    notes: list[str] = []
    assert syncthing.translate(line, notes) == wanted
    assert notes == []


@pytest.mark.parametrize("line", ["!a/b", "foo**bar", "{a,b}" * 12])
def test_what_cannot_be_said_is_told(line: str) -> None:
    notes: list[str] = []
    syncthing.translate(line, notes)
    assert notes


def test_the_first_pattern_that_fits_counts_there_and_the_last_one_here(tmp_path: Path) -> None:
    lines = ("// words", "!keep.log", "*.log", "", "#include more", "#include ../away", "#include none")
    (tmp_path / ".stignore").write_text("\n".join(lines))
    (tmp_path / "more").write_text("#include .stignore\n/build\n")
    found, notes = syncthing.read_ignores(tmp_path)
    assert found == ("/build", "*.log", "!keep.log")
    assert len(notes) == 2
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("\n".join(found))
    left_out = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "keep.log", "x.log", "build", "a/build", "a/x.log"],
        capture_output=True, text=True, check=False).stdout.split()
    assert left_out == ["x.log", "build", "a/x.log"]


@given(st.text(max_size=60))
def test_any_line_is_said_or_left_out(line: str) -> None:
    for made in syncthing.translate(line, []):
        assert made
