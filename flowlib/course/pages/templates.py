"""Where the course makes HTML: templates hold the tags, and every word that is put in is escaped.

Only what is of the type Markup goes in as it stands. `clean` makes it of what strangers wrote, and
`coloured` of code; a template says `safe` of a file that is the course's own.
"""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, TextLexer

LONGEST_IN_COLOUR = 50_000  # characters of code; more would take seconds to colour
_COLOURS = HtmlFormatter(style="default")


def render(template: str, /, **values: object) -> str:
    """A page, or a piece of one, from the template of this file name.

    Raises:
        jinja2.UndefinedError: the template asks for a value that was not given.
    """
    return ENVIRONMENT.get_template(template).render(values)


def coloured(source: str) -> Markup:
    """Python in the colours of its syntax; the formatter escapes what it colours."""
    lexer = PythonLexer() if len(source) <= LONGEST_IN_COLOUR else TextLexer()
    return Markup(highlight(source, lexer, _COLOURS))


def number(value: float) -> str:
    """Points as people write them: 2 and 1.5, never 2.0."""
    return f"{value:g}"


ENVIRONMENT = Environment(
    loader=PackageLoader("flowlib.course.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {"coloured": coloured, "number": number}
ENVIRONMENT.globals["colours"] = _COLOURS.get_style_defs(".code")
