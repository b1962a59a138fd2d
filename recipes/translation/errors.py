"""Wrong use: what the command line answers with one line and exit code 2."""


class UsageError(Exception):
    """Something that the person who called can put right."""
