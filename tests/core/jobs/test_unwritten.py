"""What the process of a job is told and nobody writes down."""

from __future__ import annotations

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.errors import CollectionError
from radcbir_core.importers import ImportRequest
from radcbir_core.jobs import start, unwritten
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from tests import quick_jobs
from tests.dicom_servers import stand_in, without_settings
from tests.quick_jobs import ended


@pytest.fixture(autouse=True)
def jobs(tmp_path, monkeypatch):
    """Jobs in processes, on a data folder of their own."""
    without_settings(monkeypatch)
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield quick_jobs.prepare(monkeypatch, tmp_path / "quick")
    quick_jobs.end()


def asking(url: str, *studies: str, **matching) -> ImportAndBuild:
    wanted = Wanted(studies, matching=matching)
    return ImportAndBuild("pacs", ImportRequest([], "pacs", server=url, wanted=wanted), "dicomweb")


def begun(request: ImportAndBuild):
    return start(request, unwritten=request.unwritten())


def test_studies_are_told_to_the_process_and_written_nowhere(tmp_path, jobs) -> None:
    with stand_in() as (url, _):
        jobs.rest_at("import")
        job = begun(asking(url, "1.2.9"))
        for other in (asking(url, "1.2.8"), asking(url, "1.2.9")):
            with pytest.raises(CollectionError, match="one job at a time"):
                begun(other)
        jobs.go_on()
        status = ended(job).status()
    assert (status.state, status.counts["images"]) == ("done", 4)
    assert sorted(open_collection("pacs").manifest.column("dicom_modality")) == ["CT"] * 3 + ["DX"]
    for path in (tmp_path / "data").rglob("*"):
        assert b"1.2.9" not in (path.read_bytes() if path.is_file() else path.name.encode())
    assert asking(url, "1.2.9", Modality=["CT"]).to_json()["imports"]["matching"] == {"Modality": ["CT"]}


def test_stopped_it_goes_on_for_who_began_it_and_says_so_to_others(jobs, monkeypatch) -> None:
    with stand_in() as (url, does):
        jobs.fail_at("import")
        job = ended(begun(asking(url, "1.2.9")))
        assert job.status().state == "failed"
        jobs.go_on()
        kept = dict(unwritten.told(job.id))
        assert kept == {"RADCBIR_JOB_STUDIES": "1.2.9"}
        monkeypatch.setattr(unwritten, "_TOLD", {})
        asked = len(does.asked)
        job.resume()
        assert "Expected to be told what is never written down" in ended(job).status().error
        assert len(does.asked) == asked, "and not everything that the server has"
        unwritten.keep(job.id, kept)
        job.resume()
        assert (ended(job).status().state, ended(job).status().counts["images"]) == ("done", 4)
