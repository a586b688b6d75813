"""The bill of materials: complete, as installed, and under licences that go with Apache-2.0."""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from radcbir_core.cli import main
from radcbir_core.software_bill import _licence, installed_packages, software_bill

REPOSITORY = Path(__file__).resolve().parents[2]

COMPATIBLE = {
    "0BSD",
    "3-Clause BSD License",
    "Apache 2.0",
    "Apache 2.0 License",
    "Apache License 2.0",
    "Apache Software License",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD",
    "BSD License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CNRI-Python",
    "ISC License",
    "MIT",
    "MIT License",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
    "Zlib",
}
"""What may be used, unchanged and as a package of its own, by a program under Apache-2.0."""

CUDA = re.compile(r"nvidia-|cuda-|triton$")
"""What torch's build for NVIDIA's graphics cards brings along; NVIDIA's own terms, and never passed on by RadCBIR."""


def locked() -> dict[str, str]:
    """Names and versions that requirements.lock has for this system."""
    lines = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8").splitlines()
    entries = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line)]
    return {
        canonicalize_name(entry.name): str(entry.specifier).removeprefix("==")
        for entry in entries
        if entry.marker is None or entry.marker.evaluate()
    }


def test_the_lock_has_the_requirements_and_all_that_they_require() -> None:
    """What pip finds newer than the lock may require something else; only what is as in the lock is compared."""
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    lock = locked()
    assert {name: lock.get(canonicalize_name(name)) for name in pins} == pins
    as_locked = [one for one in installed_packages() if lock.get(one.name) == one.version.partition("+")[0]]
    assert len(as_locked) >= len(pins)
    for package in as_locked:
        assert set(package.requires) <= lock.keys(), package.name


def test_everything_in_the_lock_has_a_hash() -> None:
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(locked())
    for entry in entries:
        hashed = re.fullmatch(r"\S+==\S+( ;[^\\]*)? \\\n( {4}--hash=sha256:[0-9a-f]{64}( \\)?\n)+", entry)
        assert hashed, entry.split()[0]


def test_every_package_declares_a_licence_that_goes_with_apache() -> None:
    for package in installed_packages():
        if CUDA.match(package.name):
            continue
        licences = set(re.split(r" (?:AND|OR) |; ", package.licence.replace("(", "").replace(")", "")))
        assert licences <= COMPATIBLE, f"{package.name} {package.version}: {package.licence or 'none'}"


def test_what_is_required_stands_in_the_bill() -> None:
    bill = software_bill()
    (own, *others) = bill["dependencies"]
    references = {component["bom-ref"] for component in bill["components"]}
    assert len(references) == len(bill["components"]) == len(others)
    assert {reference for entry in bill["dependencies"] for reference in entry["dependsOn"]} <= references
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for optional in ("login", "nifti", "ocr"):
        lines += (REPOSITORY / f"requirements-{optional}.txt").read_text(encoding="utf-8").splitlines()
    named = [line.partition("=")[0] for line in lines if line and not line.startswith(("#", "-r"))]
    installed = {canonicalize_name(one.name) for one in importlib.metadata.distributions()}
    direct = {canonicalize_name(name) for name in named} & installed
    assert {reference.removeprefix("pkg:pypi/").partition("@")[0] for reference in own["dependsOn"]} == direct
    torch = next(component for component in bill["components"] if component["name"] == "torch")
    assert torch["version"] == importlib.metadata.version("torch")
    assert torch["purl"] == "pkg:pypi/torch@" + torch["version"].replace("+", "%2B")


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sbom"]) == 0
    assert json.loads(capsys.readouterr().out) == software_bill()


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: other\n", "MIT OR Apache-2.0"),
        ("License: BSD\n", "BSD"),
        ("License: Copyright\n  and so on\nClassifier: License :: OSI Approved :: MIT License\n", "MIT License"),
        ("Classifier: Topic :: Utilities\n", ""),
    ],
)
def test_a_licence_is_what_is_declared(metadata: str, licence: str, tmp_path: Path) -> None:
    (tmp_path / "METADATA").write_text(f"Metadata-Version: 2.4\nName: x\nVersion: 1\n{metadata}")
    assert _licence(importlib.metadata.PathDistribution(tmp_path).metadata) == licence
