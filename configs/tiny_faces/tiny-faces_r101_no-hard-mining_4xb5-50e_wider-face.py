# HR-ResNet101 without hard mining ("Finding Tiny Faces", appendix B, "Online
# hard mining and balanced sampling"; Table 3): windows of a small loss are
# sampled, too.
# The paper's AP on WIDER FACE val: .917 easy, .904 medium, .825 hard.
#   CONFIG=configs/tiny_faces/tiny-faces_r101_no-hard-mining_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['tiny-faces_r101_4xb5-50e_wider-face.py']

model = dict(train_cfg=dict(sampler=dict(min_loss=None)))
