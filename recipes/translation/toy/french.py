"""Meaning into French words."""

from .meaning import Common, Existence, Name, Pair
from .words import (
    capitalize,
    contract,
    merge,
    word,
    words,
    write,
)

_VOWELS = "aeiouhyâàéèêëîïôûùœ"
_CONTRACTIONS = {
    ("de", "le"): "du",
    ("de", "les"): "des",
    ("à", "le"): "au",
    ("à", "les"): "aux",
}
_ELIDED = {"le": "l'", "la": "l'", "de": "d'", "ne": "n'", "que": "qu'"}


def sentence(meaning):
    """Returns the words of a `Sentence`."""
    clauses = [_clause(clause, str(i)) for i, clause in enumerate(meaning.clauses)]
    result = clauses[0]
    if meaning.kind == "question":
        place = _place(meaning.clauses[0], "0")
        rest = result[len(place) :]
        result = [*place, *words("est-ce que", "0asks"), *rest]
    if meaning.kind == "report":
        _, _, singular, plural, *_ = meaning.report
        said = plural if meaning.speaker.plural else singular
        subject = noun_phrase(meaning.speaker, "r")
        result = [*subject, word(said, "report"), word("que", "that"), *result]
    for i, clause in enumerate(clauses[1:]):
        join = f"join{i}"
        if meaning.kind == "because":  # the reason comes first
            comma = word(",", maybe=[join])
            result = [word("comme", join), *clause, comma, *result]
        else:
            result = [*result, word("et", join), *clause]
    result.append(word("?" if meaning.kind == "question" else ".", "stop"))
    return capitalize(contract(_elide(result), _CONTRACTIONS))


def text(sentence):
    return write(sentence, space_before="?")


def noun_phrase(phrase, key, negated=False):
    """The words of a phrase; `negated` says that the verb's `not` is its too."""
    if isinstance(phrase, Name):
        return [word(phrase.name, f"{key}noun")]
    if isinstance(phrase, Pair):
        first = noun_phrase(phrase.first, f"{key}1")
        second = noun_phrase(phrase.second, f"{key}2")
        return [*first, word("et", f"{key}and"), *second]
    if not isinstance(phrase, Common):
        form = "ils" if phrase.plural else ("il", "elle")[phrase.feminine]
        return [word(form, f"{key}noun")]
    noun = words(phrase.noun.french[phrase.plural], f"{key}noun")
    if phrase.adjective:
        adjective = words(_adjective(phrase, noun[0].text), f"{key}adjective")
        noun = [*adjective, *noun] if phrase.adjective.before else [*noun, *adjective]
    if phrase.owner:
        # The article has no word of its own in "the teacher's dog".
        article = word(_article(phrase), maybe=[f"{key}of"])
        owner = noun_phrase(phrase.owner, f"{key}owner")
        if isinstance(phrase.owner, Common):
            owner[0] = merge(owner[0], word("", f"{key}of"), owner[0].text)
        return [article, *noun, word("de", f"{key}of"), *owner]
    if negated and phrase.determiner == "a":
        return [word("de", f"{key}determiner"), *noun]
    return [word(_article(phrase), f"{key}determiner"), *noun]


def feminine(phrase):
    if isinstance(phrase, Pair):
        return feminine(phrase.first) and feminine(phrase.second)
    if isinstance(phrase, Common):
        return phrase.noun.french_gender == "f"
    return phrase.feminine


def _article(phrase):
    if isinstance(phrase.determiner, tuple):
        return phrase.determiner[1]
    if phrase.determiner == "every":
        return "chaque"
    forms = {
        "the": ("le", "la", "les"),
        "a": ("un", "une", None),
        "this": ("ce", "cette", "ces"),
    }[phrase.determiner]
    return forms[2] if phrase.plural else forms[feminine(phrase)]


def _adjective(phrase, noun):
    adjective = phrase.adjective
    vowel = noun[0] in _VOWELS and adjective.before
    if vowel and not phrase.plural and not feminine(phrase):
        return adjective.french_before_vowel
    return adjective.french[2 * phrase.plural + feminine(phrase)]


def _clause(clause, key):
    if isinstance(clause, Existence):
        there = words("il y a", f"{key}there")
        return [*_place(clause, key), *there, *noun_phrase(clause.thing, f"{key}o")]
    result = [*_place(clause, key), *noun_phrase(clause.subject, f"{key}s")]
    if clause.negated:
        result.append(word("ne", f"{key}not"))
    is_pronoun = clause.object and not isinstance(clause.object, (Common, Name, Pair))
    if is_pronoun:
        form = "les" if clause.object.plural else ("le", "la")[clause.object.feminine]
        result.append(word(form, f"{key}onoun"))
    result.append(_verb(clause, key))
    if clause.negated:
        result.append(word("pas", f"{key}not"))
    if clause.adverb:
        result.append(word(clause.adverb[1], f"{key}adverb"))
    if clause.predicate:
        number = 2 * clause.subject.plural + feminine(clause.subject)
        result += words(clause.predicate.french[number], f"{key}predicate")
    if clause.object and not is_pronoun:
        result += noun_phrase(clause.object, f"{key}o", clause.negated)
    return result


def _verb(clause, key):
    plural = clause.subject.plural
    if clause.future:
        stem = clause.verb.french_future if clause.verb else "ser"
        return word(stem + ("ont" if plural else "a"), f"{key}verb", f"{key}future")
    present = clause.verb.french if clause.verb else ("est", "sont")
    return word(present[plural], f"{key}verb")


def _place(clause, key):
    """Where: it opens the clause, with a comma after it."""
    if not clause.place:
        return []
    (_, preposition, _), phrase = clause.place
    return [
        *words(preposition, f"{key}preposition"),
        *noun_phrase(phrase, f"{key}p"),
        word(",", maybe=[f"{key}preposition", f"{key}pnoun"]),
    ]


def _elide(sentence):
    """Before a vowel: `le` and `la` become `l'`, `ce` becomes `cet`."""
    result = list(sentence)
    for i, item in enumerate(result[:-1]):
        if result[i + 1].text[0].lower() in _VOWELS:
            text = {**_ELIDED, "ce": "cet"}.get(item.text, item.text)
            result[i] = item._replace(text=text)
    return result
