"""Face regions: found where the face is, in the places of a face, and one line where there is none."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrace.errors import ImageError, MissingDependencyError
from spectrace.explain.faces import NAMES, FaceMap, draw_face


@pytest.fixture(scope="module")
def faces():
    pytest.importorskip("cv2")
    return FaceMap()


def test_the_astronauts_face_is_mapped(faces, photographs):
    pixels = photographs["astronaut"]
    labels = faces.label(pixels, "astronaut.png")
    assert labels.shape == pixels.shape[:2]
    # Places read off the photograph by eye.
    places = {
        (100, 205): "brows and eyes",
        (124, 228): "nose",
        (142, 226): "mouth",
        (40, 215): "hair",
        (480, 20): "background",
    }
    assert {place: NAMES[labels[place]] for place in places} == places
    assert set(np.unique(labels)) == set(range(len(NAMES)))


def test_a_larger_picture_has_the_same_map(faces, photographs):
    pixels = photographs["astronaut"]
    large = np.repeat(np.repeat(pixels, 3, axis=0), 3, axis=1)
    small, big = faces.label(pixels, "a"), faces.label(large, "a")
    assert (big[1::3, 1::3] == small).mean() > 0.97


def test_no_face_is_one_line(faces, photographs):
    for pixels in (photographs["coffee"], np.zeros((3, 2000, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)):
        with pytest.raises(ImageError, match=r"cup.png shows no upright face"):
            faces.label(pixels, "cup.png")


@given(st.integers(1, 60), st.integers(1, 60), st.floats(-50, 80), st.floats(-50, 80), st.floats(1, 200))
def test_any_square_is_drawn_inside_the_picture(height, width, left, top, side):
    labels = np.zeros((height, width), np.uint16)
    draw_face(labels, left, top, side)
    assert labels.max() < len(NAMES)


def test_without_opencv_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'spectrace\[faces\]'"):
        FaceMap()
