"""The VAE of `benchmarks.subjects.vae` as pythae's model: same network, loss, optimiser, precision and data."""

import torch
import torch.nn.functional as F
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.samplers import NormalSampler

from benchmarks.peers.likelihood import training
from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import drawing, put
from benchmarks.peers.vae import BATCH_SIZE, EXAMPLES, HIDDEN, LATENT, LEARNING_RATE, PIXELS
from benchmarks.pixels import binary_images


class Encoder(BaseEncoder):
    """x [B, 784] -> mean and logarithm of the variance, [B, 20] each."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(PIXELS, HIDDEN)
        self.out = torch.nn.Linear(HIDDEN, 2 * LATENT)

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Encode."""
        mean, log_variance = self.out(F.relu(self.hidden(x))).chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """z [B, 20] -> probabilities [B, 784]: pythae's loss takes no logits."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(LATENT, HIDDEN)
        self.out = torch.nn.Linear(HIDDEN, PIXELS)

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Decode."""
        return ModelOutput(reconstruction=torch.sigmoid(self.out(F.relu(self.hidden(z)))))


def network() -> VAE:
    """Return pythae's VAE with networks of the size of ours."""
    config = VAEConfig(input_dim=(PIXELS,), latent_dim=LATENT, reconstruction_loss="bce")
    return VAE(config, encoder=Encoder(), decoder=Decoder())


def loss(model: VAE, x: torch.Tensor) -> torch.Tensor:
    """Return the negative ELBO as the model works it out, averaged over the batch: a scalar in nats."""
    return model({"data": x}).loss


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer of this kind. steps: how many steps' worth of the data order to hold."""
    torch.manual_seed(0)
    data = put(binary_images(EXAMPLES, (PIXELS,)))
    return training(network(), loss, data, kind, steps, batch_size=BATCH_SIZE, rate=LEARNING_RATE)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    torch.manual_seed(0)
    model = network()
    normal = NormalSampler(model)
    return drawing(model, lambda model: normal.sample(num_samples=BATCH_SIZE, batch_size=BATCH_SIZE), kind)
