"""Measure again what the mixture CDF of lesson 1, section 6, gains, over splits and seeds:
python assets/results/01_change_of_variables.py  (about three minutes)

Writes 01_change_of_variables.json beside this file.
"""

import json
from pathlib import Path

import torch
from torch.distributions import Beta, Normal, Uniform

from flowlib import data, training
from flowlib.bijection import Inverse
from flowlib.flow import Flow
from flowlib.scalar import MixtureCDF

PRICES = data.dequantize(data.ames_prices(torch.float64), step=100.0, seed=0)
ZERO, ONE = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)


def gains(train, valid, test, components):
    """Nats that the bends gain over the log-normal fitted to the same houses, one number a test house."""
    mu, sigma = train.log().mean(), train.log().std(correction=0)
    rows = [(part.log() - mu) / sigma for part in (train, valid, test)]
    flow = Flow(Inverse(MixtureCDF(components, spread=1.0)).double(), Uniform(ZERO, ONE))
    training.fit(flow, *rows[:2], steps=500, lr=2e-2, batch_size=512, progress=False)
    with torch.no_grad():
        return flow.log_prob(rows[2]) - Normal(ZERO, ONE).log_prob(rows[2])


def mean_and_error(values):
    return {
        "gain": round(values.mean().item(), 4),
        "error": round(values.std().item() / len(values) ** 0.5, 4),
    }


def splits():
    """Six random splits, the test part of each."""
    for seed in range(6):
        parts = [PRICES[rows] for rows in data.split_rows(len(PRICES), seed=seed)]
        for components in (2, 3, 4):
            yield {"split": seed, "components": components} | mean_and_error(gains(*parts, components))


def every_house(folds=10):
    """Ten folds, shuffled three times: each house is scored by a flow that did not see it."""
    for components in (2, 3, 4):
        for shuffle in range(3):
            order = torch.randperm(len(PRICES), generator=data.seeded(shuffle)).tensor_split(folds)
            found = []
            for fold in range(folds):
                test, valid = order[fold], order[(fold + 1) % folds]
                train = torch.cat([order[k] for k in range(folds) if k not in (fold, (fold + 1) % folds)])
                found.append(gains(PRICES[train], PRICES[valid], PRICES[test], components))
            yield {"components": components, "shuffle": shuffle} | mean_and_error(torch.cat(found))


X = torch.linspace(-12, 12, 2001, dtype=torch.float64)  # where integrals are taken
TRUTH = data.two_gaussians_log_prob(X)


def beta_flow(components):
    return Flow(Inverse(MixtureCDF(components, spread=3.0)), Beta(2 * ONE, 5 * ONE)).double()


def missing(flow):
    """What the flow misses of the true density of the two Gaussians: the KL divergence, by quadrature."""
    return torch.trapezoid(TRUTH.exp() * (TRUTH - flow.log_prob(X)), X)


def known_truth():
    """What section 6's training on two Gaussians misses, over five draws of 750 points."""
    for components in (2, 4):
        for steps in (600, 2400):
            for seed in range(5):
                flow = beta_flow(components)
                learn(flow, data.two_gaussians(750, seed=seed).double(), steps)
                found = round(missing(flow).item(), 4)
                yield {"components": components, "steps": steps, "seed": seed, "missing": found}


def learn(flow, points, steps):
    """The loop of the lesson."""
    optimizer = torch.optim.AdamW(flow.parameters(), lr=5e-3, weight_decay=1e-5)
    for _ in range(steps):
        loss = -flow.log_prob(points).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()


def best_possible():
    """What the best flow of the family misses: fitted to the true density itself, from three starts."""
    for components in (2, 4):
        for seed in range(3):
            flow = beta_flow(components)
            with torch.no_grad():
                (params,) = flow.parameters()
                params += 0.3 * seed * torch.randn(params.shape, generator=data.seeded(seed))
            optimizer = torch.optim.LBFGS(
                flow.parameters(), max_iter=1000, tolerance_change=1e-12, line_search_fn="strong_wolfe"
            )

            def closure(flow=flow, optimizer=optimizer):
                optimizer.zero_grad()
                loss = missing(flow)
                loss.backward()
                return loss

            optimizer.step(closure)
            yield {"components": components, "start": seed, "missing": round(missing(flow).item(), 4)}


if __name__ == "__main__":
    torch.set_num_threads(1)  # the tensors are small: threads would wait for each other
    tables = {
        "splits": splits(),
        "every house": every_house(),
        "known truth": known_truth(),
        "best possible": best_possible(),
    }
    rows = {name: ",\n".join(json.dumps(row) for row in table) for name, table in tables.items()}
    text = ",\n".join(f'"{name}": [\n{table}\n]' for name, table in rows.items())
    Path(__file__).with_suffix(".json").write_text(f"{{\n{text}\n}}\n")
    print(text)
