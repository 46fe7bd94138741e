# RetinaNet-ResNet-50 for faces: RefineFace's baseline (arXiv 1909.04376,
# sections 3 and 3.6; Table 1, first column).
# The paper's AP on WIDER FACE val: .951 easy, .939 medium, .880 hard.
#   8 GPUs:  bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_8xb4-130e_wider-face.py 8
#   1 GPU:   python tools/train.py \
#       configs/refineface/retinanet_r50_8xb4-130e_wider-face.py \
#       --amp --auto-scale-lr
_base_ = [
    '../_base_/models/retinanet_face.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]
