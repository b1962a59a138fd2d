"""What options may be: each turns a string into a value, or raises ValueError."""


def _kind(name, kind, holds):
    def parse(text):
        value = kind(text)
        if not holds(value):
            raise ValueError(text)
        return value

    parse.__name__ = name  # argparse says it
    return parse


positive_int = _kind("positive int", int, lambda value: value > 0)
even_int = _kind("even int", int, lambda value: value > 0 and value % 2 == 0)
positive_float = _kind("positive float", float, lambda value: value > 0)
natural = _kind("natural number", int, lambda value: value >= 0)
share = _kind("share", float, lambda value: 0 <= value < 1)
