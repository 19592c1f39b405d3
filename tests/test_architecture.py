"""The shape of the package: imports point down, packages keep their files.

The imports are read from the source, those inside functions and under ``TYPE_CHECKING`` included;
nothing is imported to find them.
"""

import ast
import json
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skaudio"

# From the top. A room may import those below it, and those beside it as long as there is no cycle.
LAYERS = [
    {"cli"},
    {"scale", "persistence", "display", "datasets"},
    {"recipes"},
    {"classifiers", "embedders", "detectors", "pretrained", "caching"},
    {"_neural"},
    {"encoders", "augmentation", "pooling", "nets"},
    {"frames"},
    {"metrics", "events"},
    {"audio", "dsp", "_files"},
    {"_parallel", "_validation", "_steps", "_state"},
]
HEIGHT = {room: len(LAYERS) - i for i, layer in enumerate(LAYERS) for room in layer} | {"": 0}

# Rooms that are one file. Every other one is a package, whose files are private behind its
# ``__init__``; of a package whose own name is private, too.
ONE_FILE = {"_parallel", "_steps", "_state"}

# The longest chain of rooms that import each other.
FLOORS = 8

# Libraries that a room does without, so that it can be read and tested without them.
KEPT_OUT = {
    "dsp": {"sklearn", "skorch", "pandas"},
    "nets": {"sklearn", "skorch", "pandas"},
}
# Libraries that only these rooms know.
KEPT_IN = {"skorch": {"_neural"}}

# What importing any part of skaudio must not load: slow to import, or optional.
LAZY = ["librosa", "matplotlib", "numba", "av", "skorch"]


def read_imports(source, module, is_package):
    """Yield every dotted name that a source imports: ``from a import b`` gives ``a.b``."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parent = ".".join(parts[: len(parts) - node.level + 1])
                base = f"{parent}.{base}".rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """Name the room of a module, '' for the package itself."""
    return module.split(".")[1] if "." in module else ""


# Without `__main__`, which only calls the command line.
PATHS = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__main__.py"]
FILES = {module_name(path): path for path in PATHS}
IMPORTS = {
    module: set(read_imports(path.read_text("utf-8"), module, path.name == "__init__.py"))
    for module, path in FILES.items()
}


def resolve(name, modules):
    """Cut a dotted name back to the module it comes from, or None if it is no module of ours."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def arrows(imports):
    """Keep the imports between our own modules: module -> modules."""
    found = {}
    for module, names in imports.items():
        targets = {resolve(name, imports) for name in names}
        found[module] = targets - {None, module}
    return found


def find_cycle(graph):
    """Return the nodes of one cycle, in order, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return None


def between_rooms(graph):
    """Reduce arrows between modules to arrows between rooms."""
    rooms = {}
    for module, targets in graph.items():
        room = room_of(module)
        rooms.setdefault(room, set()).update({room_of(target) for target in targets} - {room})
    return rooms


def floors(graph):
    """Count the rooms of the longest chain in which each imports the next."""
    rooms = between_rooms(graph)
    height = {}
    for room in TopologicalSorter(rooms).static_order():
        height[room] = 1 + max((height[below] for below in rooms.get(room, ())), default=0)
    return max(height.values())


def private_imports(graph):
    """List the imports of a file of another room, in place of the room itself."""
    return [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if room_of(target) != room_of(module) and target.count(".") > 1
    ]


def upward(graph):
    """List the arrows between modules that point up."""
    return [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if room_of(module) in HEIGHT and room_of(target) in HEIGHT
        if HEIGHT[room_of(target)] > HEIGHT[room_of(module)]
    ]


ARROWS = arrows(IMPORTS)
ROOMS = sorted({room_of(module) for module in FILES} - {""})


def test_every_room_has_a_layer():
    strangers = set(ROOMS) - set(HEIGHT)
    assert not strangers, f"give {sorted(strangers)} a layer in LAYERS and in docs/architecture.md"


def test_modules_import_without_cycles():
    cycle = find_cycle(ARROWS)
    assert cycle is None, "import cycle: " + " -> ".join(cycle)


def test_rooms_import_without_cycles():
    cycle = find_cycle(between_rooms(ARROWS))
    assert cycle is None, "cycle between rooms: " + " -> ".join(cycle)


def test_imports_point_down():
    assert upward(ARROWS) == []


def test_few_floors():
    assert floors(ARROWS) <= FLOORS


def test_rooms_import_each_other_by_their_front_doors():
    assert private_imports(ARROWS) == []


def test_files_are_private():
    """Whoever wants a name takes it from the package; its files may be cut in other ways."""
    loose = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert loose == ONE_FILE
    public = [
        module
        for module, path in FILES.items()
        if module.count(".") > 1 and not room_of(module).startswith("_")
        if not module.rpartition(".")[2].startswith("_")
    ]
    assert public == []


def test_no_two_modules_of_one_name():
    names = [module.rpartition(".")[2] for module in FILES]
    assert {name for name in names if names.count(name) > 1} == set()


def test_no_two_classes_of_one_name():
    names = [
        node.name
        for path in FILES.values()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    assert {name for name in names if names.count(name) > 1} == set()


def test_libraries_stay_in_their_rooms():
    wrong = []
    for module, names in IMPORTS.items():
        room = room_of(module)
        libraries = {name.partition(".")[0] for name in names}
        wrong += [f"{module} imports {lib}" for lib in libraries & KEPT_OUT.get(room, set())]
        wrong += [
            f"{module} imports {lib}, which is for {sorted(rooms)}"
            for lib, rooms in KEPT_IN.items()
            if lib in libraries and room not in rooms
        ]
    assert wrong == []


def test_import_is_light():
    """tests/test_names.py looks further: at what encoding loads."""
    public = [name for name in FILES if not any(p.startswith("_") for p in name.split("."))]
    code = (
        "import importlib, json, sys\n"
        "names, lazy = json.loads(sys.argv[1])\n"
        "loaded = {}\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
        "    for library in lazy:\n"
        "        if library in sys.modules:\n"
        "            loaded.setdefault(library, name)\n"
        "print(json.dumps(loaded))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, json.dumps([public, LAZY])],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    loaded = json.loads(result.stdout.splitlines()[-1])
    assert loaded == {}, f"libraries loaded at import, with the first module that did: {loaded}"


def test_docstring_names_every_public_room():
    docstring = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text("utf-8")))
    named = re.findall(r"^(\w+)\n    \S", docstring, flags=re.MULTILINE)
    assert sorted(named) == [room for room in ROOMS if not room.startswith("_")]


class TestReading:
    """The reader itself, on sources that break the rules."""

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("import skaudio.audio", {"skaudio.audio"}),
            ("from skaudio.audio import AudioBatch as B", {"skaudio.audio.AudioBatch"}),
            ("from . import _base", {"skaudio.encoders._base"}),
            ("from ._base import Encoder", {"skaudio.encoders._base.Encoder"}),
            ("from ..audio import load", {"skaudio.audio.load"}),
            ("def f():\n    from skaudio import display", {"skaudio.display"}),
            ("if TYPE_CHECKING:\n    import skaudio.display", {"skaudio.display"}),
        ],
    )
    def test_reads_every_form(self, source, expected):
        assert set(read_imports(source, "skaudio.encoders.mfcc", False)) == expected

    def test_relative_import_of_a_package(self):
        names = set(read_imports("from .mfcc import MFCC", "skaudio.encoders", True))
        assert names == {"skaudio.encoders.mfcc.MFCC"}

    def test_finds_a_cycle_of_modules(self):
        graph = arrows(
            {
                "skaudio.audio": {"skaudio.audio._a.A"},
                "skaudio.audio._a": {"numpy", "skaudio.audio._b"},
                "skaudio.audio._b": {"skaudio.audio.A"},
            }
        )
        assert set(find_cycle(graph)) == set(graph)

    def test_finds_a_cycle_of_rooms_that_modules_do_not_have(self):
        graph = arrows(
            {
                "skaudio.audio._a": {"skaudio.dsp._a.f"},
                "skaudio.dsp._a": set(),
                "skaudio.dsp._b": {"skaudio.audio._b.g"},
                "skaudio.audio._b": set(),
            }
        )
        assert find_cycle(graph) is None
        assert find_cycle(between_rooms(graph)) is not None

    def test_finds_a_private_import_in_every_form(self):
        for source in (
            "from skaudio.audio._signal import to_float",
            "from skaudio.audio import _signal",
            "import skaudio.audio._signal as signal",
            "from ..audio._signal import to_float as f",
            "from ..audio import _signal as s",
            "def f():\n    from skaudio.audio import _signal",
        ):
            imports = {
                "skaudio.encoders._mfcc": set(
                    read_imports(source, "skaudio.encoders._mfcc", False)
                ),
                "skaudio.audio": set(),
                "skaudio.audio._signal": set(),
            }
            assert private_imports(arrows(imports)), source

    def test_counts_floors(self):
        graph = arrows(
            {
                "skaudio.a": {"skaudio.b"},
                "skaudio.b": {"skaudio.c"},
                "skaudio.c": set(),
                "skaudio.d": {"skaudio.c"},
            }
        )
        assert floors(graph) == 3

    def test_finds_an_upward_arrow(self):
        graph = arrows({"skaudio.dsp": {"skaudio.encoders.MFCC"}, "skaudio.encoders": set()})
        assert upward(graph) == ["skaudio.dsp imports skaudio.encoders"]
