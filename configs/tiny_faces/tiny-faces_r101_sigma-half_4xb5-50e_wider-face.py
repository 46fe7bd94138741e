# One of the three models of Fig. 8 of "Finding Tiny Faces" (section 4): as
# tiny-faces_r101_sigma-1_4xb5-50e_wider-face.py, at the resolution 0.5:
# pictures are scaled by it in training and test, and so are the templates.
# The paper's AP on WIDER FACE val: a curve, without numbers.
#   CONFIG=configs/tiny_faces/tiny-faces_r101_sigma-half_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --wider-out sigma-half.zip
_base_ = ['tiny-faces_r101_sigma-1_4xb5-50e_wider-face.py']

model = dict(
    bbox_head=dict(
        prior_generator=dict(templates=[
            dict(height=0.5 * height, width=0.5 * width, scale=0.5)
            for height, width in _base_.target_sizes
        ])))

train_pipeline = _base_.train_pipeline
train_pipeline[3].scale_factor = 0.5
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale_factor = 0.5
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
