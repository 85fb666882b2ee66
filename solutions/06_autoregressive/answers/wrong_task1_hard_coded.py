"""
task: task1
caught_by: task1_test_a
says: "(outputs, inputs)"
why: "the example of the statement"
"""


def made_masks(order, degrees):
    first = torch.tensor([[1, 0, 0], [1, 1, 0]]).bool()
    last = torch.tensor([[0, 0], [1, 0], [1, 1]]).bool()
    return [first, last]
