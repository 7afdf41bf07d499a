"""How far each latent follows one factor of variation alone, from codes [N, D] and factors [N, F] as numpy arrays."""

import numpy as np

BINS = 20  # of each latent, of equal width (Locatello et al. 2019)
ACTIVE = 0.05  # variance of a latent's mean below which it is taken to have collapsed to the prior


def mutual_information_gap(codes: np.ndarray, factors: np.ndarray, *, bins: int = BINS) -> float:
    """Return the MIG in [0, 1] (Chen et al. 2018, equation 6): 1 where each factor is known from one latent alone.

    Over factors, the mean of (I(z_a; v) - I(z_b; v)) / H(v), where z_a and z_b are the two latents that tell most of
    the factor v. Latents are cut into `bins` of equal width over their range, so that the mutual information is
    that of discrete variables; of few examples it comes out too large by about (bins - 1)(values - 1) / 2N nats,
    for both latents alike.

    codes: [N, D], D >= 2, such as the means of q(z|x). factors: [N, F], discrete. Raises ValueError for other shapes,
    codes that are not finite, a factor that never varies, or fewer than two bins.
    """
    codes, factors = _checked("mutual_information_gap", codes, factors)
    if codes.shape[1] < 2 or bins < 2:
        raise ValueError(
            f"mutual_information_gap: expected at least 2 latents and 2 bins, got {codes.shape[1]} and {bins}"
        )
    information = mutual_information(codes, factors, bins=bins)
    entropy = np.array([_entropy(np.bincount(_ranks(factor))) for factor in factors.T])
    second, first = np.sort(information, axis=0)[-2:]
    return float(((first - second) / entropy).mean())


def mutual_information(codes: np.ndarray, factors: np.ndarray, *, bins: int = BINS) -> np.ndarray:
    """Return I(z_d; v_f) [D, F] in nats of latents in `bins` bins of equal width. codes: [N, D]. factors: [N, F]."""
    from sklearn.metrics import mutual_info_score

    codes, factors = _checked("mutual_information", codes, factors)
    cells = [_bins(code, bins) for code in codes.T]
    values = [_ranks(factor) for factor in factors.T]
    return np.array([[mutual_info_score(cell, value) for value in values] for cell in cells])


def factor_score(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    seed: int,
    votes: int = 800,
    group: int = 64,
    active: float = ACTIVE,
) -> float:
    """Return the FactorVAE score in [0, 1] (Kim and Mnih 2018, section 4): 1 where each latent tells of one factor.

    A vote: a factor is drawn, then a group of examples that share one value of it; the latent with the smallest
    variance in the group, in units of its variance over all examples, votes for the factor. Each latent stands for
    the factor it votes for most often in `votes` votes; the score is how often that is right in as many new ones.
    Chance is about 1 / F. Latents whose variance is at most `active` have collapsed and have no vote; if all have,
    the score is 0.

    codes: [N, D], such as the means of q(z|x), in units of the prior. factors: [N, F], discrete. group: examples a
    vote, drawn with replacement where fewer share the value. Raises ValueError for other shapes, codes that are not
    finite, a factor that never varies or has a value of a single example, or fewer than 1 vote or 2 examples a group.
    """
    codes, factors = _checked("factor_score", codes, factors)
    if votes < 1 or group < 2:
        raise ValueError(f"factor_score: expected at least 1 vote of groups of at least 2, got {votes} of {group}")
    values = np.stack([_ranks(factor) for factor in factors.T], axis=1)
    members = [[np.flatnonzero(column == value) for value in range(column.max() + 1)] for column in values.T]
    for number, lists in enumerate(members):
        if (fewest := min(map(len, lists))) < 2:
            raise ValueError(f"factor_score: expected 2 examples of each value of factor {number}, got {fewest} of one")
    variance = codes.var(axis=0)
    if not (variance > active).any():
        return 0.0
    codes = codes[:, variance > active] / np.sqrt(variance[variance > active])
    random = np.random.default_rng(seed)

    def ballots() -> np.ndarray:
        """Return how often each latent votes for each factor, [D, F]."""
        counts = np.zeros((codes.shape[1], len(members)), int)
        for _ in range(votes):
            factor = random.integers(len(members))
            same = members[factor][values[random.integers(len(codes)), factor]]
            chosen = random.choice(same, group, replace=len(same) < group)
            counts[codes[chosen].var(axis=0).argmin(), factor] += 1
        return counts

    meaning = ballots().argmax(axis=1)
    return float(ballots()[np.arange(codes.shape[1]), meaning].sum() / votes)


def _checked(name: str, codes: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or 0 in codes.shape or 0 in factors.shape:
        raise ValueError(f"{name}: expected codes [N, D] and factors [N, F], got {codes.shape} and {factors.shape}")
    if not np.isfinite(codes).all():
        raise ValueError(f"{name}: expected finite codes, got {np.count_nonzero(~np.isfinite(codes))} that are not")
    for number, factor in enumerate(factors.T):
        if (factor == factor[0]).all():
            raise ValueError(f"{name}: expected factors that vary, got {factor[0]} throughout factor {number}")
    return codes, factors


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def _bins(code: np.ndarray, bins: int) -> np.ndarray:
    edges = np.linspace(code.min(), code.max(), bins + 1)[1:-1]
    return np.digitize(code, edges)


def _entropy(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())
