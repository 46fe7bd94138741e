# FRCNN_VGG16, Faster R-CNN on VGG-16 without hard negatives, of "Bootstrapping
# Face Detection with Hard Negative Examples" (Fig. 1), trained on WIDER FACE.
# Published, on FDDB: true positive rates of .8575, .8919, .9265 and .9522 at
# 50, 100, 200 and 500 false positives.
#   CONFIG=configs/hard_negative_mining/faster-rcnn_vgg16_1xb1-70k_wider-face.py
#   python tools/train.py $CONFIG
#   python tools/test.py $CONFIG CHECKPOINT
#   python tools/test.py $CONFIG CHECKPOINT --dataset fddb_600 --fddb-out out/
_base_ = [
    '../_base_/models/faster_rcnn_face_vgg16.py',
    '../_base_/datasets/wider_face_600.py',
    '../_base_/schedules/faster_rcnn_70k.py', '../_base_/iter_based_runtime.py'
]
