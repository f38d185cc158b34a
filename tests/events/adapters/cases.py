"""Payloads written after each vendor's documentation, and what is to become of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.events.adapters import ADAPTERS

FOLDER = Path(__file__).parent / "payloads"
CASES = [(vendor, case) for vendor in ADAPTERS for case in json.loads((FOLDER / f"{vendor}.json").read_text("utf-8"))]
EACH_CASE = [pytest.param(vendor, case, id=f"{vendor}: {case['case']}") for vendor, case in CASES]


def payload_of(vendor: str, name: str) -> Any:
    """A payload by its name, to be changed at will."""
    return next(json.loads(json.dumps(case["payload"])) for of, case in CASES if (of, case["case"]) == (vendor, name))


def ids_of(vendor: str, payload: Any) -> list[str]:
    return [event["event_id"] for event in ADAPTERS[vendor](payload).events]
