# Faces of 25x20 pixels (height x width) alone, from res2 alone: one template
# t(25,20,1), ResNet-50 ("Finding Tiny Faces", section 3; Fig. 4).
# The paper's AP at this size on WIDER FACE val: a point of Fig. 4, without a
# number.
#   CONFIG=configs/tiny_faces/tiny-faces_r50_t25x20_res2_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['tiny-faces_r50_t25x20_res2-4_4xb5-50e_wider-face.py']

model = dict(
    backbone=dict(
        num_stages=1, strides=(1, ), dilations=(1, ), out_indices=(0, )),
    bbox_head=dict(in_channels=(256, ), in_strides=(4, )))

# The one predictor has the full rate.
optim_wrapper = dict(paramwise_cfg=dict(_delete_=True, custom_keys=dict()))
