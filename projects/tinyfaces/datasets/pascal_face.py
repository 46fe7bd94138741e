"""PASCAL Face as an MMDetection dataset, from pictures of PASCAL VOC."""
from mmdet.registry import DATASETS

from .voc_face import VOCFaceDataset


@DATASETS.register_module()
class PASCALFaceDataset(VOCFaceDataset):
    """PASCAL Face (Yan et al., 2014): 851 pictures, for testing.

    Expects, under ``data_root``::

        Annotations_Face_PASCALLayout_large_fixed.mat (of face-eval)
        VOCdevkit/VOC2012/JPEGImages/2007_000272.jpg  (of PASCAL VOC 2012)

    The pictures are a part of PASCAL VOC 2012, some of them of its train and
    val, some of its test archive; both unpack into that folder. This is what
    users of S3FD's test code report; the archives were not at hand. For a
    folder of just the 851 pictures set ``data_prefix=dict(img=...)``. The
    benchmark's original annotations, without ``_fixed``, are read as well.

    Faces marked to be ignored: 55 of 1,635; none in the original annotations.
    Some boxes reach a pixel or two outside their picture; they are kept as
    annotated.

    Args:
        ann_file, data_prefix, missing, min_size, ...: Those of
            :class:`VOCFaceDataset`. ``data_prefix`` is
            ``dict(img='VOCdevkit/VOC2012/JPEGImages')``.
    """

    METAINFO = dict(VOCFaceDataset.METAINFO, dataset_name='pascal_face')
    PICTURE_REMEDY = ('Unpack the train/val and the test archive of PASCAL '
                      'VOC 2012 there')
