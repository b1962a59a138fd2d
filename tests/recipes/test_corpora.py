import gzip
import hashlib
import http.server
import os
import threading
import zipfile
from pathlib import Path

import pytest

from recipes.translation.data import corpora
from recipes.translation.errors import UsageError

# A folder with `multi30k/` and `tatoeba/`, as `--data-dir` wants them.
LOCAL = os.environ.get("KATTENTION_CORPORA")
needs_corpora = pytest.mark.skipif(
    not LOCAL, reason="set KATTENTION_CORPORA to a folder with multi30k/ and tatoeba/"
)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves a folder on loopback; downloads go to an empty cache."""
    folder, cache = tmp_path / "served", tmp_path / "cache"
    folder.mkdir()
    cache.mkdir()  # Keras would silently take another one

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_port}/"
        monkeypatch.setattr(corpora, "MULTI30K_URL", url)
        monkeypatch.setattr(corpora, "TATOEBA_URL", url)
        monkeypatch.setattr(corpora, "CACHE", str(cache))
        yield folder
        running.shutdown()


def serve_multi30k(folder, monkeypatch, lines):
    sums = dict(corpora.MULTI30K_SHA256)
    for language, text in lines.items():
        name = f"val.{language}.gz"
        (folder / name).write_bytes(gzip.compress(text.encode()))
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(corpora, "MULTI30K_SHA256", sums)


def write_tatoeba(path):
    lines = "Go.\tVa !\tCC-BY\nGo.\tMarche.\tCC-BY\nHi.\tSalut.\tCC-BY\n"
    lines += "".join(f"Line {i}.\tLigne {i}.\tCC-BY\n" for i in range(500))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fra-eng/fra.txt", lines)
        archive.writestr("__MACOSX/fra-eng/._fra.txt", b"\0")
        archive.writestr("__MACOSX/fra.txt", b"\0")


def test_downloads_check_and_keep_a_corpus(server, monkeypatch):
    serve_multi30k(server, monkeypatch, {"en": "A man.\n", "de": "Ein Mann. \n"})
    corpus, split = corpora.find("multi30k-en-de:val")
    pairs = corpus.load(split)
    assert (pairs.sources, pairs.targets) == (["A man."], ["Ein Mann."])
    for file in server.iterdir():
        file.unlink()
    assert corpus.load(split).sources == ["A man."], "the second time from the cache"


def test_a_changed_file_is_refused(server, monkeypatch):
    serve_multi30k(server, monkeypatch, {"en": "A man.\n", "de": "Ein Mann.\n"})
    (server / "val.de.gz").write_bytes(gzip.compress(b"Eine Frau.\n"))
    with pytest.raises(UsageError, match="cannot download") as error:
        corpora.find("multi30k-en-de")[0].load("val")
    assert "--data-dir" in str(error.value)


def test_a_server_that_has_nothing_is_reported_in_one_line(server):
    with pytest.raises(UsageError, match=r"cannot download .*fra-eng\.zip") as error:
        corpora.find("tatoeba-en-fr")[0].load("train")
    assert len(str(error.value).splitlines()) == 1


def test_tatoeba_is_split_by_source_and_scored_against_all_references(server):
    write_tatoeba(server / "fra-eng.zip")
    corpus, _ = corpora.find("tatoeba-en-fr")
    splits = {split: corpus.load(split) for split in corpus.splits}
    sources = [set(pairs.sources) for pairs in splits.values()]
    assert sum(map(len, sources)) == len(set().union(*sources)) == 502
    everything = {
        (source, reference)
        for pairs in splits.values()
        for source, references in zip(pairs.sources, pairs.references, strict=True)
        for reference in references
    }
    assert {("Go.", "Va !"), ("Go.", "Marche.")} <= everything
    for split in ("valid", "test"):
        assert len(set(splits[split].sources)) == len(splits[split])
    back, _ = corpora.find("tatoeba-fr-en")
    assert "Salut." in {s for split in back.splits for s in back.load(split).sources}


def test_a_local_copy_needs_no_network(tmp_path):
    write_tatoeba(tmp_path / "fra-eng.zip")
    corpus, _ = corpora.find("tatoeba-en-fr")
    assert len(corpus.load("train", tmp_path)) > 400
    with pytest.raises(UsageError, match=r"no such file: .*spa-eng\.zip"):
        corpora.find("tatoeba-en-es")[0].load("train", tmp_path)
    (tmp_path / "spa-eng.zip").write_bytes(b"no zip")
    with pytest.raises(UsageError, match=r"not a zip file that holds spa\.txt"):
        corpora.find("tatoeba-en-es")[0].load("train", tmp_path)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UsageError, match="unknown corpus 'wmt': choose from multi30k"):
        corpora.find("wmt")
    corpus, split = corpora.find("toy-en-fr:dev")
    with pytest.raises(UsageError, match="no split 'dev': choose from train, valid"):
        corpus.load(split)


@needs_corpora
@pytest.mark.parametrize("name", ["multi30k-en-de", "multi30k-fr-de"])
def test_the_local_multi30k_is_whole(name):
    corpus, _ = corpora.find(name)
    sizes = {"train": 29_000, "valid": 1_014, "test": 1_000}
    for split, size in sizes.items():
        pairs = corpus.load(split, Path(LOCAL) / "multi30k")
        assert len(pairs) == size
        assert all(s == s.strip() for s in pairs.sources + pairs.targets)


@needs_corpora
def test_the_local_files_have_the_pinned_check_sums():
    for name, expected in corpora.MULTI30K_SHA256.items():
        path = Path(LOCAL) / "multi30k" / name
        if path.exists():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == expected


@needs_corpora
def test_the_local_tatoeba_leaks_no_source():
    corpus, _ = corpora.find("tatoeba-en-fr")
    train, test = (
        set(corpus.load(split, Path(LOCAL) / "tatoeba").sources)
        for split in ("train", "test")
    )
    assert len(train) > 80_000
    assert not train & test
