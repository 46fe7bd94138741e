# FRCNN_VGG16, Faster R-CNN on VGG-16 without hard negatives, of "Bootstrapping
# Face Detection with Hard Negative Examples" (Fig. 1), trained on FDDB.
# Published, on FDDB, but trained on WIDER FACE: true positive rates of .8575,
# .8919, .9265 and .9522 at 50, 100, 200 and 500 false positives.
#   CONFIG=configs/hard_negative_mining/faster-rcnn_vgg16_1xb1-70k_fddb.py
#   bash tools/cross_validate_fddb.sh $CONFIG
_base_ = [
    '../_base_/models/faster_rcnn_face_vgg16.py',
    '../_base_/datasets/fddb_600.py', '../_base_/schedules/faster_rcnn_70k.py',
    '../_base_/iter_based_runtime.py'
]

# No validation: the fold held out must not choose the checkpoint.
val_dataloader = None
val_evaluator = None
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
