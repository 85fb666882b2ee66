"""Open JupyterLab on a lesson."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from flowlib.course.folders import NOTEBOOK, CourseError

PORT = 8888  # the first that is tried
START_SECONDS = 60
WORKSPACE = "flowcourse"
README = "markdownviewer-widget:README.md"
SETTINGS = Path(__file__).parent / "lab_settings"  # the glossary is shown, not its source; no news


def lab(root: Path, lesson: str, *, port: int = PORT, browser: bool = True, say: Callable = print) -> int:
    """Run JupyterLab until it is stopped with Ctrl-C; returns its exit code.

    Raises:
        CourseError: JupyterLab is not installed, no port is free, or it does not start.
    """
    return _serve(root, address(start_page(root, lesson)), {}, port, browser, say)


def address(path: str) -> str:
    """Where JupyterLab shows this file of the course, after its server's address."""
    return f"lab/workspaces/{WORKSPACE}/tree/{path}"


def formgrader(
    root: Path,
    lesson: str,
    results: Path,
    db: str,
    *,
    port: int = PORT,
    browser: bool = True,
    say: Callable = print,
) -> int:
    """Run nbgrader's formgrader on the submissions to a lesson until Ctrl-C; returns its exit code.

    Args:
        results: the folder that `flowcourse grade` wrote.
        db: SQLAlchemy's address of the gradebook.

    Raises:
        CourseError: as `lab`.
    """
    # nbgrader_config.py reads them.
    where = {"FLOWCOURSE_RESULTS": str(results.resolve()), "FLOWCOURSE_DB": db}
    # nbgrader starts alembic by name, which lies beside this Python.
    where["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    page = f"/formgrader/gradebook/{lesson}/{Path(NOTEBOOK).stem}"
    # By way of the login page: the cookie that a page sets holds for the pages below it only.
    return _serve(root, f"login?next={quote(page, safe='')}", where, port, browser, say)


def _serve(
    root: Path, page: str, environment: dict[str, str], port: int, browser: bool, say: Callable
) -> int:
    """Run Jupyter's server and show one of its pages."""
    free = first_free_port(port)
    if free != port:
        say(f"Port {port} is taken, perhaps by another JupyterLab; using {free}.")
    token = secrets.token_hex(16)
    server_address = f"http://localhost:{free}"
    url = f"{server_address}/{page}{'&' if '?' in page else '?'}token={token}"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--port={free}",
        "--ServerApp.port_retries=0",
    ]
    command += [f"--LabApp.app_settings_dir={SETTINGS}"]
    command += [f"--ServerApp.root_dir={root}", "--ServerApp.log_level=WARN", "--LabApp.log_level=WARN"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    say("Starting JupyterLab ...")
    server = subprocess.Popen(command, cwd=root, env={**os.environ, **environment, "JUPYTER_TOKEN": token})
    try:
        _wait_until_ready(server, f"{server_address}/api")
        _lay_out_start_page(f"{server_address}/lab/api/workspaces/{WORKSPACE}?token={token}")
        opened = browser and has_browser() and webbrowser.open(url)
        say(f"JupyterLab runs at\n\n  {url}\n")
        say("It was opened in your browser." if opened else "Open that address in a browser.")
        say("Press Ctrl-C here to stop it.")
        return server.wait()
    except KeyboardInterrupt:
        say("Stopped.")
        return 0
    finally:
        if server.poll() is None:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            server.kill()


def _lay_out_start_page(url: str) -> None:
    """The first time, put README beside the lesson: every notebook is one click away from there."""
    layout = {
        "layout-restorer:data": {
            "main": {"dock": {"type": "tab-area", "currentIndex": 0, "widgets": [README]}, "current": README},
            "left": {"collapsed": False, "current": "filebrowser", "widgets": ["filebrowser"]},
        },
        README: {"data": {"path": "README.md", "factory": "Markdown Preview"}},
    }
    workspace = json.dumps({"data": layout, "metadata": {"id": WORKSPACE}}).encode()
    with contextlib.suppress(OSError):  # without it the lesson opens alone
        with urllib.request.urlopen(url, timeout=10) as known:
            if json.load(known).get("data"):
                return
        put = urllib.request.Request(url, data=workspace, method="PUT")
        put.add_header("Content-Type", "application/json")
        urllib.request.urlopen(put, timeout=10).close()


def start_page(root: Path, lesson: str) -> str:
    """The page to open: the lesson, or its exercises while it has none."""
    for name in ("lesson.ipynb", "exercises.ipynb", "demo.ipynb"):
        if (root / "lessons" / lesson / name).is_file():
            return f"lessons/{lesson}/{name}"
    raise CourseError(f"lessons/{lesson} holds no notebook. Run: flowcourse release {lesson[:2]}")


def first_free_port(port: int, tries: int = 50) -> int:
    """The first port from `port` on that nobody listens on."""
    for candidate in range(port, port + tries):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except (OSError, OverflowError):
                continue
            return candidate
    raise CourseError(
        f"No port from {port} to {port + tries - 1} is free. Name another: flowcourse lab --port N"
    )


def has_browser() -> bool:
    """Whether this machine can show a browser: on Linux that takes a display."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _wait_until_ready(server: subprocess.Popen, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise CourseError(f"JupyterLab ended at once (code {server.returncode}). Run: flowcourse doctor")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise CourseError(f"JupyterLab did not start within {START_SECONDS} s. Run: flowcourse doctor")
