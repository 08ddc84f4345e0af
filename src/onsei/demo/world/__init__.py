"""A small world to be translated: pictures of colored shapes, a language that nobody wrote down, and who speaks it."""

from onsei.demo.world.build import Sizes, World, make_world
from onsei.demo.world.language import Language
from onsei.demo.world.scenes import COLORS, RELATIONS, SHAPES, Group, Scene, caption, held_out, read_caption

__all__ = [
    "COLORS",
    "RELATIONS",
    "SHAPES",
    "Group",
    "Language",
    "Scene",
    "Sizes",
    "World",
    "caption",
    "held_out",
    "make_world",
    "read_caption",
]
