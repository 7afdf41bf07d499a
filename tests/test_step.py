import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.game import Aux, Game, Phase, Player
from jaxgen.step import init, make_step, split
from tests import toy_gan

KEY = jax.random.key(7)


def assert_same(a, b, **tolerance):
    check = np.testing.assert_allclose if tolerance else np.testing.assert_array_equal
    leaves = [jax.tree.leaves(jax.tree.map(raw, tree)) for tree in (a, b)]
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(*leaves, strict=True):
        check(x, y, **tolerance)


def raw(leaf):
    return jax.random.key_data(leaf) if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


@pytest.fixture(params=[toy_gan.alternating, toy_gan.simultaneous], ids=["alternating", "simultaneous"])
def game(request):
    return request.param()


def test_compiled_step_equals_eager_step(game):
    batch = toy_gan.batch(KEY)
    state = init(game, KEY, batch)
    step = make_step(game)
    compiled = jax.jit(step)(state, batch)
    with jax.disable_jit():
        eager = step(state, batch)
    assert_same(compiled, eager, rtol=1e-5, atol=1e-6)


def test_vmap_over_seeds_equals_a_loop_over_seeds(game):
    batch = toy_gan.batch(KEY)
    keys = jax.random.split(KEY, 3)
    step = jax.jit(make_step(game))
    states = jax.vmap(lambda key: init(game, key, batch))(keys)
    many = jax.jit(jax.vmap(make_step(game), in_axes=(0, None)))
    for _ in range(5):
        states, _ = many(states, batch)
    for i, key in enumerate(keys):
        state = init(game, key, batch)
        for _ in range(5):
            state, _ = step(state, batch)
        assert_same(jax.tree.map(lambda a, i=i: a[i], states), state, rtol=1e-5, atol=1e-6)


def test_a_phase_leaves_the_networks_it_does_not_move_bitwise_unchanged():
    game = toy_gan.alternating()
    batch = toy_gan.batch(KEY)
    state = init(game, KEY, batch)
    for phase in game.phases:
        after, _ = jax.jit(make_step(game._replace(phases=(phase,), ema={})))(state, batch)
        for name in state.params:
            if name in phase.players:
                assert not np.array_equal(after.params[name]["w"], state.params[name]["w"])
            else:
                assert_same(after.params[name], state.params[name])
        for name in set(game.players) - set(phase.players):
            assert_same(after.opt_state[name], state.opt_state[name])


def test_joint_move_equals_separate_gradients():
    game = toy_gan.simultaneous(optax.sgd(1.0))
    batch = toy_gan.batch(KEY)
    state = init(game, KEY, batch)
    after, metrics = jax.jit(make_step(game, gradient_norms=True))(state, batch)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(state.key, 0), 0), 0)
    for name in ("discriminator", "generator"):

        def loss(own, name=name):
            return toy_gan.losses({**state.params, name: own}, state, batch, key)[0][name]

        value, gradient = jax.value_and_grad(loss)(state.params[name])
        moved = jax.tree.map(lambda a, b: a - b, state.params[name], after.params[name])
        assert_same(moved, gradient, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(metrics[f"{name}/loss"], value, rtol=1e-6)
        np.testing.assert_allclose(metrics[f"{name}/gradient_norm"], optax.tree.norm(gradient), rtol=1e-5)


def test_slices_are_strided_and_phases_with_fewer_repeats_take_the_first():
    seen = split({"x": jnp.arange(12)}, 3)["x"]
    np.testing.assert_array_equal(seen, [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]])

    def loss(params, state, batch, key):
        trail = jnp.roll(state.extra["trail"], 1).at[0].set(batch["x"].sum())
        return {"p": params["net"].sum()}, Aux({"trail": trail}, {"p/sum": batch["x"].sum()})

    def start(key, batch):
        return {"net": jnp.ones(1)}, {"trail": jnp.zeros(4)}

    phases = (Phase(("p",), loss, 3), Phase(("p",), loss, 1))
    game = Game(start, {"p": Player(("net",), optax.sgd(0.1))}, phases)
    batch = {"x": jnp.arange(12.0)}
    state, metrics = jax.jit(make_step(game))(init(game, KEY, batch), batch)
    np.testing.assert_array_equal(state.extra["trail"], [18.0, 26.0, 22.0, 18.0])
    assert metrics["p/sum"] == 18.0
    np.testing.assert_allclose(state.params["net"], 1.0 - 4 * 0.1, rtol=1e-6)


def test_repeats_count_and_average_their_metrics():
    game = toy_gan.alternating(repeats=5)
    batch = toy_gan.batch(KEY)
    state, metrics = jax.jit(make_step(game))(init(game, KEY, batch), batch)
    assert state.extra["discriminator"]["seen"] == 6  # five repeats of one phase and one of the other
    by_hand, total, whole = init(game, KEY, batch), 0.0, split(batch, 5)["x"]
    one = game._replace(phases=(game.phases[0]._replace(repeats=1),), ema={})

    @jax.jit
    def step(state, batch, j):
        # The step number chooses the keys; a phase on its own folds in repeat 0, so the noise is given as j by hand.
        key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(state.key, 0), 0), j)

        def loss(params, state, batch, _):
            return game.phases[0].loss(params, state, batch, key)

        return make_step(one._replace(phases=(one.phases[0]._replace(loss=loss),)))(state, batch)

    for j in range(5):
        by_hand, measured = step(by_hand.replace(step=jnp.int32(0)), {"x": whole[j]}, j)
        total += measured["discriminator/loss"] / 5
    np.testing.assert_allclose(metrics["discriminator/loss"], total, rtol=1e-5)
    assert_same(state.params["discriminator"], by_hand.params["discriminator"], rtol=1e-5, atol=1e-6)


def test_ema_follows_its_recurrence():
    game = toy_gan.alternating()
    batch = toy_gan.batch(KEY)
    state = init(game, KEY, batch)
    expected = state.params["generator"]
    assert_same(state.ema["generator"], expected)
    step = jax.jit(make_step(game))
    for _ in range(3):
        state, _ = step(state, batch)
        expected = jax.tree.map(lambda e, p: 0.9 * e + 0.1 * p, expected, state.params["generator"])
    assert_same(state.ema["generator"], expected, rtol=1e-5, atol=1e-6)


def test_two_players_who_move_one_network_have_an_optimiser_state_each():
    def loss(player):
        return lambda params, state, batch, key: ({player: (params["encoder"] ** 2).sum()}, Aux({}, {}))

    game = Game(
        lambda key, batch: ({"encoder": jnp.ones(2)}, {}),
        {name: Player(("encoder",), optax.adam(rate)) for name, rate in {"a": 1e-1, "b": 1e-3}.items()},
        (Phase(("a",), loss("a"), 2), Phase(("b",), loss("b"))),
    )
    batch = {"x": jnp.zeros((2, 1))}
    state, _ = make_step(game)(init(game, KEY, batch), batch)
    counts = {name: optax.tree_utils.tree_get(state.opt_state[name], "count") for name in ("a", "b")}
    assert counts == {"a": 2, "b": 1}
    np.testing.assert_allclose(state.params["encoder"], 1 - 0.2 - 0.001, atol=2e-3)


def test_keys_follow_from_base_key_step_phase_and_repeat_alone():
    def loss(params, state, batch, key):
        return {"p": params["net"].sum()}, Aux({}, {f"p/{len(batch['x'])}": jax.random.uniform(key)})

    game = Game(
        lambda key, batch: ({"net": jnp.ones(1)}, {}),
        {"p": Player(("net",), optax.sgd(0.1))},
        (Phase(("p",), loss), Phase(("p",), loss)),
    )
    batch = {"x": jnp.zeros((4, 1))}
    drawn = []

    def prepare(key, batch):
        drawn.append(jax.random.uniform(key))
        return batch

    state = init(game, KEY, batch)
    step = make_step(game, prepare=prepare)
    for number in range(2):
        state, metrics = step(state, batch)
        key = jax.random.fold_in(jax.random.fold_in(KEY, 1), number)
        assert metrics["p/4"] == jax.random.uniform(jax.random.fold_in(jax.random.fold_in(key, 1), 0))
        assert drawn[-1] == jax.random.uniform(jax.random.fold_in(key, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g._replace(phases=()), "at least one phase"),
        (lambda g: g._replace(phases=(g.phases[0]._replace(repeats=0),)), "repeats must be at least 1, got 0"),
        (lambda g: g._replace(phases=(g.phases[0]._replace(players=("critic",)),)), r"\['critic'\]"),
        (lambda g: g._replace(ema={"generator": 1.0}), r"decay must be in \[0, 1\), got 1.0"),
        (lambda g: g._replace(ema={"painter": 0.5}), r"\['painter'\]"),
        (
            lambda g: g._replace(players={n: Player(("generator",), optax.sgd(1.0)) for n in g.players}),
            r"\['generator'\] would be moved by more than one",
        ),
    ],
)
def test_a_game_whose_parts_do_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        init(change(toy_gan.simultaneous()), KEY, toy_gan.batch(KEY))


def test_a_batch_that_does_not_divide_is_refused():
    game = toy_gan.alternating(repeats=3)
    batch = toy_gan.batch(KEY, 20)
    with pytest.raises(ValueError, match="3 slices, got 20"):
        make_step(game)(init(game, KEY, batch), batch)


def test_a_loss_that_is_no_scalar_or_of_another_player_is_refused():
    game = toy_gan.simultaneous()
    batch = toy_gan.batch(KEY)
    state = init(game, KEY, batch)
    for wrong, message in [
        (
            lambda *a: ({"discriminator": jnp.ones(3), "generator": jnp.float32(1)}, Aux({}, {})),
            r"scalar .* got \(3,\)",
        ),
        (lambda *a: ({"discriminator": jnp.float32(1)}, Aux({}, {})), r"got \['discriminator'\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            make_step(game._replace(phases=(game.phases[0]._replace(loss=wrong),)))(state, batch)
