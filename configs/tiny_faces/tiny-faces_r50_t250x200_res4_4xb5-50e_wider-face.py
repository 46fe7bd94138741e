# Faces of 250x200 pixels (height x width) alone, from res4 alone: one template
# t(250,200,1), ResNet-50 ("Finding Tiny Faces", section 3; Figs. 4 and 5).
# The paper's AP at this size on WIDER FACE val: Fig. 5: not below the foveal
# descriptor.
#   CONFIG=configs/tiny_faces/tiny-faces_r50_t250x200_res4_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['tiny-faces_r50_t25x20_res4_4xb5-50e_wider-face.py']

model = dict(
    bbox_head=dict(
        prior_generator=dict(
            templates=[dict(height=250.0, width=200.0, scale=1.0)])))

val_evaluator = dict(target_sizes=[(250, 200)])
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='wider/ap_target_250x200'))
