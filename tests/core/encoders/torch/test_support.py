"""The repair of torchvision, quietness and imports that fail."""

from __future__ import annotations

import builtins
import importlib.util
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from radcbir_core.encoders.torch import support
from radcbir_core.encoders.torch.support import import_open_clip, prepare_torchvision, quiet
from radcbir_core.errors import EncoderError


class TestTorchvision:
    @pytest.fixture
    def declared(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[str]:
        """A torchvision not imported yet, with one compiled library; what is declared is collected, not done."""
        declared: list[str] = []

        class Library:
            def __init__(self, name: str, kind: str) -> None:
                assert (name, kind) == ("torchvision", "DEF")

            def define(self, schema: str) -> None:
                declared.append(schema)

        (tmp_path / "_C.so").touch()
        (tmp_path / "_C.pyi").touch()
        found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
        monkeypatch.setattr(support, "_operator_library", [])
        monkeypatch.delitem(sys.modules, "torchvision", raising=False)
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
        monkeypatch.setattr(torch.library, "Library", Library)
        return declared

    def test_operators_that_load_are_left_alone(self, declared: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = []
        monkeypatch.setattr(torch.ops, "load_library", loaded.append)
        prepare_torchvision()
        assert [path.name for path in loaded] == ["_C.so"]
        assert declared == []

    def test_operators_that_do_not_load_are_declared_once(
        self, declared: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(path: Any) -> None:
            raise OSError("libcudart.so: cannot open shared object file")

        monkeypatch.setattr(torch.ops, "load_library", fail)
        prepare_torchvision()
        prepare_torchvision()
        assert [schema.partition("(")[0] for schema in declared] == ["nms", "qnms"]
        assert len(support._operator_library) == 1  # kept alive

    def test_no_torchvision_or_one_in_use(self, declared: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        prepare_torchvision()
        monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace())
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: pytest.fail("asked for nothing"))
        prepare_torchvision()
        assert declared == []

    def test_the_real_one_imports(self) -> None:
        import_open_clip()
        import torchvision.ops

        assert callable(torchvision.ops.nms)


def test_an_import_that_fails_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "open_clip":
            raise ImportError("No module named 'ftfy'\nmore")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(EncoderError) as caught:
        import_open_clip()
    assert str(caught.value) == (
        "Expected open_clip to be importable, but import open_clip = No module named 'ftfy'. "
        "Install again with pip install -r requirements.txt."
    )


def test_quiet_holds_back_and_gives_back(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("huggingface_hub.somewhere")
    level = logging.getLogger("huggingface_hub").level
    with pytest.raises(ValueError, match=r"passes"), quiet():
        raise ValueError("passes")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with quiet():
            logger.warning("unheard")
            warnings.warn("unheard", stacklevel=1)
        warnings.warn("heard", stacklevel=1)
    assert [str(warning.message) for warning in heard] == ["heard"]
    assert caplog.messages == []
    assert logging.getLogger("huggingface_hub").level == level


def test_quiet_ends_with_the_last_who_asked() -> None:
    before, filters = logging.getLogger("timm").level, list(warnings.filters)
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logging.getLogger("timm").level == logging.CRITICAL
    second.__exit__(None, None, None)
    assert logging.getLogger("timm").level == before
    assert warnings.filters == filters


def test_float32_on_cuda_is_not_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    convolutions = torch.backends.cudnn
    before = (convolutions.allow_tf32, convolutions.deterministic, convolutions.benchmark)
    with support._exact_float32("cuda:0"):
        assert (convolutions.allow_tf32, convolutions.deterministic, convolutions.benchmark) == (False, True, False)
    with support._exact_float32("cpu"):
        assert (convolutions.allow_tf32, convolutions.deterministic, convolutions.benchmark) == before
    assert (convolutions.allow_tf32, convolutions.deterministic, convolutions.benchmark) == before


@pytest.mark.parametrize(("chosen", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(chosen: str | None, policy: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    code = "import os, sys, radcbir_core.encoders; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | ({"OMP_WAIT_POLICY": chosen} if chosen else {}),
        cwd=Path(__file__).resolve().parents[4],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [policy, "False"], "set before torch is loaded, or it has no effect"
