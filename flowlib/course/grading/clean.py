"""What strangers wrote, made harmless: no scripts, nothing loaded from elsewhere, no commands in formulas.

Feedback pages carry a policy that forbids scripts, but formgrader shows a student's words on a page
of the instructor's own Jupyter server, where a script could do all that the instructor can. So what
is kept of a submission is HTML that has been cleaned, in both places. Its type says so: `cleaned` alone
makes Markup of a stranger's words, and a template escapes all that is not Markup.
"""

from __future__ import annotations

import re

import nh3
from markupsafe import Markup, escape
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

LONGEST = 20_000  # characters that are rendered; what is longer is shown as it was typed
_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,")
_LINK = re.compile(r"https?://|mailto:|#")
# MathJax's commands that make links, load extensions or touch the page.
_COMMANDS = re.compile(r"\\(href|url|require|class|cssId|style|data|html\w*|mmlToken|unicode)(?![A-Za-z])")


def cleaned(content: str) -> Markup:
    """HTML with harmless tags only; pictures stay if they stand in it, links if they lead to the web."""
    schemes = {"http", "https", "mailto", "data"}
    content = nh3.clean(content, attribute_filter=_attribute, url_schemes=schemes)
    # The name stays readable. Dropping the backslash would turn \\href into \href.
    return Markup(_COMMANDS.sub(r"\\mathrm{\1}", content))


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if _PICTURE.match(value) else None
    if name == "href":
        return value if _LINK.match(value) else None
    return None if name == "cite" else value


def markdown(source: str) -> Markup:
    """Markdown as formgrader renders it, formulas kept, as cleaned HTML."""
    if len(source) > LONGEST:
        return plain(source)
    try:
        renderer = _Renderer(escape=False, exclude_anchor_links=True)
        return cleaned(str(MarkdownWithMath(renderer=renderer).render(source)))
    except Exception:  # strangers' words may overwhelm a parser
        return plain(source)


def plain(source: str) -> Markup:
    """Text as it was typed, as HTML."""
    return cleaned(f"<pre>{escape(source)}</pre>")


def formula(source: str) -> Markup:
    """LaTeX, for MathJax to set where there is one, as HTML."""
    return cleaned(f"<div>{escape(source)}</div>")


def cell_source(content: Markup) -> str:
    """Cleaned HTML as the source of a Markdown cell.

    In one line it is one block of HTML, in which no renderer of Markdown looks for Markdown again.
    """
    return "<div>" + str(content).replace("\r", "").replace("\n", "&#10;") + "</div>"


class _Renderer(IPythonRenderer):
    def image(self, text: str, url: str, title: str | None = None) -> str:
        """A picture that stands in the notebook; of any other, what it was called."""
        if _PICTURE.match(url):
            return super().image(text, url, title)
        return str(escape(f"[picture {text}: {url[:200]}]"))
