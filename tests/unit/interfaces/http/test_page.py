"""The page at the root."""

from __future__ import annotations

import base64
import hashlib
import re

from wildbach.interfaces.http.page import page


def test_only_its_own_script_and_style_run_and_nothing_is_fetched_from_elsewhere() -> None:
    answer = page()
    policy = answer.headers["Content-Security-Policy"]
    text = answer.body.decode()
    for tag in ("script", "style"):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"https?://|//[a-z]", text)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\bon[a-z]+=", text)
