"""What a multi-scale test cannot do is refused when it is built."""
import pytest
from torch import nn

from tinyfaces.models.test_time import MultiScaleTestModel


class Detector(nn.Module):
    """Is never asked."""
    test_step = None


@pytest.mark.parametrize('tta_cfg', [
    dict(max_per_img=5),
    dict(voting=dict()),
    dict(voting=dict(), nms=dict(), max_per_img=5),
    dict(voting=dict(), max_per_img=0),
])
def test_one_way_to_join(tta_cfg):
    with pytest.raises(ValueError, match='_delete_=True'):
        MultiScaleTestModel(Detector(), tta_cfg)


@pytest.mark.parametrize('way, message', [
    (dict(voting=dict(max_num=3)), 'max_num'),
    (dict(voting=dict(threshold=.5)), 'threshold'),
    (dict(voting=dict(iou_threshold=0)), r'it must lie in \(0, 1\]'),
    (dict(voting=None), 'voting'),
    (dict(nms=dict(type='nms', limit=.5)), 'limit'),
    (dict(nms=dict(type='no_nms', iou_threshold=.5)), 'no_nms'),
])
def test_arguments_of_the_way(way, message):
    with pytest.raises(ValueError, match=f'cannot be joined.*{message}'):
        MultiScaleTestModel(Detector(), dict(way, max_per_img=5))


@pytest.mark.parametrize('way', [
    dict(voting=dict()),
    dict(voting=dict(iou_threshold=1, keep_singletons=False)),
    dict(nms=dict(type='nms', iou_threshold=.5)),
    dict(nms=dict(type='soft_nms', iou_threshold=.5, min_score=.01)),
])
def test_ways(way):
    assert MultiScaleTestModel(Detector(),
                               dict(way,
                                    max_per_img=5)).tta_cfg['max_per_img'] == 5
