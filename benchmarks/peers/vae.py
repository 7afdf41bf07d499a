"""The VAE of `benchmarks.subjects.vae` in plain PyTorch: same network, loss, optimiser, precision and data."""

import torch
import torch.nn.functional as F

from benchmarks.peers.peer import Peer
from benchmarks.peers.torch_ways import compiled, drawing, parameters, put
from benchmarks.pixels import binary_images, orders

# Written again rather than imported: the worker that runs this must not start JAX and its threads.
PIXELS, HIDDEN, LATENT, BATCH_SIZE, EXAMPLES, LEARNING_RATE = 784, 400, 20, 128, 10_000, 1e-3


class Network(torch.nn.Module):
    """Encoder and decoder; x [B, 784], noise [B, 20] -> (logits [B, 784], mean, log standard deviation [B, 20])."""

    def __init__(self):
        super().__init__()
        self.encoder_hidden = torch.nn.Linear(PIXELS, HIDDEN)
        self.encoder_out = torch.nn.Linear(HIDDEN, 2 * LATENT)
        self.decoder_hidden = torch.nn.Linear(LATENT, HIDDEN)
        self.decoder_out = torch.nn.Linear(HIDDEN, PIXELS)

    def forward(self, x: torch.Tensor, noise: torch.Tensor):
        """Encode, draw z by the noise, decode."""
        mean, log_scale = self.encoder_out(F.relu(self.encoder_hidden(x))).chunk(2, -1)
        z = mean + log_scale.exp() * noise
        return self.decode(z), mean, log_scale

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return logits [B, 784]."""
        return self.decoder_out(F.relu(self.decoder_hidden(z)))

    def generate(self, z: torch.Tensor) -> torch.Tensor:
        """Return means [B, 784]."""
        return self.decode(z).sigmoid()


def loss(network, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return the negative ELBO, summed over pixels and latents, averaged over the batch: a scalar in nats."""
    logits, mean, log_scale = network(x, noise)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = (0.5 * (mean**2 + torch.expm1(2 * log_scale)) - log_scale).sum()
    return (reconstruction + kl) / len(x)


def update(loss, network, optimiser, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Take one step in place; return the loss, not read, so that nothing waits for it."""
    value = loss(network, x, noise)
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    optimiser.step()
    return value


def build(kind: str, steps: int) -> Peer:
    """Return the training as a peer, of one of the kinds of `benchmarks.peers.peer.VECTORS`.

    steps: how many steps' worth of the data order to hold.
    """
    torch.manual_seed(0)
    data, indices = put(binary_images(EXAMPLES, (PIXELS,))), put(orders(EXAMPLES, steps, BATCH_SIZE)).long()
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=kind != "eager")
    objective = compiled(loss, kind)

    def run(count: int) -> None:
        for i in range(count):
            update(objective, network, optimiser, data[indices[i]], torch.randn(BATCH_SIZE, LATENT, device=data.device))

    return Peer(parameters(network), run)


def sampler(kind: str, draws: int) -> Peer:
    """Return the drawing of samples as a peer of this kind."""
    torch.manual_seed(0)
    return drawing(Network(), lambda network: network.generate(torch.randn(BATCH_SIZE, LATENT)), kind)
