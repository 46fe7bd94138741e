# FRCNN_R50, Faster R-CNN on ResNet-50 without hard negatives, of
# "Bootstrapping Face Detection with Hard Negative Examples" (section 4.1,
# Fig. 1), and the first round of FRCNN_R50_HNM, trained on WIDER FACE. Its
# numbers on FDDB are not published.
#   CONFIG=configs/hard_negative_mining/faster-rcnn_r50-c4_1xb1-70k_wider-face.py
#   python tools/train.py $CONFIG
#   python tools/test.py $CONFIG CHECKPOINT
#   python tools/test.py $CONFIG CHECKPOINT --dataset fddb_600 --fddb-out out/
# Both rounds: bash tools/bootstrap_train.sh $CONFIG
_base_ = [
    '../_base_/models/faster_rcnn_face.py',
    '../_base_/datasets/wider_face_600.py',
    '../_base_/schedules/faster_rcnn_70k.py', '../_base_/iter_based_runtime.py'
]
