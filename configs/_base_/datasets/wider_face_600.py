# WIDER FACE with a shorter side of 600 pixels, for schedules that count
# iterations; one picture per GPU.
_base_ = ['./wider_face.py', '../pipelines/short_side_600.py']

img_scale = {{_base_.img_scale_600}}
train_pipeline = {{_base_.train_pipeline_600}}
test_pipeline = {{_base_.test_pipeline_600}}
train_dataloader = dict(
    batch_size=1,
    sampler=dict(type='SeededInfiniteSampler'),
    dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
