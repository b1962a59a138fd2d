"""The corpora that have a name: where they come from and how they are split."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras

from .. import toy
from ..errors import UsageError
from .files import (
    Pairs,
    bucket,
    decode_lines,
    load_pairs,
    read_parallel,
    split_columns,
)

MULTI30K_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/"
    "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
)
# The commit is pinned: val.de was edited over time.
MULTI30K_SHA256 = {
    "test_2016_flickr.de.gz": (
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"
    ),
    "test_2016_flickr.en.gz": (
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"
    ),
    "test_2016_flickr.fr.gz": (
        "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"
    ),
    "test_2017_flickr.de.gz": (
        "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee"
    ),
    "test_2017_flickr.en.gz": (
        "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074"
    ),
    "test_2017_flickr.fr.gz": (
        "3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496"
    ),
    "train.de.gz": ("726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    "train.en.gz": ("d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    "train.fr.gz": ("622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
    "val.de.gz": ("f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
    "val.en.gz": ("14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    "val.fr.gz": ("ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
}
MULTI30K_SPLITS = {
    "train": "train",
    "valid": "val",
    "test": "test_2016_flickr",
    "val": "val",
    "test_2016_flickr": "test_2016_flickr",
    "test_2017_flickr": "test_2017_flickr",
}
MULTI30K_LICENCE = (
    "Multi30k: for non-commercial research and education only; the images' captions "
    "come from Flickr30k, https://github.com/multi30k/dataset"
)
# Where Keras keeps downloads: None is its own folder, in the user's home.
CACHE = None
TATOEBA_URL = "http://www.manythings.org/anki/"
TATOEBA_LICENCE = (
    "Tatoeba sentence pairs: CC BY 2.0 (FR), www.manythings.org/anki and tatoeba.org"
)
TATOEBA_FILES = {"fr": ("fra-eng.zip", "fra.txt"), "es": ("spa-eng.zip", "spa.txt")}


@dataclass(frozen=True)
class Corpus:
    """A corpus in one direction.

    Attributes:
        family: `"toy"`, `"multi30k"` or `"tatoeba"`.
        source: Language of the source.
        target: Language of the target.
    """

    family: str
    source: str
    target: str

    @property
    def name(self):
        return f"{self.family}-{self.source}-{self.target}"

    @property
    def splits(self):
        return {
            "toy": toy.SPLITS,
            "multi30k": tuple(MULTI30K_SPLITS),
            "tatoeba": ("train", "valid", "test"),
        }[self.family]

    @property
    def preset(self):
        """The name of the preset that fits it."""
        return {"toy": "tiny", "multi30k": "small", "tatoeba": "base"}[self.family]

    @property
    def notice(self):
        return {
            "toy": f"{self.name}: a synthetic corpus",
            "multi30k": MULTI30K_LICENCE,
            "tatoeba": TATOEBA_LICENCE,
        }[self.family]

    def check_split(self, split):
        """Refuses a split that there is not."""
        if split not in self.splits:
            raise UsageError(
                f"{self.name} has no split {split!r}: choose from "
                f"{', '.join(self.splits)}"
            )

    def load(self, split, data_dir=None):
        """Returns the `Pairs` of a split, from `data_dir` or downloaded."""
        self.check_split(split)
        if self.family == "toy":
            return toy.load(self.target, split)
        if self.family == "multi30k":
            return self._load_multi30k(MULTI30K_SPLITS[split], data_dir)
        return self._load_tatoeba(split, data_dir)

    def _load_multi30k(self, split, data_dir):
        return read_parallel(
            *(
                _file(
                    f"{split}.{language}.gz",
                    MULTI30K_URL,
                    data_dir,
                    MULTI30K_SHA256[f"{split}.{language}.gz"],
                )
                for language in (self.source, self.target)
            )
        )

    def _load_tatoeba(self, split, data_dir):
        foreign = self.target if self.source == "en" else self.source
        archive, member = TATOEBA_FILES[foreign]
        # It changes every month: no check sum, the member file must do.
        path = _file(archive, TATOEBA_URL, data_dir)
        try:
            with zipfile.ZipFile(path) as opened:
                # It may lie in a folder, beside a Mac's shadow of it.
                [name] = (
                    name
                    for name in opened.namelist()
                    if Path(name).name == member and "__MACOSX" not in name
                )
                data = io.BytesIO(opened.read(name))
        except (zipfile.BadZipFile, zlib.error, ValueError):
            raise UsageError(
                f"{path} is not a zip file that holds {member}: delete it, and it is "
                "fetched again"
            ) from None
        columns = (0, 1) if self.source == "en" else (1, 0)
        lines = decode_lines(data, f"{path}:{member}")
        pairs = load_pairs(split_columns(lines, path, *columns), path)
        wanted = {"valid": [0], "test": [1], "train": range(2, 100)}[split]
        inside = [i for i, s in enumerate(pairs.sources) if bucket(s, 100) in wanted]
        pairs = pairs.select(inside)
        return pairs if split == "train" else _gather_references(pairs)


CORPORA = {
    corpus.name: corpus
    for corpus in [
        *(Corpus("toy", "en", language) for language in toy.LANGUAGES),
        *(
            Corpus("multi30k", source, target)
            for source in ("en", "de", "fr")
            for target in ("en", "de", "fr")
            if source != target
        ),
        *(Corpus("tatoeba", "en", language) for language in TATOEBA_FILES),
        *(Corpus("tatoeba", language, "en") for language in TATOEBA_FILES),
    ]
}


def find(name):
    """Returns the corpus and the split (or `None`) of `NAME` or `NAME:SPLIT`."""
    corpus, _, split = name.partition(":")
    if corpus not in CORPORA:
        raise UsageError(
            f"unknown corpus {corpus!r}: choose from {', '.join(sorted(CORPORA))}"
        )
    return CORPORA[corpus], split or None


def _gather_references(pairs):
    """One entry a source, with all its translations."""
    gathered = {}
    for source, references in zip(pairs.sources, pairs.references, strict=True):
        known = gathered.setdefault(source, [])
        known += [reference for reference in references if reference not in known]
    return Pairs(list(gathered), list(gathered.values()))


def _file(name, url, data_dir, sha256=None):
    if data_dir is not None:
        path = Path(data_dir) / name
        if not path.is_file():
            raise UsageError(f"no such file: {path} (it comes from {url}{name})")
        return path
    try:
        return Path(
            keras.utils.get_file(
                name,
                url + name,
                file_hash=sha256,
                cache_dir=CACHE,
                cache_subdir="datasets/kattention",
            )
        )
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"cannot download {url}{name}: {reason}; fetch it by hand and name its "
            "folder with --data-dir"
        ) from None
