"""Recipes hold networks that can be built."""

from pathlib import Path

import pytest

import onsei
from onsei import config
from onsei.errors import ConfigError
from onsei.systems.song.config import Codec, Network
from onsei.systems.song.config.train import Train

RECIPES = sorted((Path(onsei.__file__).parent / "systems" / "song" / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_a_network_of_25_frames_a_second(recipe):
    options = config.from_recipe(Train, recipe)
    options.network.check()
    options.codec.check()
    assert options.codec.frame_rate == 25


def test_the_base_recipe_has_the_released_sizes():
    options = config.from_recipe(Train, next(path for path in RECIPES if path.stem == "base"))
    assert (options.network, options.codec) == (Network(), Codec())


@pytest.mark.parametrize(
    "network", [Network(dim=100, num_heads=3), Network(dim=64, num_heads=4), Network(timestep_features_dim=3)]
)
def test_sizes_that_fit_no_network_are_refused(network):
    with pytest.raises(ConfigError, match="network"):
        network.check()


def test_a_codec_of_uneven_layers_is_refused():
    with pytest.raises(ConfigError, match="strides"):
        Codec(strides=(2, 4)).check()
