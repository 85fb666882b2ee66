"""
task: task5
why: "one draw at a time; the counts with a default"
"""


def reverse_kl(z, layers, log_z):
    def one(point):
        u, log_q = point[None], -0.5 * float((point**2).sum()) - len(point) * 0.5 * math.log(2 * math.pi)
        for k in range(1, layers + 1):
            m, a = conditioner(u, k)
            u, log_q = m + u * a.exp(), log_q - float(a.sum())
        return log_q - float(log_target(u)) + log_z

    return sum(one(point) for point in z) / len(z)


def passes(family, job, dim, layers):
    per_layer = {("maf", "sample"): dim, ("maf", "both"): dim, ("maf", "score"): 1}
    return layers * per_layer.get((family, job), dim if job == "score" else 1)
