from __future__ import annotations

import pytest

from tests.dicom_servers import without_settings


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch) -> None:
    without_settings(monkeypatch)
