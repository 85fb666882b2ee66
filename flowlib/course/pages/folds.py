"""What starts folded on the site: answers to guesses, and the sections that are for a second reading.

A Sphinx extension. myst-nb folds the outputs of a cell by itself when the cell has the tag hide-output;
a section goes on over many cells, so its parts are put into one fold when the page has been read.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes

SECOND = "(second reading)"  # how the heading of such a section ends


class Fold(nodes.container):
    """The parts of a section below its heading, hidden until asked for."""


def open_fold(translator: Any, node: Fold) -> None:
    translator.body.append(translator.starttag(node, "details", CLASS="second-reading"))
    translator.body.append(translator.starttag(node, "summary") + "Show this section</summary>")


def close_fold(translator: Any, node: Fold) -> None:
    translator.body.append("</details>\n")


def fold_sections(app: object, page: nodes.document) -> None:
    for section in list(page.findall(nodes.section)):
        heading = section[0]
        if heading.astext().endswith(SECOND):
            below = section[1:]
            section.children = [heading]
            section += Fold("", *below)


def setup(app: Any) -> dict[str, bool]:
    app.add_node(Fold, html=(open_fold, close_fold))
    app.connect("doctree-read", fold_sections)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
