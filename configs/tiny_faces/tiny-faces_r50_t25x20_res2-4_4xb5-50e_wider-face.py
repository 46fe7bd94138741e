# Faces of 25x20 pixels (height x width) alone, from res2, res3 and res4: one
# template t(25,20,1), ResNet-50 ("Finding Tiny Faces", section 3; Figs. 4, 5
# and 7).
# The paper's AP at this size on WIDER FACE val: Fig. 7: .69 for t(25,20,1).
# A heat map only: boxes are not regressed. Pictures are not rescaled.
#   CONFIG=configs/tiny_faces/tiny-faces_r50_t25x20_res2-4_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = [
    '../_base_/models/tiny_faces.py',
    '../_base_/datasets/wider_face_tiny_faces.py',
    '../_base_/schedules/tiny_faces_50e.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(
        depth=50,
        out_indices=(0, 1, 2),
        init_cfg=dict(checkpoint='torchvision://resnet50')),
    bbox_head=dict(
        in_channels=(256, 512, 1024),
        in_strides=(4, 8, 16),
        prior_generator=dict(
            templates=[dict(height=25.0, width=20.0, scale=1.0)]),
        loss_bbox=dict(loss_weight=0.0)),
    test_cfg=dict(regress=False, score_type='logit'))

train_pipeline = _base_.train_pipeline
train_pipeline[3] = dict(type='Resize', scale_factor=1.0, keep_ratio=True)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

val_evaluator = dict(target_sizes=[(25, 20)])
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='wider/ap_target_25x20'))
