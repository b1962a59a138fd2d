"""Meaning into English words."""

from .meaning import Common, Existence, Name, Pair
from .words import capitalize, word, words, write


def sentence(meaning):
    """Returns the words of a `Sentence`."""
    clauses = [
        _clause(clause, str(i), question=meaning.kind == "question")
        for i, clause in enumerate(meaning.clauses)
    ]
    result = clauses[0]
    if meaning.kind == "report":
        singular, plural, *_ = meaning.report
        said = plural if meaning.speaker.plural else singular
        subject = noun_phrase(meaning.speaker, "r")
        result = [*subject, word(said, "report"), word("that", "that"), *result]
    for i, clause in enumerate(clauses[1:]):
        result = [*result, word(meaning.kind, f"join{i}"), *clause]
    result.append(word("?" if meaning.kind == "question" else ".", "stop"))
    return capitalize(result)


def text(sentence):
    return write(sentence)


def noun_phrase(phrase, key, objective=False):
    if isinstance(phrase, Name):
        return [word(phrase.name, f"{key}noun")]
    if isinstance(phrase, Pair):
        first = noun_phrase(phrase.first, f"{key}1")
        second = noun_phrase(phrase.second, f"{key}2")
        return [*first, word("and", f"{key}and"), *second]
    if not isinstance(phrase, Common):
        forms = ("him", "her", "them") if objective else ("he", "she", "they")
        form = forms[2] if phrase.plural else forms[phrase.feminine]
        return [word(form, f"{key}noun")]
    rest = []
    if phrase.adjective:
        rest.append(word(phrase.adjective.english, f"{key}adjective"))
    rest.append(word(phrase.noun.english[phrase.plural], f"{key}noun"))
    if phrase.owner:
        owner = noun_phrase(phrase.owner, f"{key}owner")
        return [*owner, word("'s", f"{key}of"), *rest]
    determiner = phrase.determiner
    if isinstance(determiner, tuple):
        determiner = determiner[0]
    elif determiner == "this" and phrase.plural:
        determiner = "these"
    elif determiner == "a" and rest[0].text[0] in "aeiou":
        determiner = "an"
    return [word(determiner, f"{key}determiner"), *rest]


def _clause(clause, key, question):
    if isinstance(clause, Existence):
        is_ = "are" if clause.thing.plural else "is"
        there = [word("there", f"{key}there"), word(is_, f"{key}there")]
        return [*there, *noun_phrase(clause.thing, f"{key}o"), *_place(clause, key)]
    subject = noun_phrase(clause.subject, f"{key}s")
    auxiliary, main = _verb(clause, key, question)
    not_ = [word("not", f"{key}not")] if clause.negated else []
    adverb = [word(clause.adverb[0], f"{key}adverb")] if clause.adverb else []
    # The adverb goes before a full verb, after an auxiliary.
    rest = [*not_, *adverb, *main]
    if clause.predicate:
        rest.append(word(clause.predicate.english, f"{key}predicate"))
    if clause.object:
        rest += noun_phrase(clause.object, f"{key}o", objective=True)
    rest += _place(clause, key)
    if question:
        return [*auxiliary, *subject, *rest]
    return [*subject, *auxiliary, *rest]


def _verb(clause, key, question):
    """The auxiliary (none or one word) and the rest of the verb."""
    plural = clause.subject.plural
    verb, asks = f"{key}verb", [f"{key}asks"] if question else []
    if clause.future:
        main = clause.verb.english[0] if clause.verb else "be"
        return [word("will", f"{key}future", *asks)], words(main, verb)
    if clause.verb is None or clause.verb.progressive:
        main = words(" ".join(clause.verb.english), verb) if clause.verb else []
        is_ = "are" if plural else "is"
        return [word(is_, verb, *asks)], main
    base, third = clause.verb.english
    if clause.negated or question:
        do = word("do" if plural else "does", *asks, maybe=[verb, f"{key}not"])
        return [do], [word(base, verb)]
    return [], [word(base if plural else third, verb)]


def _place(clause, key):
    if not clause.place:
        return []
    (preposition, *_), phrase = clause.place
    return [
        *words(preposition, f"{key}preposition"),
        *noun_phrase(phrase, f"{key}p"),
    ]
