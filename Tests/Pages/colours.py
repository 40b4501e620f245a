"""Whether colours can be told apart."""

from __future__ import annotations

import math
import re

SIGHTS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
}
"""What eyes see of a linear colour: all, or what the models of Machado, Oliveira and Fernandes (2009) leave of it."""
LMS = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566), (0.0883024619, 0.2817188376, 0.6299787005))
OKLAB = ((0.2104542553, 0.793617785, -0.0040720468), (1.9779984951, -2.428592205, 0.4505937099), (0.0259040371, 0.7827717662, -0.808675766))


def times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def linear(colour: str) -> list[float]:
    """The linear parts of `rgb(37, 99, 168)`."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def oklab(colour: str, sight: str) -> list[float]:
    seen = [max(0.0, part) for part in times(SIGHTS[sight], linear(colour))]
    return times(OKLAB, [part ** (1 / 3) for part in times(LMS, seen)])


def distance(one: str, other: str, sight: str) -> float:
    """How far two colours are apart; 1 is black and white."""
    return math.dist(oklab(one, sight), oklab(other, sight))


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio that WCAG's rules are about, from 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)
