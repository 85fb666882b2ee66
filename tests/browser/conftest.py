"""A real browser, and JupyterLab on a copy of the course that tests may write to."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from flowlib.course.pages.site import make_site
from tests.conftest import HOUSE, start
from tests.tiny import make_tiny_course

AXE = "axe-core@4.14.1"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser():
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root or in most containers.
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def page(browser, request):
    """A page that keeps what went wrong on it, and every address it asked for; a failure is photographed."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.errors, page.requests = [], []
    page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    yield page
    if request.node.stash.get(FAILED, False):
        target = HOUSE / ".build" / "test" / f"{request.node.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target)
        print(f"What the browser showed: {target}")
    context.close()


class Lab:
    """JupyterLab on a copy of the course."""

    def __init__(self, root, url):
        self.root = root
        self.base, self.token = url.split("/lab/")[0], url.split("token=")[1]

    def address(self, path: str) -> str:
        """A workspace of its own for each page: no tab of an earlier test comes back."""
        name = "".join(letter if letter.isalnum() else "-" for letter in path)
        return f"{self.base}/lab/workspaces/{name}/tree/{path}?token={self.token}"

    def read(self, path: str) -> dict:
        return json.loads((self.root / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """One server for all tests; ends with them."""
    root = make_tiny_course(tmp_path_factory.mktemp("course"))
    shutil.copytree(HOUSE / "lessons", root / "lessons", dirs_exist_ok=True)
    shutil.copytree(HOUSE / "assets", root / "assets")
    shutil.copy(HOUSE / "README.md", root)
    for path in root.glob("lessons/*/*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        path.write_text(json.dumps(notebook), encoding="utf-8")
    home = tmp_path_factory.mktemp("home")
    env = os.environ | {"HOME": str(home), "JUPYTER_CONFIG_DIR": str(home), "OMP_NUM_THREADS": "1"}
    env.pop("MPLBACKEND", None)  # notebooks draw inline
    # nbgrader starts alembic by name, which lies beside this Python.
    env["PATH"] = f"{os.path.dirname(sys.executable)}{os.pathsep}{env['PATH']}"
    command = [sys.executable, "-u", "-m", "flowlib.course.cli", "lab", "01_tiny", "--no-browser"]
    command.append("--port=18950")
    subprocess.run([*command[:4], "release", "01_tiny"], cwd=root, env=env, check=True, capture_output=True)
    with start(command, cwd=root, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = ""
            for line in process.stdout:
                url = line.strip() if line.strip().startswith("http") else url
                if "Ctrl-C" in line:
                    break
            assert url, "flowcourse lab ended"
            yield Lab(root, url)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="session")
def serve():
    """serve(folder) -> the address of a web server for it."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    def start(folder) -> str:
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def site(serve):
    """The course's site: its folder, and its address at a web server."""
    index = make_site(HOUSE)
    return index.parent, serve(index.parent)


@pytest.fixture(scope="session")
def axe():
    """axe-core's script, which npm brings once."""
    script = HOUSE / ".build" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        if shutil.which("npm") is None:
            pytest.skip("axe-core needs npm: apt install npm")
        command = ["npm", "install", "--no-save", "--prefix", str(HOUSE / ".build" / "npm"), AXE]
        if subprocess.run(command, capture_output=True, timeout=300).returncode:
            pytest.skip("npm could not bring axe-core")
    return script.read_text(encoding="utf-8")


def serious_faults(page, axe):
    """What axe-core finds serious or critical on a page, each with the place where it stands."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [(v["id"], v["nodes"][0]["html"][:120]) for v in found if v["impact"] in ("serious", "critical")]
