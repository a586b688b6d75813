"""What pages change or let out, they do inside a gate: where it is asked whether whoever looks may, and put on record.

The gates are the arguments of ``rights.do`` and ``rights.handing_out``. The check reads the source: of everything that
changes files or jobs, or reads files for somebody, each mention must lie in an argument of a gate, in a function that
is mentioned in gates only, or in the place of a parameter that its function passes on to a gate.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator

from tests.conftest import REPOSITORY

GATES = {"rights.do", "rights.handing_out"}

CHANGING = {
    "radcbir_core.collections.changes": {"remove_collection", "rename_collection", "relocate_images"},
    "radcbir_core.jobs": {"start", "run_here"},
    "radcbir_core.importers.uploads.kept_uploads": {"keep_upload", "remove_unused"},
    "radcbir_core.projection.map_making": {"delete_map", "make_map", "project_store", "renew_maps"},
    "radcbir_core.burned_text.text_finding": {"find_text"},
    "radcbir_core.burned_text.thumbnail_blackout": {
        "black_out_thumbnails",
        "find_and_black_out",
        "show_thumbnails_whole",
    },
    "radcbir_core.importers.preview": {"preview"},  # reads what somebody names
    "radcbir_core.importers.datasets.dicom_server": {"count_instances"},  # asks whom somebody names
    "radcbir_core.audit": {"record"},
    "radcbir_core.collections.reviews.reviewing": {
        "write_tag",
        "write_note",
        "write_withdrawals",
        "write_correction_of",
    },
    "radcbir_core.collections.reviews.review_log": {"add_entries", "leave_out_damaged"},
    "radcbir_core.collections.reviews.review_table": {"import_reviews", "read_table"},  # reads what somebody names
    "radcbir_core.collections.reader_studies.study_definition": {"write_study", "remove_study"},
    "radcbir_core.collections.reader_studies.reading_log": {"add_readings"},
    "radcbir_core.reader_study.study_making": {"make_study"},
    "radcbir_core.reader_study.reading_course": {"write_joined", "write_shown", "write_answer", "write_passed"},
}
"""Module → the names that pages must mention in gates only."""
LOOKING = {
    "radcbir_core.collections.changes": {"images_found", "check_title", "checked_root"},
    "radcbir_core.jobs": {
        "Job",
        "Request",
        "Status",
        "Telling",
        "at_work_at",
        "at_work_on",
        "job_at",
        "job_called",
        "list_jobs",
    },
    "radcbir_core.importers.uploads.kept_uploads": {"Upload", "uploads_folder"},
    "radcbir_core.projection.map_making": {"check_neighbors", "laying_out"},
    "radcbir_core.burned_text.text_finding": {"TextReport"},
    "radcbir_core.burned_text.thumbnail_blackout": set(),
    "radcbir_core.importers.preview": {"Preview", "PreviewedSource"},
    "radcbir_core.importers.datasets.dicom_server": {"known_instance", "read", "recognizes"},
    "radcbir_core.audit": {"account", "audit_path"},
    "radcbir_core.collections.reviews.reviewing": {
        "Proposed",
        "corrections_table",
        "identity_of",
        "images_in",
        "is_same_label",
        "known_images",
        "normal_label",
        "presence_of",
        "proposals",
        "read_reviews",
        "said_now",
    },
    "radcbir_core.collections.reviews.review_log": {
        "Entry",
        "checked",
        "new_entry",
        "parse_log",
        "read_log",
    },
    "radcbir_core.collections.reader_studies.study_definition": {
        "Case",
        "FrozenHit",
        "Study",
        "check_study_name",
        "checked_study",
        "list_studies",
        "read_study",
        "study_json",
        "study_path",
    },
    "radcbir_core.collections.reader_studies.reading_log": {
        "Reading",
        "checked_reading",
        "log_path",
        "new_reading",
        "read_readings",
    },
    "radcbir_core.reader_study.study_making": {"StudyRequest", "drawn_study"},
    "radcbir_core.reader_study.reading_course": {
        "Answered",
        "CasePicture",
        "Course",
        "check_reader",
        "check_unchanged",
        "picture_of",
        "read_course",
        "row_of_case",
    },
    "radcbir_core.collections.reviews.review_table": {"Imported", "case_address", "csv_of", "review_table"},
}
"""The other public names of these modules; a new one has to be put into one of the two."""
OF_JOBS = {"stop", "end", "resume", "dismiss"}
OF_FILES = {
    "unlink", "rmdir", "mkdir", "touch", "write_text", "write_bytes", "symlink_to", "hardlink_to", "read_bytes",
    "read_text", "rmtree", "copytree", "copyfile", "copy2", "makedirs", "removedirs", "truncate", "chmod",
}  # fmt: skip
"""Methods and functions that change files, or read them whole."""
SOUNDS_LIKE_CHANGING = re.compile(
    r"(write|remove|rename|relocate|delete|import_as|build_|make_|export_|correct_|keep_|import_re|add_|leave_out|start|run_here|record$|save|put_|"
    r"fetch_|train_|embed_|open_archive|relabel|store_)"
)

WITHOUT_A_GATE = {
    # An evaluation is everybody's to begin; all else that begins here asks first.
    ("pages/parts/jobs/controls.py", "begin"): {"start"},
    # The server's own work, which nobody asks for.
    ("pages/parts/jobs/first_start.py", "_begun"): {"start", "record"},
    ("pages/parts/jobs/first_start.py", "_job_now"): {"resume", "record"},
    # Asks for an owner, and is shown to them only.
    ("pages/parts/jobs/controls.py", "log"): {"read_text"},
    # The record itself.
    ("pages/parts/frame/rights.py", "require"): {"record"},
    # The dashboard's own files, and the digest of a record.
    ("pages/parts/frame/stylesheet.py", "_sheet"): {"read_text"},
    ("pages/parts/images/gallery.py", ""): {"read_text"},
    ("pages/parts/compare/rankings.py", ""): {"read_text"},
    ("pages/parts/map/chart.py", ""): {"read_text"},
    ("pages/parts/retrieval/region_panel.py", ""): {"read_text"},
    ("pages/parts/presentation/story.py", ""): {"read_text"},
    ("pages/parts/images/viewer/image_viewer.py", ""): {"read_text"},
    ("pages/parts/reading/answer_pad.py", ""): {"read_text"},
    ("pages/parts/reading/hit_strip.py", ""): {"read_text"},
    ("pages/parts/frame/route_answers.py", "_code"): {"read_bytes"},
    ("pages/parts/frame/loaders.py", "encoder_key"): {"read_bytes"},
    ("pages/parts/frame/page_modules.py", "_imports"): {"read_bytes"},
    ("pages/parts/frame/guide/page_help.py", "_read"): {"read_text"},
}
"""(File, function) → what it may mention outside of gates."""


def sources() -> dict[str, str]:
    paths = [REPOSITORY / "app.py", *(REPOSITORY / "pages").rglob("*.py")]
    return {path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_what_changes_or_lets_out_something_is_done_inside_a_gate() -> None:
    outside: dict[tuple[str, str], set[str]] = {}
    for name, source in sources().items():
        for function, mentioned in outside_of_gates(source):
            outside.setdefault((name, function), set()).add(mentioned)
    assert outside == WITHOUT_A_GATE


def test_of_modules_that_change_something_every_name_is_known() -> None:
    for module, changing in CHANGING.items():
        loaded = importlib.import_module(module)
        names = set(getattr(loaded, "__all__", ())) or {
            name
            for name, value in vars(loaded).items()
            if not name.startswith("_")
            and (inspect.isfunction(value) or inspect.isclass(value))
            and value.__module__ == module
        }
        assert names == changing | LOOKING[module], module


def test_pages_take_nothing_else_from_the_core_that_sounds_like_changing() -> None:
    taken = {
        f"{node.module}.{item.name}"
        for source in sources().values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("radcbir_core")
        for item in node.names
        if SOUNDS_LIKE_CHANGING.match(item.name)
    }
    known = {f"{module}.{name}" for module, names in CHANGING.items() for name in names}
    assert taken - known == set()


def test_pages_take_the_core_by_name_only() -> None:
    # This one imports what the pages name at their beginning, and calls nothing of it.
    others = sources() | {"pages/parts/frame/page_modules.py": ""}
    for name, source in others.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                assert not [
                    item.name for item in node.names if item.name.split(".")[0] in {"radcbir_core", "importlib"}
                ], name
            if isinstance(node, ast.ImportFrom):
                assert "*" not in [item.name for item in node.names], name
                assert node.module != "importlib", name


class Module:
    """A module's source, and which parts of it lie inside a gate."""

    def __init__(self, source: str) -> None:
        self.tree = ast.parse(source)
        self.above = {below: node for node in ast.walk(self.tree) for below in ast.iter_child_nodes(node)}
        self.functions: dict[str, list[ast.FunctionDef]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef):
                self.functions.setdefault(node.name, []).append(node)
        self.inside: set[ast.AST] = set()  # arguments of gates, and functions that are mentioned in gates only
        self.passed_on: set[tuple[str, str]] = set()  # (function, parameter) that goes into gates only
        before = -1
        while before != (before := len(self.inside) + len(self.passed_on)):
            self._look()

    def _look(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                self.inside.update(self._gated_arguments(node))
        mentions: dict[str, list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                mentions.setdefault(node.id, []).append(node)
        for name, definitions in self.functions.items():
            used = mentions.get(name, [])
            # Only what belongs to the module itself, and is not called by anybody else.
            is_own = name.startswith("_") or isinstance(self.above[definitions[0]], ast.FunctionDef)
            if len(definitions) == 1 and is_own and used and all(self.is_inside(one) for one in used):
                self.inside.add(definitions[0])
            for definition in definitions:
                for parameter in self._parameters(definition):
                    used = [one for one in mentions.get(parameter, []) if definition in self._chain(one)]
                    if is_own and used and all(self.is_inside(one) for one in used):
                        self.passed_on.add((name, parameter))

    def _gated_arguments(self, call: ast.Call) -> Iterator[ast.AST]:
        if ast.unparse(call.func) in GATES:
            yield from (*call.args, *call.keywords)
            return
        function, arguments = call.func, call.args
        if isinstance(function, ast.Name) and function.id == "partial" and arguments:
            function, arguments = arguments[0], arguments[1:]
        if not isinstance(function, ast.Name) or len(self.functions.get(function.id, ())) != 1:
            return
        parameters = self._parameters(self.functions[function.id][0])
        pairs = [*zip(parameters, arguments, strict=False), *((word.arg, word.value) for word in call.keywords)]
        yield from (value for parameter, value in pairs if (function.id, parameter) in self.passed_on)

    @staticmethod
    def _parameters(function: ast.FunctionDef) -> list[str]:
        return [one.arg for one in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]

    def _chain(self, node: ast.AST) -> Iterator[ast.AST]:
        while (node := self.above.get(node)) is not None:  # type: ignore[assignment]
            yield node

    def is_inside(self, node: ast.AST) -> bool:
        return node in self.inside or any(one in self.inside for one in self._chain(node))

    def function_of(self, node: ast.AST) -> str:
        return next((one.name for one in self._chain(node) if isinstance(one, ast.FunctionDef)), "")


def outside_of_gates(source: str) -> Iterator[tuple[str, str]]:
    """Function and what it mentions outside of gates, of all that changes or lets out something."""
    module = Module(source)
    taken, modules = set(), {}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            for item in node.names:
                called = item.asname or item.name
                if item.name in CHANGING.get(str(node.module), ()):
                    taken.add((called, item.name))
                if f"{node.module}.{item.name}" in CHANGING:
                    modules[called] = CHANGING[f"{node.module}.{item.name}"]
    names = dict(taken)
    for node in ast.walk(module.tree):
        mentioned = ""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            mentioned = names.get(node.id, "open" if node.id == "open" else "")
        elif isinstance(node, ast.Attribute):
            of = ast.unparse(node.value)
            of_disk = of in {"os", "shutil"} and node.attr in {"remove", "rename", "replace", "move", "open", "system"}
            of_job = node.attr in OF_JOBS and of not in {"st", "controls"}
            if of_disk or of_job or node.attr in {"open", *OF_FILES, *modules.get(of, ())}:
                mentioned = node.attr
        if mentioned and not module.is_inside(node):
            yield module.function_of(node), mentioned


def test_gates_are_noticed_and_ways_around_them_too() -> None:
    source = """
from radcbir_core import jobs
from radcbir_core.collections.changes import remove_collection as gone, images_found
from radcbir_core.jobs import start

def good(name, path, job):
    rights.do("owner", "remove", name, lambda: gone(name))
    rights.handing_out("owner", "download", name, path.read_bytes)
    _pass(job.stop, name)
    partial(_pass, job.resume)
    rights.do("owner", "x", "y", _inner)
    images_found(name)
    controls.stop(job)

def _pass(do, name=""):
    def all_of_it():
        do()
    rights.do("owner", "x", name, all_of_it)

def _inner():
    start()

def bad(name, path, job):
    gone(name)
    path.read_bytes()
    _leak(job.dismiss)
    also = jobs.start
    rights.require("owner", "x", "y")
    path.unlink()

def _leak(do):
    rights.do("owner", "x", "y", do)
    do()

def _both():
    start()

def worse():
    rights.do("owner", "x", "y", _both)
    _both()
"""
    assert sorted(outside_of_gates(source)) == [
        ("_both", "start"),
        ("bad", "dismiss"),
        ("bad", "read_bytes"),
        ("bad", "remove_collection"),
        ("bad", "start"),
        ("bad", "unlink"),
    ]
