"""Files, functions and base classes stay short enough to be read at one go."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "skaudio"

# Lines of a file; of a function and of a base class, without docstrings.
MAX_FILE = 300
MAX_FUNCTION = 60
MAX_BASE = 80

# What is allowed to be longer, and why: path under skaudio/, name of a function or class.
DOCUMENTED = "fewer than 250 lines without docstrings, whose examples are counted here"
LONGER_FILES: dict[str, str] = {
    "dsp/_analysis.py": DOCUMENTED,
    "frames/_frames.py": DOCUMENTED,
    "nets/_crnn.py": DOCUMENTED,
    "nets/_sequence_layers.py": DOCUMENTED,
}
LONGER_FUNCTIONS = {
    "make_soundscapes": "one loop draws and mixes; its parts would pass eight values on",
    "EventDetector.__init__": "stores its parameters, two lines each",
    "MFCC.__init__": "stores its parameters, two lines each",
}
LONGER_BASES = {
    "Encoder": "five public methods, whose signatures are a quarter of it",
    "NeuralClassifier": "fit, continued training and three kinds of prediction share its state",
    "WeakLabelDetector": "the methods of one estimator; EventDetector adds the parameters",
}
# The steps of a SIMD kernel are compiled as one: a call between them would cost registers.
FUNCTIONS_OF_ANY_LENGTH = "dsp/_simd/"

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def length(node):
    """Count the lines of a class or function, decorators and docstrings not included."""
    lines = node.end_lineno - node.lineno + 1
    for part in ast.walk(node):
        if isinstance(part, DEFINITIONS) and ast.get_docstring(part) is not None:
            lines -= part.body[0].end_lineno - part.body[0].lineno + 1
    return lines


def definitions(tree, inside=""):
    """Yield the qualified name and node of each class and function, nested ones included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, DEFINITIONS):
            yield inside + node.name, node
            yield from definitions(node, f"{inside}{node.name}.")
        else:
            yield from definitions(node, inside)


def function_lengths(trees):
    """Measure the functions and methods; of several with one name, the longest."""
    lengths = {}
    for tree in trees:
        for name, node in definitions(tree):
            if not isinstance(node, ast.ClassDef):
                lengths[name] = max(length(node), lengths.get(name, 0))
    return lengths


def base_class_lengths(trees):
    """Measure the classes that other classes of these files derive from."""
    classes = {
        name: node
        for tree in trees
        for name, node in definitions(tree)
        if isinstance(node, ast.ClassDef)
    }
    bases = {
        ast.unparse(base).partition("[")[0].rpartition(".")[2]
        for node in classes.values()
        for base in node.bases
    }
    return {name: length(node) for name, node in classes.items() if name in bases}


def check(lengths, limit, reasons):
    too_long = {name: lines for name, lines in lengths.items() if lines > limit}
    surprising = {name: lines for name, lines in too_long.items() if name not in reasons}
    assert not surprising, f"over {limit} lines: {surprising}; make it shorter, or give a reason"
    assert set(reasons) <= set(too_long), "no longer over the limit: take its reason out"
    assert all(reasons.values()), "each exception needs a reason"


SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


def test_files():
    lengths = {name: len(source.splitlines()) for name, source in SOURCES.items()}
    check(lengths, MAX_FILE, LONGER_FILES)


def test_functions():
    trees = [tree for name, tree in TREES.items() if not name.startswith(FUNCTIONS_OF_ANY_LENGTH)]
    check(function_lengths(trees), MAX_FUNCTION, LONGER_FUNCTIONS)


def test_base_classes():
    check(base_class_lengths(TREES.values()), MAX_BASE, LONGER_BASES)


class TestMeasuring:
    """The measures themselves, on a source whose lengths are known."""

    TREE = ast.parse(
        "class Base(Generic[T]):\n"
        '    """A summary.\n\n    More.\n    """\n\n'
        "    def f(self):\n"
        '        """One line."""\n'
        "        def g():\n            return 1\n"
        "        return g\n"
        "class Other(rooms.Base[int]):\n"
        "    pass\n"
    )

    def test_docstrings_do_not_count(self):
        assert function_lengths([self.TREE]) == {"Base.f": 4, "Base.f.g": 2}

    def test_base_classes_are_those_derived_from(self):
        assert base_class_lengths([self.TREE]) == {"Base": 6}

    @pytest.mark.parametrize(
        "reasons, message", [({}, "over 3 lines"), ({"Base.f": ""}, "needs a reason")]
    )
    def test_a_length_over_the_limit_needs_a_reason(self, reasons, message):
        with pytest.raises(AssertionError, match=message):
            check(function_lengths([self.TREE]), 3, reasons)

    def test_an_exception_that_is_needed_no_more(self):
        with pytest.raises(AssertionError, match="take its reason out"):
            check(function_lengths([self.TREE]), 4, {"Base.f": "long"})
