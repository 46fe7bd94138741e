"""AFW as an MMDetection dataset, from the official download."""
from mmdet.registry import DATASETS

from .voc_face import VOCFaceDataset


@DATASETS.register_module()
class AFWDataset(VOCFaceDataset):
    """AFW (Zhu and Ramanan, CVPR 2012): 205 pictures, for testing.

    Expects, under ``data_root``::

        new_annotations_AFW.mat       (of the face-eval toolbox)
        testimages/1004109301.jpg     (of the authors' AFW.zip)

    The folder ``testimages`` is the one that several public test scripts
    name; the archive itself was not at hand. The authors' own ``anno2.mat``
    is read as well.

    Faces marked to be ignored: 71 of 545; none in ``anno2.mat``.

    Args:
        ann_file, data_prefix, missing, min_size, ...: Those of
            :class:`VOCFaceDataset`. ``data_prefix`` is
            ``dict(img='testimages')``.
    """

    METAINFO = dict(VOCFaceDataset.METAINFO, dataset_name='afw')
    PICTURE_REMEDY = 'Unpack AFW.zip there'
