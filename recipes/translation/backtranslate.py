"""The `back-translate` command: pairs from text in the target language alone."""

from itertools import islice
from pathlib import Path

from tqdm import tqdm

from .data.files import iterate_lines
from .errors import UsageError
from .evaluate import translate_all

CHUNK = 2048


def back_translate(translator, path, output, tag, **search):
    """Writes pairs whose source is a translation and whose target is real text.

    Source: Sennrich, Haddow and Birch, "Improving Neural Machine Translation
    Models with Monolingual Data" (2016); the tag: Caswell, Chelba and
    Grangier, "Tagged Back-Translation" (2019).

    Args:
        translator: Translates from the language of the text to that of the
            sources.
        path: A file with a sentence a line, of any size.
        output: The file to write: source, a tab and target.
        tag: What each written source begins with; may be empty.
        **search: See `translate_all`.

    Returns:
        The number of pairs. Lines without text, or with a tab, are left out.
    """
    output = Path(output)
    if output.is_dir() or output.resolve() == Path(path).resolve():
        kind = "a folder" if output.is_dir() else "the text itself"
        raise UsageError(f"cannot write to {output}: it is {kind}")
    if not output.parent.is_dir():
        raise UsageError(f"cannot write to {output}: {output.parent} is no folder")
    aside = output.with_name(f".writing-{output.name}")
    lines = (line.strip() for line in iterate_lines(path))
    lines = tqdm(lines, "translating", unit=" lines", disable=None)
    usable = (line for line in lines if line and "\t" not in line)
    count = 0
    try:
        with open(aside, "w", encoding="utf-8", newline="\n") as file:
            while chunk := list(islice(usable, CHUNK)):
                for text, line in zip(
                    translate_all(translator, chunk, **search), chunk, strict=True
                ):
                    # What would end a line or a column of the file.
                    source = " ".join(f"{tag} {text}".split())
                    file.write(f"{source}\t{line}\n")
                count += len(chunk)
        aside.replace(output)
    except OSError as error:
        raise UsageError(f"cannot write to {output}: {error.strerror}") from None
    finally:
        aside.unlink(missing_ok=True)
    return count
