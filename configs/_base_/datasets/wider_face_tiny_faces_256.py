# WIDER FACE, or part of it, for training "Finding Tiny Faces" on a CPU: as
# wider_face_tiny_faces.py, but with regions of 256x256, which are taken from
# a square around a face, .2 to 1 of the shorter side: most regions of that
# size have no face at all. Batch 8.
_base_ = './wider_face_tiny_faces.py'

train_pipeline = _base_.train_pipeline
train_pipeline.insert(
    2, dict(type='RandomSquareCrop', ratios=((0.2, 0.5), (0.4, 1.0))))
train_pipeline[5].crop_size = (256, 256)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
