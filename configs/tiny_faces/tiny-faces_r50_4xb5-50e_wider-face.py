# HR-ResNet50 of "Finding Tiny Faces" (section 4.1; Table 2).
# The paper's AP on WIDER FACE val: .907 easy, .890 medium, .802 hard.
#   CONFIG=configs/tiny_faces/tiny-faces_r50_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['tiny-faces_r101_4xb5-50e_wider-face.py']

model = dict(
    backbone=dict(
        depth=50, init_cfg=dict(checkpoint='torchvision://resnet50')))
