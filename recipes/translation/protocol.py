"""The protocol of the published Multi30k results: lower-cased, tokenised text.

Lower case, normalised punctuation, Moses tokens; then BLEU without any further
tokenisation. It must be known of both scores before two are compared.
"""

from sacremoses import MosesPunctNormalizer, MosesTokenizer


def lower_and_tokenize(lines, language):
    """Prepares lines as the published references were prepared.

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
