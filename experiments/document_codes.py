"""Codes of documents in the plane: Hinton and Salakhutdinov 2006, "Reducing the Dimensionality of Data".

python -m experiments.document_codes
    2,000 docstrings of 20 packages: 71.2 % of nearest neighbours in the plane are of the same topic (LSA: 34.0 %),
    half a minute on two cores
"""

from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.common.autoencoders import check_range, check_widths
from experiments.common.variants import variant
from jaxgen.data import PARTS, Dataset
from jaxgen.games.autoencoder import Trainee, autoencoder_game, params_of
from jaxgen.losses.reconstruction import multinomial
from jaxgen.metrics.batched import over
from jaxgen.metrics.lsa import lsa
from jaxgen.metrics.retrieval import retrieval_accuracy
from jaxgen.models.autoencoder import mlp_autoencoder
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Common, Experiment, Progress, Result
from jaxgen.viz.scatter import scatter

NAME = "autoencoder"  # of the one player
NEIGHBOURS = (1, 5, 15)
SHOWN = 3000  # documents in a picture of the plane, at most


@dataclass(frozen=True)
class Config(Common):
    """Options of the document codes."""

    data: str = "docstrings"
    """word counts: docstrings, newsgroups (fetched), or npz:PATH with counts x [N, V] and labels"""
    steps: int = 2000
    """training steps of the whole run"""
    hidden: tuple[int, ...] = (500, 250, 125)
    """widths of the encoder's layers (the decoder has them in reverse)"""
    code: int = 2
    """dimensions of the code, and of LSA's beside it"""
    drop: float = 0.7
    """fraction of a document's different words that the encoder does not see, drawn anew each time"""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to zero as a cosine"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "code", "hidden")
        check_range(self, "drop", 0, 1)
        check_range(self, "learning_rate", 0)


def probabilities(counts: jax.Array) -> jax.Array:
    """Return the frequencies [B, V] of words; zeros where a document has none. counts: [B, V]."""
    return counts / jnp.maximum(counts.sum(-1, keepdims=True), 1.0)


def scaled(counts: jax.Array) -> jax.Array:
    """Return what the encoder sees [B, V]: frequencies, enlarged so that its first layer starts near unit variance."""
    return 3 * counts.shape[-1] ** 0.5 * probabilities(counts)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for data that are no word counts with labels."""
    data = open_data(config)
    check_counts(config, data)
    words = data.train["x"].shape[1]
    model = mlp_autoencoder((words,), config.hidden, config.code, mean=jax.nn.softmax, **config.types)

    def game(config):
        def objective(params, x, key):
            seen = x * jax.random.bernoulli(key, 1 - config.drop, x.shape)
            return multinomial(probabilities(x), model.decode(params, model.encode(params, scaled(seen))))

        tx = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
        return autoencoder_game({NAME: Trainee(model, objective, tx)})

    @jax.jit
    def nats(params, key, batch):
        own, x = params_of(NAME, params), batch["x"]
        return multinomial(x, model.decode(own, model.encode(own, scaled(x)))), x.sum(-1)

    def nats_a_word(params, part):
        total, count = over(partial(nats, params), jax.random.key(0), part, batch_size=500)
        return total.sum() / count.sum()

    encode = jax.jit(lambda params, key, batch: model.encode(params_of(NAME, params), scaled(batch["x"])))

    def codes(params):
        parts = [over(partial(encode, params), jax.random.key(0), getattr(data, p), batch_size=500) for p in PARTS]
        return np.concatenate(parts)

    label = np.concatenate([getattr(data, part)["label"] for part in PARTS])
    queries = np.arange(len(label) - len(data.test["label"]), len(label))
    neighbours = tuple(k for k in NEIGHBOURS if k < len(label))

    @cache
    def linear():  # the same for every seed
        counts = np.concatenate([getattr(data, part)["x"] for part in PARTS])
        kinds = {"log counts": False, "tf-idf": True}
        return {name: lsa(data.train["x"], counts, config.code, weighted=weighted) for name, weighted in kinds.items()}

    def plane(points, title):
        shown = np.linspace(0, len(label) - 1, min(SHOWN, len(label))).astype(int)
        return scatter(points[shown], label[shown], title=title, names=data.classes)

    def evaluate(state):
        return {"nats": nats_a_word(state.params, data.validation)}

    def pictures(state):
        return {"codes": plane(codes(state.params), "codes of all documents")} if config.code == 2 else {}

    def finish(state, progress: Progress) -> Result:
        progress("retrieving")
        own, others = codes(state.params), linear()
        found = retrieval_accuracy(own, label, queries, neighbours)
        baseline = [
            retrieval_accuracy(points, label, queries, neighbours, metric=metric)
            for points in others.values()
            for metric in ("euclidean", "cosine")
        ]
        names = {k: f"same topic, {k} nearest" for k in neighbours}
        nats = "negative log-likelihood"
        pictures = {}
        if config.code == 2:
            both = {"autoencoder": own, "LSA of log counts": others["log counts"]}
            pictures["planes"] = np.concatenate([plane(points, name) for name, points in both.items()], axis=1)
        return Result(
            scores={**{names[k]: 100 * found[k] for k in neighbours}, nats: nats_a_word(state.params, data.test)},
            baselines={
                **{names[k]: 100 * max(one[k] for one in baseline) for k in neighbours},
                nats: unigram(data.train["x"], data.test["x"]),
            },
            units={**dict.fromkeys(names.values(), "%"), nats: "nats a word"},
            better={**dict.fromkeys(names.values(), "higher"), nats: "lower"},
            protocol=f"{data.source}. Retrieval: the share of the nearest other documents, of all parts, that have the "
            f"topic of the query, mean of all {len(queries)} test documents as queries; codes of {config.code} "
            f"dimensions by Euclidean distance, from the checkpoint with the best validation likelihood. Baseline: LSA "
            f"of as many dimensions, of log counts or tf-idf, by Euclidean or cosine distance, whichever is best for "
            f"each number. Log-likelihood of the test documents' words; baseline: word frequencies of training.",
            pictures=pictures,
        )

    return Experiment(
        game=game(config),
        data=data,
        prepare=lambda key, batch: {"x": batch["x"]},
        evaluate=evaluate,
        pictures=pictures,
        finish=finish,
        watch="nats",
        watch_mode="min",
        variant=variant("document_codes", game, config, "learning_rate", "drop"),
    )


def check_counts(config: Config, data: Dataset) -> None:
    """Raise ValueError where the data are no labelled word counts, or have too few words for the code."""
    if "x" not in data.train:
        raise ValueError(f"--data must be word counts, such as docstrings; {config.data} has images")
    if "label" not in data.train:
        raise ValueError(f"--data must have labels, the topics to retrieve by; {config.data} has none")
    for part in PARTS:
        x = getattr(data, part)["x"]
        if (bad := (x < 0) | (x != np.round(x))).any():
            raise ValueError(f"--data must be word counts, whole numbers from 0 up; {config.data} has {x[bad][0]:g}")
    if config.code >= (most := min(data.train["x"].shape)):
        raise ValueError(f"--code must be below the {most} words or training documents there are, got {config.code}")


def unigram(train: np.ndarray, test: np.ndarray) -> float:
    """Return the negative log-likelihood of test counts, nats a word, under the training counts' frequencies.

    Every word counts once more than it was seen, so that none is impossible.
    """
    total = train.sum(0) + 1.0
    return float(-(test @ np.log(total / total.sum())).sum() / test.sum())


if __name__ == "__main__":
    main("document_codes", Config, build, __doc__)
