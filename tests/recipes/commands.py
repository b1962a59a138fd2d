"""Running the commands in this process, on a few pairs."""

from recipes.translation.__main__ import main

PAIRS = [("the red house", "la maison rouge"), ("a cat", "un chat")] * 15
PAIRS += [(f"the dog {i}", f"le chien {i}") for i in range(30)]
RUN_FILES = {"run.json", "source.model", "target.model", "training", "validation"}
RUN_FILES |= {"model.keras", "validation.json", "history.csv", "events"}


def call(*arguments):
    """Runs the command; returns its exit code."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
