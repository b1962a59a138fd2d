"""The public API says its types."""

import inspect
import re
from pathlib import Path

import pytest

import kattention

PAGE = (Path(__file__).parents[1] / "docs/api.md").read_text()


def public_functions():
    """Names and functions of all that the reference lists."""
    module = "kattention"
    for line in PAGE.splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.match(r"   ([A-Za-z]\S*)$", line):
            name = f"{module}.{found[1]}"
            public = kattention
            for part in name.split(".")[1:]:
                public = getattr(public, part)
            if not inspect.isclass(public):
                yield name, public
                continue
            for own, method in vars(public).items():
                if isinstance(method, property):
                    method = method.fget
                method = inspect.unwrap(getattr(method, "__func__", method))
                shown = own == "__init__" or not own.startswith("_")
                # The standard library makes some, for example for a protocol.
                ours = inspect.isfunction(method) and "kattention" in method.__module__
                if shown and ours:
                    yield f"{name}.{own}", method


@pytest.mark.parametrize(("name", "function"), list(public_functions()))
def test_arguments_and_results_have_types(name, function):
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    bare = [p.name for p in parameters if p.annotation is p.empty and p.name != "cls"]
    assert not bare, f"{name} must say the types of {bare}"
    assert signature.return_annotation is not signature.empty, name


def test_the_reference_is_read_whole():
    assert len(list(public_functions())) > 120
