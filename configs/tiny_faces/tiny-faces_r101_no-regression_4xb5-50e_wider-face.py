# HR-ResNet101 whose boxes are the windows as they are ("Finding Tiny Faces",
# appendix B, "Bounding box regression"; Table 4). It is trained as tiny-
# faces_r101_4xb5-50e_wider-face.py is; a checkpoint of that will do.
# The paper's AP on WIDER FACE val: .911 easy, .900 medium, .798 hard.
#   CONFIG=configs/tiny_faces/tiny-faces_r101_no-regression_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['tiny-faces_r101_4xb5-50e_wider-face.py']

model = dict(test_cfg=dict(regress=False))
