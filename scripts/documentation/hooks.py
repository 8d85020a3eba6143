"""MkDocs hook: add generated pages and the READMEs of the repository to the site, and rewrite their links."""

from __future__ import annotations

import re
from collections.abc import Callable

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from scripts.documentation import crd, messages, metrics, rest, rulebook, settings, socketio, values
from scripts.documentation.links import ROOT, rewritten
from scripts.render_values import BEGIN, END

GENERATED: dict[str, Callable[[], str]] = {
    "reference/rest.md": rest.page,
    "reference/socketio.md": socketio.page,
    "reference/messages.md": messages.page,
    "reference/feed.md": crd.page,
    "reference/rulebook.md": rulebook.page,
    "reference/values.md": values.page,
    "reference/settings.md": settings.page,
    "reference/metrics.md": metrics.page,
}
READMES = {
    "operator": "operator",
    "charts/deltastream": "chart",
    "k8s": "k8s",
    "examples": "examples",
    "tests/hostile": "hostile",
    **{f"services/{name}": name for name in (*settings.SERVICES, "contracts", "chassis")},
}
ADDED = {
    **{f"{folder}/README.md": f"components/{name}.md" for folder, name in READMES.items()},
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_DOCS = ROOT / "docs"
PAGES = {
    **{f"docs/{file.relative_to(_DOCS)}": str(file.relative_to(_DOCS)) for file in _DOCS.rglob("*.md")},
    **ADDED,
    "README.md": "index.md",
}
_SOURCES = {page: source for source, page in PAGES.items() if source != "README.md"}
_VALUES = "The table of all values is on the page [Chart values](../reference/values.md).\n"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for page, text in GENERATED.items():
        files.append(File.generated(config, page, content=text()))
    for source, page in ADDED.items():
        files.append(File.generated(config, page, content=_shown(source, page)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Rewrite the links of a page that is a file in docs/."""
    source = _SOURCES.get(page.file.src_uri, "")
    return rewritten(markdown, source, page.file.src_uri, PAGES) if source.startswith("docs/") else markdown


def _shown(source: str, page: str) -> str:
    """Return the text of a file outside docs/. The chart's table of values has a page of its own."""
    text = (ROOT / source).read_text()
    text = re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", "<!-- values -->\n", text, flags=re.DOTALL)
    return rewritten(text, source, page, PAGES).replace("<!-- values -->\n", _VALUES)
