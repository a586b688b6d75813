"""What RadCBIR runs on, as installed: a software bill of materials for those who have to approve it.

Owns the walk from the list of requirements to everything that they bring along, and the form of the bill: CycloneDX 1.6
(https://cyclonedx.org/docs/1.6/json/). It tells what is installed here and now, so it cannot go out of date as a
file in a repository does. Imports nothing but the standard library.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from radcbir_core.installation import ROOT

_REQUIREMENT: Final = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?$")
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_CLASSIFIER: Final = "License :: OSI Approved :: "
_OPTIONAL: Final = frozenset(
    {"authlib", "nibabel", "rapidocr-onnxruntime", "onnxruntime"}  # requirements-login.txt, -nifti.txt and -ocr.txt
)
_LONGEST_NAME: Final = 60  # some packages put the whole text of their licence where its name belongs


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package that is installed because RadCBIR requires it, directly or not.

    Attributes:
        name: As the Python Package Index writes it: lower case, with hyphens.
        version: What is installed, with the local part, as in ``2.13.0+cpu``.
        licence: An SPDX expression where the package declares one, else the name it gives; empty where it gives none.
        requires: The names of the packages that it requires and that are installed, ascending.
    """

    name: str
    version: str
    licence: str
    requires: tuple[str, ...]


def installed_packages() -> list[InstalledPackage]:
    """Everything that ``requirements.txt`` and the optional parts bring along and that is installed here, by name.

    What is required on other systems only, and what is missing, is not in it; the doctor says what is missing.
    """
    wanted = sorted(_direct())
    extras_of: dict[str, frozenset[str]] = {}
    packages: dict[str, InstalledPackage] = {}
    while wanted:
        name, extras = wanted.pop()
        known = extras_of.get(name)
        if known is not None and extras <= known:
            continue
        extras_of[name] = extras | (known or frozenset())
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        required = _required(distribution.requires or [], extras=extras_of[name])
        wanted += sorted(required)
        names = tuple(sorted({requirement for requirement, _ in required}))
        packages[name] = InstalledPackage(name, distribution.version, _licence(distribution.metadata), names)
    return [
        replace(package, requires=tuple(required for required in package.requires if required in packages))
        for _, package in sorted(packages.items())
    ]


def software_bill() -> dict[str, Any]:
    """The bill in CycloneDX 1.6, ready to be written as JSON; the same installation gives the same bill."""
    packages = installed_packages()
    addresses = {package.name: _address(package) for package in packages}
    direct = sorted({name for name, _ in _direct()} & addresses.keys())
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "radcbir",
                "name": "radcbir",
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": addresses[package.name],
                "name": package.name,
                "version": package.version,
                "purl": addresses[package.name],
                **({"licenses": [{"license": {"name": package.licence}}]} if package.licence else {}),
            }
            for package in packages
        ],
        "dependencies": [
            {"ref": "radcbir", "dependsOn": [addresses[name] for name in direct]},
            *(
                {"ref": addresses[package.name], "dependsOn": [addresses[name] for name in package.requires]}
                for package in packages
            ),
        ],
    }


def _direct() -> set[tuple[str, frozenset[str]]]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return _required([*(line.partition("#")[0] for line in lines), *_OPTIONAL], extras=frozenset())


def _required(lines: Iterable[str], *, extras: frozenset[str]) -> set[tuple[str, frozenset[str]]]:
    """Names of required packages, each with the extras that are asked of it.

    Whether a requirement holds on this system needs no answer: what is required elsewhere only is not installed.

    Example:
        >>> sorted(_required(["Some_Name[http]>=2; python_version > '3'", "x; extra == 'all'"], extras=frozenset()))
        [('some-name', frozenset({'http'}))]
    """
    required = set()
    for line in lines:
        requirement = _REQUIREMENT.match(line)
        if requirement is None:
            continue
        name, own_extras, marker = requirement.groups()
        asked = _EXTRA.findall(marker or "")
        if not asked or extras & set(asked):
            wanted = frozenset(extra.strip() for extra in (own_extras or "").split(",") if extra.strip())
            required.add((re.sub(r"[-_.]+", "-", name).lower(), wanted))
    return required


def _licence(metadata: importlib.metadata.PackageMetadata) -> str:
    """What a package declares: its SPDX expression, else the name in its metadata, else its classifiers."""
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    name = metadata["License"].strip() if "License" in metadata else ""
    classifiers = [c.removeprefix(_CLASSIFIER) for c in metadata.get_all("Classifier") or [] if _CLASSIFIER in c]
    return name if name and len(name) <= _LONGEST_NAME and "\n" not in name else "; ".join(classifiers)


def _address(package: InstalledPackage) -> str:
    return f"pkg:pypi/{package.name}@{quote(package.version, safe='.')}"
