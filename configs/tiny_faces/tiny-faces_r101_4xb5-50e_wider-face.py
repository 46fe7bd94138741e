# HR-ResNet101 (A+B) of "Finding Tiny Faces" (section 4, Fig. 10; Tables 1 to
# 4): 25 templates of hybrid resolution, tested on an image pyramid with its
# templates A, and B at twice the size.
# The paper's AP on WIDER FACE val: .919 easy, .908 medium, .823 hard.
#   CONFIG=configs/tiny_faces/tiny-faces_r101_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = [
    '../_base_/models/tiny_faces.py',
    '../_base_/datasets/wider_face_tiny_faces.py',
    '../_base_/schedules/tiny_faces_50e.py', '../_base_/default_runtime.py',
    '../_base_/tta/tiny_faces_wider.py'
]
