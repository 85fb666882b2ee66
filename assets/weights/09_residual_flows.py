"""Train lesson 9's row in the course's table again: python assets/weights/09_residual_flows.py

Writes 09_residual_flows.safetensors beside this file, in about five minutes. The lesson and its demo load it
and check its figures on held-out data.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from flowlib import data
from flowlib.models import ResidualFlow
from flowlib.training import fit

HERE = Path(__file__).with_suffix(".safetensors")


def main() -> None:
    train, valid = data.shared_target()[:2]
    torch.manual_seed(0)
    flow = ResidualFlow(2, 16, (32, 32), lipschitz=0.97)
    history = fit(flow, train, valid, steps=3000, lr=5e-3)
    print(f"validation NLL {min(history.valid):.3f} nats, {history.seconds:.0f} s")
    save_file({f"shared_target.{key}": value for key, value in flow.state_dict().items()}, HERE)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
