"""
task: task3
caught_by: task3_test_a
says: "uses ActNorm"
why: "flowlib's finished layer"
"""

from flowlib.linear import ActNorm


class ActNormOnce(ActNorm):
    def __init__(self, channels):
        super().__init__(channels)
        self.extra = nn.Parameter(torch.zeros(1))
