"""Meaning into German words."""

import re

from .meaning import Common, Existence, Name, Pair
from .words import (
    capitalize,
    contract,
    merge,
    word,
    words,
    write,
)

NOMINATIVE, ACCUSATIVE, DATIVE, GENITIVE = range(4)
# Endings of der (and dieser, jeder) by gender or plural, then case.
_STRONG = {
    "m": ("er", "en", "em", "es"),
    "f": ("e", "e", "er", "er"),
    "n": ("es", "es", "em", "es"),
    "p": ("e", "e", "en", "er"),
}
_DEFINITE = {
    "m": ("der", "den", "dem", "des"),
    "f": ("die", "die", "der", "der"),
    "n": ("das", "das", "dem", "des"),
    "p": ("die", "die", "den", "der"),
}
_CONTRACTIONS = {("in", "dem"): "im", ("bei", "dem"): "beim"}


def sentence(meaning):
    """Returns the words of a `Sentence`."""
    joined = meaning.kind == "because"
    order = "question" if meaning.kind == "question" else "main"
    if meaning.kind == "report":
        order = "subordinate"
    result = _clause(meaning.clauses[0], "0", order)
    if meaning.kind == "report":
        *_, singular, plural = meaning.report
        said = plural if meaning.speaker.plural else singular
        subject = noun_phrase(meaning.speaker, "r", NOMINATIVE)
        result = [*subject, word(said, "report"), *words(", dass", "that"), *result]
    for i, clause in enumerate(meaning.clauses[1:]):
        joint = words(", weil" if joined else "und", f"join{i}")
        order = "subordinate" if joined else "main"
        result = [*result, *joint, *_clause(clause, str(i + 1), order)]
    result.append(word("?" if meaning.kind == "question" else ".", "stop"))
    return capitalize(contract(result, _CONTRACTIONS))


def text(sentence):
    return write(sentence)


def noun_phrase(phrase, key, case, negation=None):
    """The words of a phrase; `negation` is the part `not` that it takes in."""
    if isinstance(phrase, Name):
        return [word(phrase.name, f"{key}noun")]
    if isinstance(phrase, Pair):
        first = noun_phrase(phrase.first, f"{key}1", case)
        second = noun_phrase(phrase.second, f"{key}2", case)
        return [*first, word("und", f"{key}and"), *second]
    if not isinstance(phrase, Common):
        he = "er" if case == NOMINATIVE else "ihn"
        form = "sie" if phrase.plural or phrase.feminine else he
        return [word(form, f"{key}noun")]
    article = word(_article(phrase, case, negation), f"{key}determiner")
    if negation:
        article = merge(article, word("", negation), article.text)
    result = [article]
    if phrase.adjective:
        form = phrase.adjective.german
        form += _adjective_ending(phrase, case).removeprefix(
            "e" if form.endswith("e") else ""
        )
        result.append(word(form, f"{key}adjective"))
    result.append(word(_noun(phrase, case), f"{key}noun"))
    if not phrase.owner:
        return result
    # The article has no word of its own in "the teacher's dog".
    result[0] = word(article.text, maybe=[f"{key}of"])
    if isinstance(phrase.owner, Name):
        name = noun_phrase(phrase.owner, f"{key}owner", DATIVE)
        return [*result, word("von", f"{key}of"), *name]
    owner = noun_phrase(phrase.owner, f"{key}owner", GENITIVE)
    owner[0] = merge(owner[0], word("", f"{key}of"), owner[0].text)
    return [*result, *owner]


def _gender(phrase):
    return "p" if phrase.plural else phrase.noun.german_gender


def _article(phrase, case, negation):
    gender, determiner = _gender(phrase), phrase.determiner
    if isinstance(determiner, tuple):
        return determiner[2]
    if determiner == "the":
        return _DEFINITE[gender][case]
    if determiner == "a":
        stem = "kein" if negation else "ein"
        return stem + ("" if _bare(gender, case) else _STRONG[gender][case])
    return {"this": "dies", "every": "jed"}[determiner] + _STRONG[gender][case]


def _bare(gender, case):
    """Where `ein` has no ending."""
    return (case, gender) in {(NOMINATIVE, "m"), (NOMINATIVE, "n"), (ACCUSATIVE, "n")}


def _adjective_ending(phrase, case):
    gender, determiner = _gender(phrase), phrase.determiner
    if isinstance(determiner, tuple) or (determiner == "a" and _bare(gender, case)):
        return _STRONG[gender][case]
    if (case == NOMINATIVE and gender != "p") or (
        case == ACCUSATIVE and gender in "fn"
    ):
        return "e"
    return "en"


def _noun(phrase, case):
    noun = phrase.noun
    singular, plural = noun.german
    if phrase.plural:
        add_n = case == DATIVE and plural[-1] not in "ns"
        return plural + ("n" if add_n else "")
    if noun.weak and case != NOMINATIVE:
        return plural
    if case == GENITIVE and noun.german_gender in "mn":
        syllables = len(re.findall("[aeiouäöü]+", singular.lower()))
        return singular + ("es" if syllables == 1 else "s")
    return singular


def _clause(clause, key, order):
    if isinstance(clause, Existence):
        there = words("es gibt", f"{key}there")
        thing = noun_phrase(clause.thing, f"{key}o", ACCUSATIVE)
        place = _place(clause, key)
        return [*place, *reversed(there), *thing]
    subject = noun_phrase(clause.subject, f"{key}s", NOMINATIVE)
    finite, end = _verb(clause, key, order)
    middle, place = _middle(clause, key), _place(clause, key)
    if clause.predicate:
        end = [word(clause.predicate.german, f"{key}predicate"), *end]
    if order == "main" and place:  # the verb stays second
        return [*place, finite, *subject, *middle, *end]
    if order == "question":
        return [finite, *subject, *middle, *place, *end]
    if order == "subordinate":
        return [*subject, *middle, *place, *end, finite]
    return [*subject, finite, *middle, *end]


def _middle(clause, key):
    """Object, adverb and negation."""
    thing, not_ = [], f"{key}not"
    swallowed = (
        clause.negated
        and isinstance(clause.object, Common)
        and clause.object.determiner == "a"
    )
    if clause.object:
        negation = not_ if swallowed else None
        thing = noun_phrase(clause.object, f"{key}o", ACCUSATIVE, negation)
    adverb = [word(clause.adverb[2], f"{key}adverb")] if clause.adverb else []
    is_pronoun = clause.object and not isinstance(clause.object, (Common, Name, Pair))
    middle = [*thing, *adverb] if is_pronoun else [*adverb, *thing]
    if clause.negated and not swallowed:
        middle.append(word("nicht", not_))
    return middle


def _verb(clause, key, order):
    """The finite verb, and the words that end the clause."""
    plural, verb = clause.subject.plural, f"{key}verb"
    asks = [f"{key}asks"] if order == "question" else []
    if clause.future:
        infinitive = clause.verb.german_infinitive if clause.verb else "sein"
        finite = word("werden" if plural else "wird", f"{key}future", maybe=asks)
        return finite, [word(infinitive, verb)]
    if clause.verb is None:
        return word("sind" if plural else "ist", verb, maybe=asks), []
    form, prefix = clause.verb.german[plural], clause.verb.german_prefix
    if order == "subordinate":
        return word(prefix + form, verb), []
    end = [word(prefix, verb)] if prefix else []
    return word(form, verb, maybe=asks), end


def _place(clause, key):
    if not clause.place:
        return []
    (*_, preposition), phrase = clause.place
    return [
        word(preposition, f"{key}preposition"),
        *noun_phrase(phrase, f"{key}p", DATIVE),
    ]
