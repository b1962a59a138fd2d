"""Scores of a run on a corpus: BLEU, chrF, exact match, alignment errors."""

import sacrebleu

from recipes.translation.errors import UsageError


def evaluate(translator, pairs, beam_width, length_penalty, batch_size=64):
    """Translates `pairs.sources` and scores the result against the references.

    Returns:
        A dict of `hypotheses`, `bleu` and `chrf` (sacrebleu scores with their
        signatures) and `exact`, the share that equals a reference.
    """
    if not len(pairs):
        raise UsageError("there is nothing to evaluate: no pairs")
    found = translator.translate(
        pairs.sources, beam_width, length_penalty, batch_size=batch_size
    )
    hypotheses = [translation.text for translation in found]
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
    right = [h in own for h, own in zip(hypotheses, pairs.references, strict=True)]
    scores["exact"] = sum(right) / len(right)
    return scores


def exact_match(translator, pairs):
    """The share of sources whose translation equals a reference."""
    found = translator.translate(pairs.sources)
    right = [
        translation.text in own
        for translation, own in zip(found, pairs.references, strict=True)
    ]
    return sum(right) / len(right)


def report(scores, pairs, examples=3):
    """Prints scores, signatures and examples."""
    for name in ("bleu", "chrf"):
        score, signature = scores[name]
        print(score)
        print(f"  {signature}")
    print(f"exact match {scores['exact']:.1%} of {len(pairs)}")
    for i in range(0, len(pairs), max(1, len(pairs) // examples))[:examples]:
        print(f"\n  source      {pairs.sources[i]}")
        print(f"  reference   {pairs.references[i][0]}")
        print(f"  translation {scores['hypotheses'][i]}")
