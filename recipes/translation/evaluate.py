"""Translating a corpus, and scores of the result against its references."""

import json
from dataclasses import dataclass

import sacrebleu
from sacremoses import MosesPunctNormalizer, MosesTokenizer
from tqdm import tqdm

from .errors import UsageError

# Bootstrap samples for the bounds of a score.
BOOTSTRAP = 1000
# The largest number of source words in each group of sentences.
LENGTHS = (5, 10, 15, 20, 30, 50)


@dataclass
class Scores:
    """How good translations are.

    Attributes:
        metrics: For each metric a dict of its name, the score, the bound, which
            is half the width of its 95 % interval over bootstrap samples, or
            `None` if there is none, details and signature.
        exact: The share that equals a reference.
        by_length: For groups of sources, a dict: words, sentences, bleu.
        ranked: Indices of the sentences, worst first, by their chrF.
    """

    metrics: list[dict]
    exact: float
    by_length: list[dict]
    ranked: list[int]


def translate_all(translator, sources, **search):
    """Translates sentences, with a progress bar on a terminal."""
    with tqdm(total=len(sources), desc="translating", disable=None, leave=False) as bar:
        found = translator.translate(sources, progress=bar.update, **search)
    return [translation.text for translation in found]


def translate_greedily(translator, sources, **options):
    """One `Translation` a sentence, of the most probable token at every step."""
    # Without a penalty a beam of one ends at the first end token.
    return translator.translate(sources, beam_width=1, length_penalty=0.0, **options)


def lower_and_tokenize(lines, language):
    """Prepares lines as the references of the published Multi30k results.

    Lower case, normalised punctuation, Moses tokens; BLEU is then computed
    without further tokenisation. Two scores can be compared only if both follow
    this protocol.

    Args:
        lines: Strings.
        language: Their language, as "de".

    Returns:
        Strings, with a space between tokens.
    """
    normalizer = MosesPunctNormalizer(language)
    tokenizer = MosesTokenizer(language)
    return [
        tokenizer.tokenize(normalizer.normalize(line.lower()), return_str=True)
        for line in lines
    ]


def score(hypotheses, pairs, tokenized=None, language=None):
    """Scores translations.

    Args:
        hypotheses: Strings.
        pairs: The `Pairs` with their references.
        tokenized: References that are lower-cased and tokenised: adds the BLEU
            of `lower_and_tokenize`.
        language: The target's, for that protocol.

    Returns:
        `Scores`.
    """
    if not len(pairs):
        raise UsageError("there is nothing to evaluate: no pairs")
    streams = _streams(pairs.references)
    metrics = [
        _measure(kind, hypotheses, streams)
        for kind in (sacrebleu.BLEU, sacrebleu.CHRF, sacrebleu.TER)
    ]
    if tokenized is not None:
        if len(tokenized) != len(pairs):
            raise UsageError(
                f"the tokenised references must be {len(pairs)} lines, as the "
                f"sources are, got {len(tokenized)}"
            )
        lowered = lower_and_tokenize(hypotheses, language)
        own = _measure(sacrebleu.BLEU, lowered, [tokenized], tokenize="none")
        metrics.append({**own, "name": f"lower-cased, tokenised {own['name']}"})
    return Scores(
        metrics,
        share_of_exact(hypotheses, pairs),
        _by_length(hypotheses, pairs),
        _ranked(hypotheses, pairs),
    )


def _streams(references):
    """References as sacrebleu wants them: as many streams as the most of a source.

    A source that has fewer has None there.
    """
    most = max(map(len, references))
    return [
        [own[k] if k < len(own) else None for own in references] for k in range(most)
    ]


def _measure(kind, hypotheses, streams, **options):
    metric = kind(**options)
    try:
        found = metric.corpus_score(hypotheses, streams, n_bootstrap=BOOTSTRAP)
        unbounded = 0.0  # sacrebleu leaves it out where all samples score 0
    except TypeError:
        # It cannot average chrF over samples of which some score 0.
        metric = kind(**options)
        found = metric.corpus_score(hypotheses, streams)
        unbounded = None
    signature = str(metric.get_signature())
    described = json.loads(found.format(is_json=True, signature=signature))
    return {
        "name": described["name"],
        "score": described["score"],
        "bound": described.get("confidence_var", unbounded),
        "details": described.get("verbose_score", ""),
        "signature": signature,
    }


def _by_length(hypotheses, pairs):
    words = [len(source.split()) for source in pairs.sources]
    groups = []
    for low, high in zip((0, *LENGTHS), (*LENGTHS, float("inf")), strict=True):
        own = [i for i, count in enumerate(words) if low < count <= high]
        if own:
            streams = _streams([pairs.references[i] for i in own])
            bleu = sacrebleu.corpus_bleu([hypotheses[i] for i in own], streams).score
            words_of = f"{low + 1}-{high}" if high in LENGTHS else f"over {low}"
            groups.append({"words": words_of, "sentences": len(own), "bleu": bleu})
    return groups


def _ranked(hypotheses, pairs):
    chrf = sacrebleu.CHRF()
    scores = [
        chrf.sentence_score(hypothesis, own).score
        for hypothesis, own in zip(hypotheses, pairs.references, strict=True)
    ]
    return sorted(range(len(scores)), key=scores.__getitem__)


def exact_match(translator, pairs):
    """The share of sources whose translation equals a reference."""
    found = translator.translate(pairs.sources)
    return share_of_exact([translation.text for translation in found], pairs)


def share_of_exact(hypotheses, pairs):
    """The share of translations that equal a reference."""
    right = [h in own for h, own in zip(hypotheses, pairs.references, strict=True)]
    return sum(right) / len(right)


def report(scores, hypotheses, pairs, label="", examples=3):
    """Prints scores with a label before each, and the worst and best sentences."""
    label = label and f"{label}: "
    for metric in scores.metrics:
        bound = metric["bound"]
        interval = "unknown" if bound is None else f"± {bound:.2f}"
        print(
            f"{label}{metric['name']} = {metric['score']:.2f} "
            f"(95 %: {interval}) {metric['details']}".rstrip()
        )
        print(f"  {metric['signature']}")
    print(f"{label}exact match {scores.exact:.1%} of {len(pairs)}")
    print("\nsource words   sentences    BLEU")
    for group in scores.by_length:
        print(f"{group['words']:>12}{group['sentences']:>12}{group['bleu']:>8.2f}")
    few = min(examples, len(pairs))
    for title, chosen in (
        ("worst", scores.ranked[:few]),
        ("best", scores.ranked[::-1][:few]),
    ):
        print(f"\n{title}, by chrF")
        for i in chosen:
            print(f"  source      {pairs.sources[i]}")
            print(f"  reference   {pairs.references[i][0]}")
            print(f"  translation {hypotheses[i]}\n")
