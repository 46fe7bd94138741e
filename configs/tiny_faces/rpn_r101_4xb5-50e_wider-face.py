# RPN, the baseline of "Finding Tiny Faces" (section 2, Table 1): a single
# feature map, res4, at its own stride, a single resolution and no pyramid.
# The paper's AP on WIDER FACE val: its text has "performance on small-faces
# dramatically drops by more than 10%".
# Its templates are those of the authors' RefBox_N25, which the paper leaves
# open.
#   CONFIG=configs/tiny_faces/rpn_r101_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['tiny-faces_r101_sigma-1_4xb5-50e_wider-face.py']

model = dict(
    backbone=dict(out_indices=(2, )),
    bbox_head=dict(in_channels=(1024, ), in_strides=(16, ), out_stride=16))

# The one predictor has the full rate.
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True, custom_keys=dict()))

val_evaluator = dict(target_sizes=())
test_evaluator = val_evaluator
