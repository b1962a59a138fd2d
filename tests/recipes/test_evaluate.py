import os
from pathlib import Path

import pytest
import sacrebleu

from recipes.translation import evaluate
from recipes.translation.data.files import Pairs, iterate_lines
from recipes.translation.errors import UsageError

SOURCES = [f"{'word ' * (1 + i)}." for i in range(12)]
REFERENCES = [[f"the cat number {i} sat on a mat", f"cat {i}"] for i in range(12)]
REFERENCES[3] = REFERENCES[3][:1]
PAIRS = Pairs(SOURCES, REFERENCES)
HYPOTHESES = [f"a cat number {i} sat on the mat" for i in range(12)]
HYPOTHESES[5] = REFERENCES[5][1]
HYPOTHESES[7] = "nothing"

multi30k = pytest.mark.skipif(
    "KATTENTION_CORPORA" not in os.environ, reason="KATTENTION_CORPORA is not set"
)


def test_scores_are_sacrebleu_s_with_bounds_and_signatures():
    scores = evaluate.score(HYPOTHESES, PAIRS)
    bleu, chrf, ter = scores.metrics
    streams = [[own[0] for own in REFERENCES]]
    streams += [[own[1] if len(own) > 1 else None for own in REFERENCES]]
    expected = sacrebleu.corpus_bleu(HYPOTHESES, streams).score
    assert bleu["score"] == pytest.approx(expected, abs=0.005)
    assert 0 < bleu["bound"] < bleu["score"]
    [nothing, *_] = evaluate.score(["x"] * 12, PAIRS).metrics
    assert nothing["bound"] == 0
    assert [m["name"] for m in scores.metrics] == ["BLEU", "chrF2", "TER"]
    assert "tok:13a" in bleu["signature"]
    assert scores.exact == 1 / 12
    assert 0 < ter["score"] < 100
    assert chrf["score"] > 50


def test_a_metric_that_sacrebleu_cannot_bound_is_scored_all_the_same(capsys):
    pairs, found = Pairs(["a", "b"], [["b"], ["bar"]]), ["x y", "foo bar baz"]
    scores = evaluate.score(found, pairs)
    bleu, chrf, _ = scores.metrics
    assert (bleu["bound"], chrf["bound"]) == (0, None)
    assert chrf["score"] == pytest.approx(56.36, abs=0.01)
    assert "bs:" not in chrf["signature"]
    evaluate.report(scores, found, pairs)
    assert "chrF2 = 56.36 (95 %: unknown)" in capsys.readouterr().out


def test_sentences_are_grouped_by_length_and_ranked():
    scores = evaluate.score(HYPOTHESES, PAIRS)
    found = {group["words"]: group["sentences"] for group in scores.by_length}
    assert found == {"1-5": 4, "6-10": 5, "11-15": 3}
    best = sacrebleu.corpus_bleu(
        HYPOTHESES[:4],
        [[own[0] for own in REFERENCES[:4]], [f"cat {i}" for i in range(3)] + [None]],
    )
    assert scores.by_length[0]["bleu"] == pytest.approx(best.score)
    assert scores.ranked[0] == 7
    assert scores.ranked[-1] == 5


def test_the_lower_cased_protocol_prepares_the_hypotheses():
    pairs = Pairs(["a", "b"], [["Der Hund, heißt Bello!"], ["Zwei „Katzen“."]])
    references = ["der hund , heißt bello !", "zwei &quot; katzen &quot; ."]
    scores = evaluate.score(pairs.targets, pairs, references, "de")
    assert scores.metrics[-1]["score"] == 100
    assert "tok:none" in scores.metrics[-1]["signature"]
    with pytest.raises(UsageError, match=r"must be 2 lines.*got 1"):
        evaluate.score(pairs.targets, pairs, references[:1], "de")


@multi30k
@pytest.mark.parametrize(("language", "unlike"), [("de", 0), ("en", 0), ("fr", 1)])
def test_the_protocol_reproduces_the_published_files(language, unlike):
    folder = Path(os.environ["KATTENTION_CORPORA"]) / "multi30k"
    raw = iterate_lines(folder / f"test_2016_flickr.{language}.gz")
    ours = evaluate.lower_and_tokenize([line.strip() for line in raw], language)
    published = folder / "tok" / f"test_2016_flickr.lc.norm.tok.{language}"
    theirs = list(iterate_lines(published))
    assert len(ours) == len(theirs) == 1000
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == unlike


def test_nothing_to_evaluate_is_said():
    with pytest.raises(UsageError, match="no pairs"):
        evaluate.score([], Pairs([], []))
