# One of the three models of Fig. 8 of "Finding Tiny Faces" (section 4):
# templates for 25 face sizes, all of them at the resolution 1. With those of
# resolutions 0.5 and 2 it shows at which of them faces of each size are found
# best: tools/select_template_scales.py.
# The paper's AP on WIDER FACE val: a curve, without numbers.
# Pictures are not rescaled, neither in training nor in the test. The paper
# names neither sizes nor backbone: the sizes are those of the authors'
# RefBox_N25.
#   CONFIG=configs/tiny_faces/tiny-faces_r101_sigma-1_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --wider-out sigma-1.zip
_base_ = [
    '../_base_/models/tiny_faces.py',
    '../_base_/datasets/wider_face_tiny_faces.py',
    '../_base_/schedules/tiny_faces_50e.py', '../_base_/default_runtime.py'
]

from tinyfaces.templates import load_templates  # noqa: E402

# height and width in the original picture
target_sizes = [(t.height, t.width) for t in load_templates('unscaled')]

model = dict(
    bbox_head=dict(prior_generator=dict(templates='unscaled')),
    test_cfg=dict(score_type='logit'))

train_pipeline = _base_.train_pipeline
train_pipeline[3] = dict(type='Resize', scale_factor=1.0, keep_ratio=True)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

val_evaluator = dict(target_sizes=target_sizes)
test_evaluator = val_evaluator
