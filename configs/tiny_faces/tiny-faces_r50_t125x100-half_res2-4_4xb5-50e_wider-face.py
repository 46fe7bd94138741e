# Faces of 250x200 pixels (height x width) alone, in pictures of 0.5 times the
# size: one template t(125,100,0.5), ResNet-50 ("Finding Tiny Faces", section
# 3.2; Fig. 7).
# The paper's AP at this size on WIDER FACE val: Fig. 7: .94, 5.6 points above
# t(250,200,1).
#   CONFIG=configs/tiny_faces/tiny-faces_r50_t125x100-half_res2-4_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT
_base_ = ['tiny-faces_r50_t250x200_res2-4_4xb5-50e_wider-face.py']

model = dict(
    bbox_head=dict(
        prior_generator=dict(
            templates=[dict(height=125.0, width=100.0, scale=0.5)])))

train_pipeline = _base_.train_pipeline
train_pipeline[3].scale_factor = 0.5
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale_factor = 0.5
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
