# %% right: function
"""
why: "the diagnosis as a function"
"""


def diagnosis():
    return {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "order"}


# %% right: laws
"""
why: "by the laws, by comparing with weight and by one image alone"
"""

images_5 = noise((4, 3, 2, 3), 0)
diagnosis = {}
for name, (weight_5, forward_5, inverse_5) in PATIENTS.items():
    x_5, log_det_5 = forward_5(images_5)
    alone_5 = torch.cat([forward_5(images_5[i : i + 1])[0] for i in range(4)])
    applied_5 = torch.einsum("ij,bjhw->bihw", weight_5, images_5)
    true_5 = 6 * torch.linalg.slogdet(weight_5)[1]
    if not torch.allclose(x_5, alone_5):
        diagnosis[name] = "images"
    elif not torch.allclose(x_5, applied_5):
        diagnosis[name] = "signs"
    elif not torch.allclose(inverse_5(x_5)[0], images_5):
        diagnosis[name] = "order"
    else:
        diagnosis[name] = "healthy" if torch.allclose(log_det_5, true_5.expand(4)) else "pixels"

# %% right: pairs
"""
why: "a dictionary from pairs"
"""

diagnosis = dict(Fay="signs", Gus="pixels", Hana="healthy", Ivo="images", Joy="order")

# %% wrong: all_healthy
"""
caught_by: task5_test_a
says: "exactly one patient is healthy, you have 5"
why: "nothing looked at"
"""

diagnosis = {"Fay": "healthy", "Gus": "healthy", "Hana": "healthy", "Ivo": "healthy", "Joy": "healthy"}

# %% wrong: fay_healthy
"""
caught_by: task5_test_a
says: "compare forward with weight"
why: "asks the laws of a bijection only, and suspects the missing determinant"
"""

diagnosis = {"Fay": "healthy", "Gus": "pixels", "Hana": "minus", "Ivo": "images", "Joy": "order"}

# %% wrong: fay_minus
"""
caught_by: task5_test_a
says: "how does the matrix applied differ"
why: "sees a lost sign and calls it the log-determinant's"
"""

diagnosis = {"Fay": "minus", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "order"}

# %% wrong: gus_minus
"""
caught_by: task5_test_b
says: "by which factor"
why: "the factor taken for a sign"
"""

diagnosis = {"Fay": "signs", "Gus": "minus", "Hana": "healthy", "Ivo": "images", "Joy": "order"}

# %% wrong: hana_pixels
"""
caught_by: task5_test_a
says: "look at the matrix"
why: "takes a log-determinant of 0 for a forgotten one"
"""

diagnosis = {"Fay": "healthy", "Gus": "pixels", "Hana": "pixels", "Ivo": "images", "Joy": "order"}

# %% wrong: hana_transpose
"""
caught_by: task5_test_a
says: "look at the matrix"
why: "takes the transpose for a fault"
"""

diagnosis = {"Fay": "healthy", "Gus": "pixels", "Hana": "transpose", "Ivo": "images", "Joy": "order"}

# %% wrong: ivo_healthy
"""
caught_by: task5_test_b
says: "with one image and with several"
why: "tried with one image only"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "pixels", "Ivo": "healthy", "Joy": "order"}

# %% wrong: ivo_pixels
"""
caught_by: task5_test_b
says: "look beyond the log-determinant"
why: "trusts the wording of check_log_det"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "pixels", "Joy": "order"}

# %% wrong: joy_transpose
"""
caught_by: task5_test_b
says: "Joy is ill, but not of 'transpose'"
why: "the wrong inverse taken for a transpose"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "transpose"}

# %% wrong: list
"""
caught_by: task5_test_a
says: "should be a dictionary"
why: "a list of words"
"""

diagnosis = ["signs", "pixels", "healthy", "images", "order"]

# %% wrong: missing
"""
caught_by: task5_test_a
says: "should have the keys"
why: "a patient left out"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images"}

# %% wrong: own_word
"""
caught_by: task5_test_a
says: "is not one of"
why: "a word of one's own"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "images", "Joy": "permutation"}

# %% wrong: swapped
"""
caught_by: task5_test_b
says: "follow one pixel"
why: "two faults confused"
"""

diagnosis = {"Fay": "signs", "Gus": "pixels", "Hana": "healthy", "Ivo": "order", "Joy": "images"}
