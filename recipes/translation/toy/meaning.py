"""What a sentence says, before any language: drawn at random, and sensible."""

from dataclasses import dataclass
from functools import cache

from .lexicon import (
    ADJECTIVES,
    ADVERBS,
    MEN,
    NOUNS,
    NUMERALS,
    PREPOSITIONS,
    REPORTS,
    VERBS,
    WOMEN,
    Adjective,
    Noun,
    Verb,
)


@dataclass(frozen=True)
class Common:
    """The red house; the teacher's dog; two cats."""

    noun: Noun
    determiner: str | tuple = "the"  # the, a, this, every, or a numeral
    plural: bool = False
    adjective: Adjective | None = None
    owner: "Common | Name | None" = None


@dataclass(frozen=True)
class Name:
    """Anna."""

    name: str
    plural = False

    @property
    def feminine(self):
        return self.name not in MEN


@dataclass(frozen=True)
class Pronoun:
    """He, she, they; him, her, them."""

    feminine: bool
    plural: bool


@dataclass(frozen=True)
class Pair:
    """The boy and the girl."""

    first: "Common | Name"
    second: "Common | Name"
    plural = True


@dataclass(frozen=True)
class Clause:
    """Who does what, where and how; or who is what."""

    subject: "Common | Name | Pronoun | Pair"
    verb: Verb | None = None  # None: to be, with a predicate
    object: "Common | Name | Pronoun | Pair | None" = None
    predicate: Adjective | None = None
    adverb: tuple | None = None
    place: "tuple[tuple, Common] | None" = None
    negated: bool = False
    future: bool = False


@dataclass(frozen=True)
class Existence:
    """There is a dog in the garden."""

    thing: Common
    place: tuple[tuple, Common]


@dataclass(frozen=True)
class Sentence:
    """One clause, or up to three that are joined.

    `kind` is `statement`, `question`, `because`, `report` or `and`; a report
    has a `speaker` and a verb of saying before its one clause.
    """

    kind: str
    clauses: tuple
    speaker: "Common | Name | None" = None
    report: tuple | None = None


class Draw:
    """Draws sentences from a `random.Random`.

    Args:
        random: Only its method `random` is used, whose numbers stay the same
            from one version of Python to the next.
    """

    def __init__(self, random):
        self.random = random

    def chance(self, share):
        return self.random.random() < share

    def one(self, items):
        return items[int(self.random.random() * len(items))]

    def sentence(self):
        number = self.random.random()
        if number < 0.03:
            return Sentence("statement", (self.clause(),))
        if number < 0.07:
            return Sentence("question", (self.clause(),))
        if number < 0.33:
            return Sentence("because", (self.clause(short=True), self.short_clause()))
        if number < 0.43:
            clause = self.clause(short=True)
            return Sentence("report", (clause,), self.speaker(), self.one(REPORTS))
        if number < 0.98:
            return self.chain()
        return Sentence("statement", (self.existence(),))

    def chain(self):
        """Two clauses or three."""
        clauses = tuple(self.clause() for _ in range(2 + self.chance(0.25)))
        return Sentence("and", clauses)

    def clause(self, short=False):
        if self.chance(0.15):
            return self.predication()
        verb = self.one(VERBS)
        subject = self.subject(verb.subjects)
        negated = self.chance(0.2)
        future = not verb.progressive and self.chance(0.25)
        adverb = self.one(ADVERBS) if not negated and self.chance(0.2) else None
        place = self.place() if not short and self.chance(0.5) else None
        thing = self.object(verb, negated)
        return Clause(
            subject, verb, thing, None, adverb, place, negated=negated, future=future
        )

    def short_clause(self):
        """A clause whose subject is a name or a pronoun."""
        if self.chance(0.3):
            subject = self.pronoun() if self.chance(0.5) else self.name()
            adjective = self.one(adjectives_of(("person",)))
            return Clause(subject, predicate=adjective, negated=self.chance(0.2))
        verb = self.one(VERBS)
        subject = self.pronoun() if self.chance(0.6) else self.name()
        negated = self.chance(0.2)
        return Clause(subject, verb, self.object(verb, negated), negated=negated)

    def predication(self):
        noun = self.one(NOUNS)
        subject = Common(noun, plural=self.chance(0.4))
        if "person" in noun.classes and self.chance(0.5):
            subject = self.one((self.name(), self.pronoun()))
        return Clause(
            subject,
            predicate=self.adjective_for(noun),
            negated=self.chance(0.25),
            future=self.chance(0.15),
        )

    def existence(self):
        noun = self.one(_MOVABLE)
        determiner, plural = "a", False
        if self.chance(0.4):
            determiner, plural = self.one(NUMERALS), True
        adjective = self.adjective_for(noun) if self.chance(0.4) else None
        return Existence(Common(noun, determiner, plural, adjective), self.place())

    def subject(self, classes):
        number = self.random.random()
        if "person" in classes and number < 0.2:
            return self.name()
        if "person" in classes and number < 0.35:
            return self.pronoun()
        if "person" in classes and number < 0.4:
            return Pair(self.common(classes, "the"), self.name())
        return self.common(classes)

    def object(self, verb, negated):
        number = self.random.random()
        if "person" in verb.objects and number < 0.2:
            return self.pronoun()
        if "person" in verb.objects and number < 0.3:
            return self.name()
        if negated:
            determiner = self.one(("the", "the", "a", "this"))
            return self.common(verb.objects, determiner)
        return self.common(verb.objects)

    def common(self, classes, determiner=None):
        noun = self.one(nouns_of(classes))
        adjective = self.adjective_for(noun) if self.chance(0.45) else None
        if determiner is None:
            number = self.random.random()
            if number < 0.15 and "person" not in noun.classes:
                return Common(noun, "the", self.chance(0.2), adjective, self.owner())
            determiner = self.one(("the", "the", "the", "a", "a", "this", "every", 2))
        plural = determiner == 2 or (determiner in ("the", "this") and self.chance(0.4))
        if determiner == 2:
            determiner = self.one(NUMERALS)
        return Common(noun, determiner, plural, adjective)

    def owner(self):
        if self.chance(0.4):
            return self.name()
        return Common(self.one(nouns_of(("person",))))

    def speaker(self):
        return self.name() if self.chance(0.4) else self.owner()

    def name(self):
        return Name(self.one(MEN + WOMEN))

    def pronoun(self):
        plural = self.chance(0.3)
        return Pronoun(not plural and self.chance(0.5), plural)

    def place(self):
        noun = self.one(nouns_of(("place",)))
        return self.one(PREPOSITIONS), Common(noun)

    def adjective_for(self, noun):
        return self.one(adjectives_of(noun.classes))


@cache
def nouns_of(classes):
    """The nouns that are in one of the classes."""
    return [noun for noun in NOUNS if set(noun.classes) & set(classes)]


@cache
def adjectives_of(classes):
    """The adjectives that can be said of nouns of these classes."""
    return [a for a in ADJECTIVES if set(a.classes) & {"*", *classes}]


_MOVABLE = [noun for noun in NOUNS if "place" not in noun.classes]


def combinations(sentence):
    """The pairs of words that belong together: adjective and noun, verb and object."""
    found = set()
    for clause in sentence.clauses:
        for phrase in _phrases(clause):
            if isinstance(phrase, Common) and phrase.adjective:
                found.add((phrase.adjective.english, phrase.noun.english[0]))
        if isinstance(clause, Clause):
            if clause.predicate and isinstance(clause.subject, Common):
                found.add((clause.predicate.english, clause.subject.noun.english[0]))
            if clause.verb and isinstance(clause.object, Common):
                found.add((clause.verb.english[0], clause.object.noun.english[0]))
    return found


def _phrases(clause):
    if isinstance(clause, Existence):
        return [clause.thing]
    phrases = [clause.subject, clause.object]
    return phrases + [
        member
        for phrase in phrases
        if isinstance(phrase, Pair)
        for member in (phrase.first, phrase.second)
    ]
