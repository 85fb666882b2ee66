"""What the live figures of lesson 5 draw from: Glow's answers, computed beforehand, for a page cannot."""

from __future__ import annotations

import torch

from flowlib import assets
from flowlib import data as sets
from flowlib.course.pages.live.figures import numbers


def data() -> dict:
    images, _ = sets.digits()
    counts = {
        name: torch.bincount(part.flatten().long(), minlength=sets.DIGITS_LEVELS).tolist()
        for name, part in (("pixels", images.train), ("unseen", images.test))
    }
    temperatures, walks, alone = (
        assets.read_results("05_glow_live", table) for table in ("temperatures", "walks", "alone")
    )
    return counts | {
        "some": images.test.flatten()[:60].int().tolist(),
        "rotation": numbers(torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1))).Q),
        "temperatures": temperatures,
        "walks": {f"{row['a']}{row['b']}": row for row in walks},
        "digits": alone,
    }
