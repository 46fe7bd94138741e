# RefineFace-ResNet-50, whole (arXiv 1909.04376; Table 1, tenth column, and
# Table 9).
# The paper's AP on WIDER FACE val: .969 easy, .959 medium, .911 hard.
#   8 GPUs:  bash tools/dist_train.sh \
#       configs/refineface/refineface_r50_8xb4-130e_wider-face.py 8
#   1 GPU:   python tools/train.py \
#       configs/refineface/refineface_r50_8xb4-130e_wider-face.py \
#       --amp --auto-scale-lr
_base_ = [
    '../_base_/models/refineface.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/srn_multi_scale.py'
]
