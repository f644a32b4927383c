"""Check the pages that Sphinx has built: ``python docs/check_site.py docs/_build/html``.

Every link inside the site leads to a page and to a place on it. No page fetches a file from
elsewhere. Pages of the API show no constructor that users do not call. The index of the search has
the words that people search for.
"""

import json
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Words that people search for. The search takes the stem of each.
WORDS = (
    "background", "subtraction", "band", "pass", "zero", "phase", "TIFF", "nodata", "xarray",
    "GaussianBlur", "moving", "average", "uint16",
)  # fmt: skip

#: Classes whose constructors users do not call.
MADE_BY_FUNCTIONS = ("pyconv.Plan", "pyconv.Explanation", "pyconv.nn.History")


class Page(HTMLParser):
    """The links, the places and the files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.files: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.places.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in ("script", "img", "source", "iframe") and "src" in found:
            self.files.add(found["src"])
        if tag == "link" and "stylesheet" in found.get("rel", ""):
            self.files.add(found["href"])


def faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the site."""
    folder = folder.resolve()
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in folder.rglob("*.html")
        if "_static" not in path.parts
    }
    pages = {path: Page(text) for path, text in texts.items()}
    for path, page in pages.items():
        name = path.relative_to(folder)
        for link in sorted(page.links):
            if fault := wrong_link(link, path, pages):
                yield f"{name}: {link} {fault}"
        for file in sorted(page.files):
            if fault := wrong_file(file, path):
                yield f"{name}: {file} {fault}"
    for name in MADE_BY_FUNCTIONS:
        text = texts.get(folder / "generated" / f"{name}.html", "")
        if 'class="sig-param"' in text.partition("</dt>")[0]:
            yield f"{name}: the page shows the arguments of a constructor that users do not call"
    for word in missing_words((folder / "searchindex.js").read_text(encoding="utf-8")):
        yield f"search: no page has the word {word}"


def wrong_link(link: str, path: Path, pages: dict[Path, Page]) -> str:
    """Return what is wrong with a link of a page, or ""."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return "leads nowhere"
    place = unquote(parts.fragment)
    lost = place and target in pages and place not in pages[target].places
    return "leads to no place on its page" if lost else ""


def wrong_file(file: str, path: Path) -> str:
    """Return what is wrong with a file that a page needs, or ""."""
    parts = urlsplit(file)
    if parts.netloc:
        return "is fetched from elsewhere"
    there = not parts.path or (path.parent / unquote(parts.path)).exists()
    return "" if there else "does not exist"


def missing_words(index: str) -> Iterator[str]:
    """Yield the words that a search does not find."""
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    known = {*terms["terms"], *terms["titleterms"]}
    for word in WORDS:
        stem = word.lower()[: max(4, len(word) - 4)]
        if not any(term.startswith(stem) for term in known):
            yield word


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found) or "the site is sound")
    sys.exit(bool(found))
