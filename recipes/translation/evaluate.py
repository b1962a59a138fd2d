"""Scores of a run on a corpus: BLEU, chrF, exact match."""

import sacrebleu
from tqdm import tqdm

from recipes.translation.errors import UsageError


def evaluate(translator, pairs, **search):
    """Translates `pairs.sources` and scores the result against the references.

    Args:
        translator: A `kattention.Translator`.
        pairs: The `Pairs`.
        **search: The fields of `kattention.serving.BeamOptions`.

    Returns:
        A dict of `hypotheses`, `bleu` and `chrf` (sacrebleu scores with their
        signatures) and `exact`, the share that equals a reference.
    """
    if not len(pairs):
        raise UsageError("there is nothing to evaluate: no pairs")
    hypotheses = translate_all(translator, pairs.sources, **search)
    # sacrebleu wants as many streams as the most references, with None for
    # those that a source lacks.
    most = max(map(len, pairs.references))
    streams = [
        [own[k] if k < len(own) else None for own in pairs.references]
        for k in range(most)
    ]
    scores = {"hypotheses": hypotheses}
    for name, metric in (("bleu", sacrebleu.BLEU()), ("chrf", sacrebleu.CHRF())):
        score = metric.corpus_score(hypotheses, streams)
        scores[name] = (score, metric.get_signature())
    scores["exact"] = _share_of_exact(hypotheses, pairs)
    return scores


def translate_all(translator, sources, batch_size=64, **search):
    """Translates in batches of like length, with a progress bar on a terminal."""
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    hypotheses = [""] * len(sources)
    firsts = range(0, len(order), batch_size)
    for first in tqdm(firsts, "translating", unit="batch", disable=None):
        chosen = order[first : first + batch_size]
        texts = [sources[i] for i in chosen]
        found = translator.translate(texts, **search)
        for i, translation in zip(chosen, found, strict=True):
            hypotheses[i] = translation.text
    return hypotheses


def exact_match(translator, pairs):
    """The share of sources whose translation equals a reference."""
    found = translator.translate(pairs.sources)
    return _share_of_exact([translation.text for translation in found], pairs)


def _share_of_exact(hypotheses, pairs):
    right = [h in own for h, own in zip(hypotheses, pairs.references, strict=True)]
    return sum(right) / len(right)


def report(scores, pairs, label="", examples=3):
    """Prints scores with a label before each, signatures and examples."""
    label = label and f"{label}: "
    for name in ("bleu", "chrf"):
        score, signature = scores[name]
        print(f"{label}{score}")
        print(f"  {signature}")
    print(f"{label}exact match {scores['exact']:.1%} of {len(pairs)}")
    for i in range(0, len(pairs), max(1, len(pairs) // examples))[:examples]:
        print(f"\n  source      {pairs.sources[i]}")
        print(f"  reference   {pairs.references[i][0]}")
        print(f"  translation {scores['hypotheses'][i]}")
