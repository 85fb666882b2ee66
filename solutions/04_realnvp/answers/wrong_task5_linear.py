"""
task: task5
caught_by: task5_test_a
says: "does not use RealNVP or NSF or Coupling"
why: "a normal density cannot bend"
"""

mean_5, cov_5 = points.mean(0), torch.cov(points.T)
normal_5 = torch.distributions.MultivariateNormal(mean_5, cov_5)


def fitted_log_prob(x):
    return normal_5.log_prob(x)


def fitted_noise(x):
    return torch.linalg.solve(torch.linalg.cholesky(cov_5), (x - mean_5).T).T


def fitted_sample(n):
    return normal_5.sample((n,))
