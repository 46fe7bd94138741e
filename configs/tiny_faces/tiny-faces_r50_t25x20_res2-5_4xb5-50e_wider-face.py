# Faces of 25x20 pixels (height x width) alone, from res2, res3, res4 and res5:
# one template t(25,20,1), ResNet-50 ("Finding Tiny Faces", section 3; Figs. 4
# and 5).
# The paper's AP at this size on WIDER FACE val: a point of Fig. 4, without a
# number.
#   CONFIG=configs/tiny_faces/tiny-faces_r50_t25x20_res2-5_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['tiny-faces_r50_t25x20_res2-4_4xb5-50e_wider-face.py']

model = dict(
    backbone=dict(
        num_stages=4,
        strides=(1, 2, 2, 2),
        dilations=(1, 1, 1, 1),
        out_indices=(0, 1, 2, 3)),
    bbox_head=dict(
        in_channels=(256, 512, 1024, 2048), in_strides=(4, 8, 16, 32)))

# The coarsest predictor has the full rate, each finer one a tenth of the next.
optim_wrapper = dict(
    paramwise_cfg=dict(
        _delete_=True,
        custom_keys=dict(
            stride16=dict(lr_mult=0.1),
            stride8=dict(lr_mult=0.01),
            stride4=dict(lr_mult=0.001))))
