"""Find links within the built site that lead nowhere, also to anchors: exit status 1 if any.

    python docs/check_links.py docs/_build/html

Links to other sites are left alone, so that this needs no network.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

LINKS = {"href", "src", "action", "poster"}
LISTS_OF_LINKS = {"srcset", "imagesrcset"}  # "small.png, large.png 2x"


class Page(HTMLParser):
    """What a page links to, and the anchors that links to it may name."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        """Note the links and anchors of a tag."""
        for name, value in attributes:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name in LINKS:
                self.links.append(value or "")
            elif name in LISTS_OF_LINKS:
                self.links += [part.split()[0] for part in (value or "").split(",")]


def read_pages(site):
    """Read the pages of a site, but not the theme's own files."""
    paths = set(site.rglob("*.html")) - set((site / "_static").rglob("*.html"))
    return {path: Page(path) for path in sorted(paths)}


def why_dead(site, pages, path, link):
    """Tell why a link of the page at `path` is dead; None if it is not, or leaves the site."""
    if urlsplit(link).scheme or urlsplit(link).netloc:
        return None
    target = urlsplit(urljoin(path.as_uri(), link))
    file = Path(unquote(target.path)).resolve()
    if file.is_dir():
        file = file / "index.html"
    if not file.is_relative_to(site):
        return "leaves the site"
    if not file.is_file():
        return "no such file"
    anchor = unquote(target.fragment)
    if anchor and file in pages and anchor not in pages[file].anchors:
        return "no such anchor"
    return None


def find_dead_links(site):
    """Yield the page, the link and what is wrong with it for each dead link of a site."""
    site = Path(site).resolve()
    pages = read_pages(site)
    if not pages:
        raise FileNotFoundError(f"no pages in {site}")
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):  # each once, in order
            if reason := why_dead(site, pages, path, link):
                yield path.relative_to(site), link, reason


if __name__ == "__main__":
    dead = list(find_dead_links(sys.argv[1]))
    for page, link, reason in dead:
        print(f"{page}: {link}: {reason}")
    sys.exit(bool(dead))
