"""What a sweep varies reaches the game, or is refused."""

import pytest

from experiments import document_codes, missing_data, semi_supervised


@pytest.mark.parametrize(
    ("module", "config", "can", "cannot"),
    [
        pytest.param(document_codes, {"hidden": (4,)}, ("learning_rate", "drop"), "steps", marks=pytest.mark.slow),
        (missing_data, {"hidden": (4,)}, ("learning_rate",), "hidden_share"),
        (semi_supervised, {"hidden": (4,), "labels": (20,)}, ("learning_rate",), "noise"),
    ],
)
def test_only_what_the_game_alone_reads_can_be_swept(module, config, can, cannot):
    experiment = module.build(module.Config(**config))
    experiment.variant(dict.fromkeys(can, 0.1))
    told = f"only {' and '.join(can)} of {module.__name__.rpartition('.')[2]} can be swept, {cannot} is not"
    with pytest.raises(ValueError, match=told):
        experiment.variant({cannot: 0.1})
