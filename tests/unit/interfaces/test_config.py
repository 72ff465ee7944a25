"""What is wrong with a configuration file is said once, and with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from wildbach.base.errors import UsageError
from wildbach.interfaces import config
from wildbach.interfaces.settings import ClientSettings


@pytest.mark.parametrize("content", ["rates = [", "[rates]\ndown = 'x'\n", "[nothing]\nx = 1\n", "\ud800"])
def test_a_file_that_cannot_be_used_is_named_once(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError) as caught:
        config.read(ClientSettings, path)
    assert str(caught.value).count(str(path)) == 1 and str(caught.value).startswith(str(path))
