"""The data: 1,797 handwritten digits of 8 by 8 pixels that come with scikit-learn."""

from __future__ import annotations

import numpy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

CLASSES = list(range(10))


def load() -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Training pixels and labels, then test pixels and labels; pixels from 0 to 1."""
    pixels, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(pixels / 16, labels, random_state=0, stratify=labels)
    return train_x, train_y, test_x, test_y
