# HR-ResNet101 (Full) of "Finding Tiny Faces" (section 4, "Pruning"; Table 1):
# all 25 templates, each at the resolution that it was made for. It is trained
# as tiny-faces_r101_4xb5-50e_wider-face.py is; a checkpoint of that will do.
# The paper's AP on WIDER FACE val: by its text pruning, which gives (A+B), led
# to "some small improvement" over this.
#   CONFIG=configs/tiny_faces/tiny-faces_r101_full_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = [
    '../_base_/models/tiny_faces.py',
    '../_base_/datasets/wider_face_tiny_faces.py',
    '../_base_/schedules/tiny_faces_50e.py', '../_base_/default_runtime.py',
    '../_base_/tta/tiny_faces_full.py'
]
