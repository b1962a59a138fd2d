"""The documentation: `make docs`."""

import inspect
import os
import re
from importlib.metadata import version as installed

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kattention import AttentionMechanism

project = "kattention"
author = "the kattention developers"
version = release = installed("kattention")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
html_theme = "furo"
html_title = f"kattention {release}"
html_show_copyright = False
exclude_patterns = ["build"]
default_role = "literal"
myst_heading_anchors = 3
# Pages link to files of the repository, which are not part of the site: a test
# checks these links.
suppress_warnings = ["myst.xref_missing"]

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "none"
autodoc_inherit_docstrings = False  # Keras's are written in Markdown
autosummary_generate = True
templates_path = ["templates"]

INHERITED = "Call arguments, returns and errors: see `AttentionMechanism`."
SECTIONS = "Args|Attributes|Call arguments|Example|Raises|Returns"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style")]


def prepare_docstring(app, what, name, obj, options, lines):
    """Makes equations and examples literal blocks, and the source a section.

    Where a mechanism refers to its base class for the call, that text is put in.
    """
    if INHERITED in lines:
        place = lines.index(INHERITED)
        base = inspect.getdoc(AttentionMechanism)
        called = base[base.index("Call arguments:") : base.index("Example:")]
        lines[place : place + 1] = called.splitlines()
    lines[:] = re.sub(
        r"^Example:\n\n((?: {4}.*\n|\n)+)",
        lambda found: "Example::\n\n" + found[1],
        "\n".join(lines) + "\n",
        flags=re.M,
    ).splitlines()
    for number, line in enumerate(lines[:-2]):
        after = lines[number + 2]
        opens = line.endswith(":") and not re.fullmatch(rf"\s*({SECTIONS}):", line)
        deeper = len(after) - len(after.lstrip()) > len(line) - len(line.lstrip())
        if opens and not lines[number + 1].strip() and deeper:
            lines[number] += ":"
    for number, line in enumerate(lines):
        if found := re.match(r"(Sources?): ", line):
            lines[number : number + 1] = [
                f".. rubric:: {found[1]}",
                "",
                line[found.end() :],
            ]
            break


def constructor_signature(app, what, name, obj, options, signature, returned):
    """Keras's layers have a `__new__` that takes anything."""
    if what == "class" and "__init__" in vars(obj):
        found = inspect.signature(obj.__init__)
        # Without types, which the text says in words.
        own = [
            parameter.replace(annotation=parameter.empty)
            for parameter in found.parameters.values()
            if parameter.name != "self"
        ]
        bare = found.replace(parameters=own, return_annotation=found.empty)
        return str(bare), returned
    return signature, returned


def setup(app):
    app.connect("autodoc-process-signature", constructor_signature)
    # Before napoleon, which rewrites the sections.
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)
