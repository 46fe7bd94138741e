"""Data samples as lines of a part, and back: every bit is kept."""
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures import DetDataSample

from tinyfaces.engine.parts_of_test import from_plain, to_line, to_plain

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).
    map(tuple) | st.dictionaries(
        st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_values_come_back(value):
    back = from_plain(json.loads(json.dumps(to_plain(value))))
    assert back == value and repr(back) == repr(value)


@pytest.mark.parametrize(
    'value',
    [
        torch.tensor([0.1, -0., float('inf')]),
        torch.tensor(3.5),
        torch.zeros(0, 4, dtype=torch.float16),
        torch.zeros(1, dtype=torch.long).expand(0),  # with a stride of 0
        torch.arange(6).reshape(2, 3).T,
        torch.tensor([True, False]),
        torch.tensor([1.5], dtype=torch.bfloat16),
        np.arange(6, dtype=np.int16).reshape(3, 2)[::2],
        np.float32(.1),
        np.array(['a', 'bc']),
    ])
def test_tensors_and_arrays_come_back(value):
    back = from_plain(json.loads(json.dumps(to_plain(value))))
    assert type(back) is type(value)
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert back.tolist() == value.tolist()
    # They can be written to, as those of a detector can.
    if getattr(back, 'shape', ()) and not isinstance(value, np.generic):
        back[:] = back


def test_bits_of_nan():
    """A NaN of a detector is shown as it is."""
    bits = struct.unpack('<f', b'\x01\x00\xc0\x7f')
    value = torch.tensor(bits)
    back = from_plain(json.loads(json.dumps(to_plain(value))))
    assert back.view(torch.int32).tolist() == value.view(torch.int32).tolist()


def test_what_cannot_be_kept():
    sample = DetDataSample(metainfo=dict(img_path='a.jpg', odd={1, 2}))
    with pytest.raises(
            TypeError,
            match='cannot keep a builtins.set of .* of a.jpg; test '
            'without --resume'):
        to_line(0, sample, False)
