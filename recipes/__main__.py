"""The `kattention` command: `kattention translation --help`."""

import argparse
import importlib
import sys
from importlib.metadata import version

RECIPES = {"translation": "train, evaluate, use and export translation models"}


def main(arguments=None):
    """Hands the arguments to a recipe; returns its exit code."""
    recipes = "\n".join(f"  {name:12} {text}" for name, text in RECIPES.items())
    parser = argparse.ArgumentParser(
        prog="kattention",
        description="Attention for recurrent Keras models: recipes to train and use.",
        epilog=f"recipes:\n{recipes}\n\nkattention RECIPE --help lists its commands.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"kattention {version('kattention')}"
    )
    parser.add_argument("recipe", choices=RECIPES, metavar="RECIPE")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    if not (sys.argv[1:] if arguments is None else arguments):
        parser.print_help()
        return 2
    options = parser.parse_args(arguments)
    # Here, not above: a recipe loads TensorFlow.
    recipe = importlib.import_module(f".{options.recipe}.__main__", __package__)
    return recipe.main(options.arguments, f"kattention {options.recipe}")


if __name__ == "__main__":
    sys.exit(main())
