"""`wildbach site`."""

from __future__ import annotations

import json

