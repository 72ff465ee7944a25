import re
from pathlib import Path

import wildbach

WEAK = re.compile(r"CERT_NONE|check_hostname\s*=\s*False|ssl\s*=\s*False|verify\s*=\s*False|_create_unverified")


def test_no_line_of_ours_switches_a_certificate_check_off() -> None:
    sources = sorted(Path(wildbach.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    assert [str(path) for path in sources if WEAK.search(path.read_text())] == []
