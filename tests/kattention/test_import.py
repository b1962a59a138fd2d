import pytest

from tests.conftest import run_python


def test_importing_the_layers_loads_no_extra():
    run_python(
        """
import sys, kattention
loaded = {"tensorflow_text", "sentencepiece", "kattention.plotting"} & set(sys.modules)
assert not loaded, loaded
"""
    )


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("text", "sentencepiece", "translation"),
        ("plotting", "matplotlib", "translation"),
        ("Translator", "tensorflow_text", "translation"),
        ("search", "tensorflow", "tensorflow"),
    ],
)
def test_a_missing_extra_is_named(name, missing, extra):
    out = run_python(
        """
import sys, keras, kattention
for name in [n for n in sys.modules if n.split(".")[0] == sys.argv[2]]:
    del sys.modules[name]
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == sys.argv[2]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
try:
    getattr(kattention, sys.argv[1])
except ModuleNotFoundError as error:
    print(error)
""",
        name,
        missing,
    )
    assert f"pip install 'kattention[{extra}]'" in out


def test_an_unknown_name_is_an_attribute_error():
    import kattention

    with pytest.raises(AttributeError, match="no attribute 'Attention'"):
        kattention.Attention


def test_dir_shows_what_there_is_and_nothing_else():
    import kattention

    assert {"BahdanauAttention", "Translator", "search"} <= set(dir(kattention))
    assert dir(kattention) == sorted(kattention.__all__)
    assert all(hasattr(kattention, name) for name in dir(kattention))
