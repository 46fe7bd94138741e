# RetinaNet-ResNet-50 for faces with the feature supervision module, 5x5
# bins and convolutions (RefineFace, arXiv 1909.04376, section 3.4; Table 1,
# sixth column, Tables 7 and 8).
# The paper's AP on WIDER FACE val: .958 easy, .945 medium, .887 hard.
#   bash tools/dist_train.sh \
#       configs/refineface/retinanet_r50_fsm_8xb4-130e_wider-face.py 8
_base_ = [
    '../_base_/models/refineface_plain.py', '../_base_/datasets/wider_face.py',
    '../_base_/schedules/refineface_130e.py', '../_base_/default_runtime.py',
    '../_base_/tta/flip_multi_scale.py'
]

model = dict(
    feature_supervision=dict(type='FeatureSupervisionHead', in_channels=256))
