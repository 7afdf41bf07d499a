"""Shapes, sizes, conditions and packs of the generators and discriminators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.dcgan import DCGANDiscriminator, DCGANGenerator, maps
from jaxgen.models.gan import GAN, joined, learn, normal, pack
from jaxgen.models.gan_mlp import MLPDiscriminator, MLPGenerator
from jaxgen.models.resnet_gan import ResNetDiscriminator, ResNetGenerator, doubled, halved, halvings
from jaxgen.nn.heads import Logits

KEY = jax.random.key(0)


def gan_of(kind, shape, **options):
    networks = {
        "mlp": (MLPGenerator((6,), shape), MLPDiscriminator((7,), **options)),
        "dcgan": (DCGANGenerator(shape, 2), DCGANDiscriminator(2, **options)),
        "resnet": (ResNetGenerator(shape, 3), ResNetDiscriminator(3, **options)),
    }
    return GAN(*networks[kind], normal(4))


@pytest.mark.parametrize(
    ("side", "count", "smallest"), [(4, 1, 2), (8, 2, 2), (12, 1, 6), (28, 2, 7), (32, 3, 4), (64, 4, 4)]
)
def test_images_are_halved_down_to_two_to_seven_pixels(side, count, smallest):
    assert halvings((side, side)) == count
    assert side >> count == smallest


@pytest.mark.parametrize(("size", "count"), [((4, 6), 1), ((8, 64), 2), ((32, 64), 3)])
def test_oblong_images_are_halved_by_their_shorter_side(size, count):
    assert halvings(size) == count
    assert halvings(size[::-1]) == count


@pytest.mark.parametrize(
    ("side", "sides"),
    [
        (4, [4, 2, 1]),
        (8, [8, 4, 2]),
        (25, [25, 13, 7, 4]),
        (28, [28, 14, 7, 4]),
        (32, [32, 16, 8, 4]),
        (33, [33, 17, 9, 5, 3]),
    ],
)
def test_maps_of_dcgan_end_at_four_pixels_or_below(side, sides):
    assert maps((side, side)) == [(one, one) for one in sides]


def test_maps_of_oblong_images_are_halved_by_the_shorter_side():
    assert maps((8, 20)) == [(8, 20), (4, 10), (2, 5)]
    assert maps((20, 8)) == [(20, 8), (10, 4), (5, 2)]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *(("dcgan", size) for size in [(1, 1), (2, 2), (3, 3), (3, 40)]),
        *(
            ("resnet", size)
            for size in [(33, 33), (1, 1), (2, 2), (3, 3), (7, 7), (9, 9), (30, 30), (8, 10), (28, 30), (64, 72)]
        ),
    ],
)
def test_a_size_that_cannot_be_made_is_refused_by_both_networks(kind, size):
    gan = gan_of(kind, (*size, 1))
    for build in (
        lambda: gan.generator.init(KEY, jnp.zeros((2, 4)), train=True),
        lambda: gan.discriminator.init(KEY, jnp.zeros((2, *size, 1)), train=True),
    ):
        with pytest.raises(ValueError, match=f"got {size[0]} x {size[1]}"):
            jax.eval_shape(build)


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        *((shape, False) for shape in [(8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 64, 3), (4, 6, 1)]),
        *((shape, True) for shape in [(28, 28, 1), (4, 6, 1)]),  # a condition knows nothing of the size
    ],
)
@pytest.mark.parametrize("kind", ["mlp", "dcgan", "resnet"])
def test_networks_meet(kind, shape, given):
    gan = gan_of(kind, shape)

    def play():
        own = jnp.ones((2, 3)) if given else None
        params, extra = gan.init(KEY, jnp.zeros((2, *shape)), own)
        x = gan.generate(params, extra, gan.prior(KEY, 2), own)
        return x, gan.judge(params, extra, x, own)

    x, judged = jax.eval_shape(play)
    assert x.shape == (2, *shape)
    assert judged.logits.shape == (2,)
    assert judged.features.ndim == 2 and len(judged.features) == 2


def played(gan, shape):
    """Return two examples that a fresh generator makes, and their logits."""

    @jax.jit
    def play():
        params, extra = gan.init(KEY, jnp.zeros((2, *shape)))
        x = gan.generate(params, extra, gan.prior(KEY, 2))
        return x, gan.judge(params, extra, x).logits

    return play()


@pytest.mark.parametrize("shape", [(25, 25, 1), (9, 14, 3)])
def test_dcgan_makes_odd_and_oblong_images(shape):
    large = DCGANGenerator(shape, 4, kernel_init=jax.nn.initializers.normal(0.2))
    x, logits = played(gan_of("dcgan", shape)._replace(generator=large), shape)
    assert x.shape == (2, *shape)
    assert logits.shape == (2,)
    assert np.asarray(x).std((0, 3)).min() > 0  # the last row and column, too, come of the noise


@pytest.mark.parametrize("shape", [(2,), (3, 2)])
def test_fully_connected_networks_make_any_shape(shape):
    x, logits = played(gan_of("mlp", shape), shape)
    assert x.shape == (2, *shape)
    assert logits.shape == (2,)


def test_the_discriminators_of_dcgan_halve_what_its_generators_double():
    def maps(size):
        params = jax.eval_shape(lambda: DCGANDiscriminator(2).init(KEY, jnp.zeros((1, *size, 1)), train=True))["params"]
        return {name: leaf["kernel"].shape for name, leaf in params.items() if "Conv" in name}, params["head"]

    convolutions, head = maps((32, 32))
    assert convolutions == {"Conv_0": (4, 4, 1, 2), "Conv_1": (4, 4, 2, 4), "Conv_2": (4, 4, 4, 8)}
    assert head["Dense_0"]["kernel"].shape == (4 * 4 * 8, 1)


def test_batch_norm_is_everywhere_but_in_the_last_layer_of_one_and_the_first_of_the_other():
    """Radford et al. 2016, section 3."""
    gan = gan_of("dcgan", (32, 32, 1))
    params, extra = jax.eval_shape(lambda: gan.init(KEY, jnp.zeros((2, 32, 32, 1))))
    widths = {
        name: sorted(leaf["BatchNorm_0"]["mean"].shape[0] for leaf in extra[name]["batch_stats"].values())
        for name in ("generator", "discriminator")
    }
    assert widths == {"generator": [2, 4, 8], "discriminator": [4, 8]}
    assert "bias" in params["generator"]["ConvTranspose_2"]


@pytest.mark.parametrize("kind", ["dcgan", "resnet"])
def test_every_parameter_gets_a_gradient_but_biases_before_a_batch_norm(kind):
    gan = gan_of(kind, (4, 4, 1), **({"spectral": False} if kind == "resnet" else {}))

    @jax.jit
    def slopes():
        params, extra = gan.init(KEY, jnp.zeros((4, 4, 4, 1)))

        def loss(params):
            x, _ = learn(gan.generator, params["generator"], extra["generator"], gan.prior(KEY, 4), None)
            judged, _ = learn(gan.discriminator, params["discriminator"], extra["discriminator"], x, None)
            return (judged.logits**2).sum()

        return jax.grad(loss)(params)

    for path, leaf in jax.tree_util.tree_leaves_with_path(slopes()):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(leaf).all(), name
        assert (leaf != 0).any() or "bias" in name, name


def test_maxout_is_the_largest_of_its_pieces():
    net = MLPDiscriminator((3,), maxout=4, head=Logits())
    x = jax.random.normal(KEY, (5, 2))
    params = jax.jit(net.init, static_argnames="train")(KEY, x, train=True)["params"]
    pieces = np.asarray(x) @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"][None]
    expected = np.asarray(pieces).reshape(5, 3, 4).max(-1)
    np.testing.assert_allclose(net.apply({"params": params}, x, train=True).features, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("projects", [False, True])
@pytest.mark.parametrize("kind", ["mlp", "dcgan", "resnet"])
def test_conditions_change_what_is_made_and_judged_and_a_projection_alone_sees_them(kind, projects):
    shape = (2,) if kind == "mlp" else (4, 4, 1)
    one, other = (jax.nn.one_hot(jnp.array(labels), 3) for labels in ([0, 1], [2, 1]))
    plain = {"spectral": False} if kind == "resnet" else {}
    gan = gan_of(kind, shape, head=Logits(projects=projects), **plain)

    @jax.jit
    def play(given):
        params, extra = gan.init(KEY, jnp.zeros((2, *shape)), one)
        x = gan.prior(KEY, 2)
        made = gan.generate(params, extra, x, given)
        fixed = jax.random.normal(KEY, (2, *shape))
        return made, *gan.judge(params, extra, fixed, given)

    first, second = play(one), play(other)
    for a, b in zip(first[:2], second[:2], strict=True):
        assert (a[0] != b[0]).any()  # the row whose condition differs
        np.testing.assert_allclose(a[1], b[1], rtol=1e-5, atol=1e-6)
    assert np.array_equal(first[2], second[2]) == projects  # its features do not know them


@pytest.mark.parametrize("kind", ["mlp", "dcgan", "resnet"])
def test_a_blind_discriminator_does_not_look_at_the_condition(kind):
    shape = (2,) if kind == "mlp" else (4, 4, 1)
    plain = {"spectral": False} if kind == "resnet" else {}
    net = gan_of(kind, shape, blind=True, **plain).discriminator
    x = jax.random.normal(KEY, (2, *shape))
    judge = jax.jit(lambda given: net.init_with_output(KEY, x, given, train=True)[0])
    first, second = (judge(jax.nn.one_hot(jnp.array(labels), 3)) for labels in ([0, 1], [2, 2]))
    np.testing.assert_array_equal(first.logits, second.logits)
    np.testing.assert_array_equal(first.features, second.features)


def test_joined_puts_conditions_beside_the_last_axis():
    given = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(joined(jnp.zeros((2, 1)), given), [[0, 1, 2], [0, 3, 4]])
    planes = joined(jnp.zeros((2, 3, 4, 1)), given)
    assert planes.shape == (2, 3, 4, 3)
    np.testing.assert_array_equal(planes[1, :, :, 1:], np.broadcast_to([3.0, 4.0], (3, 4, 2)))
    x = jnp.zeros((2, 1))
    assert joined(x, None) is x


@pytest.mark.parametrize("shape", [(12, 2), (12, 4, 4, 3)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_packs_hold_every_example_once(shape, size):
    x = jax.random.normal(KEY, shape)
    packed = pack(x, size)
    assert packed.shape == (12 // size, *shape[1:-1], shape[-1] * size)
    channels = shape[-1]
    parts = [packed[..., number * channels : (number + 1) * channels] for number in range(size)]
    np.testing.assert_array_equal(jnp.stack(parts, axis=1).reshape(shape), x)


def test_a_batch_that_packs_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="packs of 5 need a batch that 5 divides, got 12 examples"):
        pack(jnp.zeros((12, 2)), 5)


def test_doubling_repeats_pixels_and_halving_takes_their_mean():
    x = jax.random.normal(KEY, (2, 4, 6, 3))
    twice = doubled(x)
    assert twice.shape == (2, 8, 12, 3)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.testing.assert_array_equal(twice[:, i::2, j::2], x)
    corners = [np.asarray(x)[:, i::2, j::2] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))]
    np.testing.assert_allclose(halved(x), np.mean(corners, axis=0), rtol=1e-5, atol=1e-6)


def test_a_residual_discriminators_features_are_sums_over_the_places_of_the_last_map():
    """Of an image of one grey, with weights that see no edges."""
    net = ResNetDiscriminator(2, spectral=False, kernel_init=jax.nn.initializers.constant(0.0))
    variables = jax.eval_shape(lambda: net.init(KEY, jnp.zeros((1, 8, 8, 1)), train=True))
    params = jax.tree.map(lambda a: np.full(a.shape, 0.5 if a.ndim == 1 else 0.0, a.dtype), variables["params"])
    apply = jax.jit(lambda x: net.apply({"params": params}, x, train=True).features)
    small, large = (apply(jnp.ones((1, n, n, 1))) for n in (8, 28))  # maps of 2 x 2 and 7 x 7 at the end
    assert (small > 0).all()
    np.testing.assert_allclose(large, small * 49 / 4, rtol=1e-5)
