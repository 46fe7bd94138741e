# FRCNN_R50, Faster R-CNN on ResNet-50 without hard negatives, of
# "Bootstrapping Face Detection with Hard Negative Examples" (section 4.1,
# Fig. 1), and the first round of FRCNN_R50_HNM, trained on FDDB. Its numbers
# are not published.
#   CONFIG=configs/hard_negative_mining/faster-rcnn_r50-c4_1xb1-70k_fddb.py
#   bash tools/cross_validate_fddb.sh $CONFIG
_base_ = [
    '../_base_/models/faster_rcnn_face.py', '../_base_/datasets/fddb_600.py',
    '../_base_/schedules/faster_rcnn_70k.py', '../_base_/iter_based_runtime.py'
]

# No validation: the fold held out must not choose the checkpoint.
val_dataloader = None
val_evaluator = None
val_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
