"""VAE posteriors by flows: Kingma et al. 2016, "Improved variational inference with inverse autoregressive flow".

Planar and radial flows are those of Rezende and Mohamed 2015, "Variational inference with normalizing flows": what
bends each layer hangs on the example, by a network of what the encoder says. A VAE with the same networks and a
Gaussian posterior trains beside it, as the baseline of every score.

python -m experiments.iaf
    digits (8x8): test -log p 22.52 nats (Gaussian posterior 22.60), negative ELBO 22.90 (22.99), 45 seconds on two
    cores
python -m experiments.iaf --posterior planar
    digits (8x8): test -log p 22.52 nats, negative ELBO 23.00; 22.59 and 23.03 with the same planes for all examples
python -m experiments.iaf --posterior coupling | radial
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import jax
import optax

from experiments.common.autoencoders import ACTIVATIONS, check_widths
from experiments.common.latent import SampledConfig, evaluation, likelihood_scorer, model
from experiments.common.pictures import vae_pictures
from experiments.common.view import view
from experiments.iwae import latent_of
from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.base import Bijector
from jaxgen.bijectors.chain import Chain, Repeat
from jaxgen.bijectors.elementwise import affine, sigmoid_scale
from jaxgen.bijectors.permute import Reverse
from jaxgen.bijectors.planar import Planar
from jaxgen.bijectors.radial import Radial
from jaxgen.games.iwae import iwae_game
from jaxgen.games.side_by_side import own, side_by_side
from jaxgen.models.coupling_flows import vector_flow
from jaxgen.models.flow_posterior import FlowPosterior
from jaxgen.nn.conditioner import ZEROS, DenseConditioner
from jaxgen.nn.masked import MADE
from jaxgen.run.cli import main
from jaxgen.run.data import open_data
from jaxgen.run.experiment import Experiment, Progress, Result
from jaxgen.viz.pairs import beside

NAMES = ("flow", "gaussian")


@dataclass(frozen=True)
class Config(SampledConfig):
    """Options of the VAE with a flow for its posterior."""

    steps: int = 4000
    """training steps of the whole run"""
    posterior: Literal["iaf", "coupling", "planar", "radial"] = "iaf"
    """kind of the flow from the Gaussian code to the code"""
    layers: int = 4
    """layers of the flow; couplings come in pairs"""
    flow_hidden: tuple[int, ...] = (128,)
    """widths of the flow's networks"""
    samples: int = 1000
    """importance samples an example of the final log-likelihood"""

    def check(self) -> None:
        """Raise ValueError for values that no run can have."""
        super().check()
        check_widths(self, "layers", "flow_hidden")


def flow_of(config: Config) -> Bijector:
    """Return the bijector of codes [B, latent]; its networks also see the Gaussian's mean and scale, or them alone."""
    options = {"activation": ACTIVATIONS[config.activation], **config.types}
    dense = partial(DenseConditioner, hidden=config.flow_hidden, **options)
    if config.posterior == "planar":
        return Repeat(Planar(dense), config.layers)
    if config.posterior == "radial":
        return Repeat(Radial(dense), config.layers)
    if config.posterior == "coupling":
        return vector_flow(dense, affine(), layers=config.layers, norm=False)
    net = partial(MADE, config.flow_hidden, kernel_init=ZEROS, **options)
    return Repeat(Chain([Autoregressive(net, affine(sigmoid_scale)), Reverse()]), config.layers)


def build(config: Config) -> Experiment:
    """Return the experiment. Raises ValueError for options that do not fit the data."""
    seen = view(open_data(config), config.likelihood, config.binarise)
    vae = model(config, seen)
    models = dict(zip(NAMES, (FlowPosterior(vae, flow_of(config)), vae), strict=True))
    latents = {name: latent_of(one, 1) for name, one in models.items()}
    evaluate = evaluation(latents["flow"], seen)
    scorers = {name: likelihood_scorer(config, latent, seen) for name, latent in latents.items()}

    def game(config):
        rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
        return side_by_side({name: iwae_game(one, optax.adam(rate), k=1) for name, one in models.items()})

    def pictures(state):
        params = own("flow", state.params)
        drawn = vae_pictures(vae, {**params, "encoder": params["encoder"]["gaussian"]}, seen)
        if "reconstructions" in drawn:
            x = seen.some("validation", 32)["x"]
            remade = jax.jit(models["flow"].reconstruct)(params, x)
            drawn["reconstructions"] = beside(x, remade, labels=("data", "model"), columns=8)
        return drawn

    def finish(state, progress: Progress) -> Result:
        results = {name: scorers[name](own(name, state.params), progress) for name in NAMES}
        for result in results.values():
            scores = result.scores
            scores["posterior gap"] = scores["negative ELBO"] - scores["negative log-likelihood"]
            scores.pop("bound of 1 samples")
        flow, gaussian = results["flow"], results["gaussian"]
        return flow._replace(
            baselines=gaussian.scores,
            units=dict.fromkeys(flow.scores, "nats"),
            better=dict.fromkeys(flow.scores, "lower"),
            protocol=f"{flow.protocol} The baseline has the same networks and a Gaussian posterior. Posterior gap: "
            "KL(q(z|x) || p(z|x)), the difference of the two others.",
        )

    return Experiment(
        game=game(config),
        data=seen.data,
        prepare=lambda key, batch: {"x": seen.see("train", key, batch)},
        evaluate=lambda state: evaluate(own("flow", state.params)),
        pictures=pictures,
        finish=finish,
        watch="elbo",
        variant=lambda options: game(replace(config, **options)),
    )


if __name__ == "__main__":
    main("iaf", Config, build, __doc__)
