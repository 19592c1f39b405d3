"""Check the links inside a built site: python tools/check_links.py docs/_build/html

Prints every link to a file, or to a place in a page, that does not exist, and exits with 1 if
there is one. Links to other sites are not followed.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes that name a file.
LINKS = {"href", "src", "srcset", "data-url"}


class Page(HTMLParser):
    """The links of a page, and the places in it that a link can name."""

    def __init__(self, text: str):
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if name == "srcset":
                self.links |= {part.split()[0] for part in value.split(",")}
            elif name in LINKS and (tag, dict(attrs).get("rel")) != ("link", "preconnect"):
                self.links.add(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.places.add(value)


def dead_links(folder: Path) -> list[tuple[str, str]]:
    """Return the page and the link of every link inside a site that leads nowhere."""
    folder = folder.resolve()
    files = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path.read_text("utf-8")) for path in files}
    if not pages:
        raise ValueError(f"{folder} has no .html files: expected a built site.")
    return [
        (str(path.relative_to(folder)), link)
        for path, page in pages.items()
        for link in sorted(page.links)
        if not _leads_somewhere(link, path, pages)
    ]


def _leads_somewhere(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    if not target.is_file():
        return False
    place = unquote(parts.fragment)
    return not place or target not in pages or place in pages[target].places


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    dead = dead_links(Path(arguments[0]))
    for page, link in dead:
        print(f"{page}: {link}")
    print(f"{len(dead)} dead links", file=sys.stderr)
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
