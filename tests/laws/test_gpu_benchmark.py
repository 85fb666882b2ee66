"""The GPU benchmark on a machine without a GPU: every line runs, failures are named, bars are judged."""

import pytest
import torch

from tests.benchmarks import gpu, peers

PEERS = ("zuko", "nflows", "normflows")
pytestmark = [  # warnings of the peers
    pytest.mark.filterwarnings("ignore:torch.lu is deprecated"),
    pytest.mark.filterwarnings("ignore:Inputs to the softmax are not scaled down"),
]


def dry_run(folder, *rows: str) -> str:
    """The table of a run at tiny sizes; the state of torch's generator stays as it was."""
    with torch.random.fork_rng([]):
        code = gpu.main([*rows, "--device", "cpu", "--quick", "--out", str(folder)])
    text = (folder / "benchmark_gpu.md").read_text(encoding="utf-8")
    assert code == 0, text
    return text


def test_every_line_runs_without_a_gpu(tmp_path):
    for peer in PEERS:
        pytest.importorskip(peer)
    text = dry_run(tmp_path)
    for work in ("RealNVP", "NSF", "MAF", "CNF", "MAF sampling", "PlanarFlow", "fit", "Glow"):
        assert f"| {work}" in text
    lines = [line for line in text.splitlines() if line.endswith("|  |  |")]
    for peer, rows in zip(PEERS, (6, 4, 3), strict=True):
        assert sum(f"{peer} " in line.split("|")[4] for line in lines) >= rows, text


def test_peers_may_be_missing(tmp_path, monkeypatch):
    for peer in PEERS:
        monkeypatch.setattr(peers, peer, None)
    text = dry_run(tmp_path, "realnvp", "cnf", "sampling")
    assert all(f"no {peer}" in text for peer in PEERS)
    assert not any(f"{peer} / recorded" in text for peer in PEERS)


def test_a_contender_that_fails_is_named_and_the_others_are_measured():
    def fails():
        raise RuntimeError("out of memory\nand more lines")

    bench = gpu.Bench(torch.device("cpu"), seconds=0.0, quick=True)
    figures = bench.by_turns({"recorded": lambda: fails, "zuko": fails, "eager": lambda: lambda: None})
    assert figures["recorded"] == figures["zuko"] == "failed: RuntimeError: out of memory"
    assert figures["eager"] >= 0
    row = gpu.beside_peers(bench, "work", figures, 8.0)
    assert row.failed == ["recorded", "zuko"] and row.passed is False


@pytest.mark.parametrize(
    ("figures", "value", "at_least", "passed"),
    [
        ({"recorded": 1.0, "zuko": 8.0}, 8.0, True, True),
        ({"recorded": 1.0, "zuko": 7.9}, 7.9, True, False),
        ({"recorded": 1.0, "zuko": 7.9}, 7.9, False, True),
        ({"recorded": 1.0, "eager": "failed: why", "zuko": 9.0}, 9.0, True, False),
        ({"recorded": 1.0, "zuko": 9.0, "nflows": "failed: why"}, 9.0, True, True),
        ({"recorded": 1.0}, None, True, None),
    ],
)
def test_bars(figures, value, at_least, passed):
    assert gpu.Row("work", figures, value, bar=8.0, at_least=at_least).passed is passed
