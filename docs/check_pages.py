"""Open each page of the built site in a browser, wide and narrow, light and dark.

    pip install playwright axe-playwright-python     # and a Chromium
    python docs/check_pages.py docs/_build/html --browser /usr/bin/chromium --pictures pages

It tells of pages that scroll sideways, and of serious findings of axe about accessibility, such
as text of too little contrast: exit status 1 if any. With `--pictures` it saves pages as PNG,
to be looked at. It needs no network.
"""

import argparse
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

WIDTHS = {"wide": 1280, "phone": 390}
SCHEMES = ("light", "dark")
SERIOUS = {"serious", "critical"}


def overhang(page):
    """Return by how many pixels the page is wider than the window."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def findings(page, axe):
    """Yield what axe finds serious, with the first elements it is about."""
    for found in axe.run(page).response["violations"]:
        if found["impact"] in SERIOUS:
            nodes = [node["html"][:90] for node in found["nodes"]]
            yield f"{found['id']} ({found['help']}), {len(nodes)} times: {nodes[0]}"


def look(page, axe, picture):
    """Yield what is wrong with an open page, and save its picture if there is a path for it."""
    if (wider := overhang(page)) > 0:
        yield f"scrolls sideways by {wider} pixels"
    yield from findings(page, axe)
    if picture:
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture, full_page=True)


def check(site, browser, pictures):
    """Return the number of faults of a site, each of which is printed."""
    faults, axe = 0, Axe()
    for scheme in SCHEMES:
        for name, width in WIDTHS.items():
            window = browser.new_page(
                viewport={"width": width, "height": 900}, color_scheme=scheme
            )
            for path in pages_of(site):
                window.goto(path.as_uri())
                shown = path.relative_to(site).with_suffix("")
                picture = pictures and pictures / f"{name}-{scheme}" / f"{shown}.png"
                for fault in look(window, axe, picture):
                    faults += 1
                    print(f"{shown} ({name}, {scheme}): {fault}", flush=True)
            window.close()
    return faults


def pages_of(site):
    """Return the pages of a site, but not the theme's own files."""
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


def main():
    """Check the site that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=lambda path: Path(path).resolve())
    parser.add_argument("--browser", help="the program, if it is not that of playwright")
    parser.add_argument("--pictures", type=Path)
    chosen = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chosen.browser, args=["--no-sandbox"]
        )
        faults = check(chosen.site, browser, chosen.pictures)
        browser.close()
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
