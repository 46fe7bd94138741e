# HR-VGG16 of "Finding Tiny Faces" (section 4.1; Table 2).
# The paper's AP on WIDER FACE val: .862 easy, .844 medium, .749 hard.
# The paper does not name the layers; here they are those of the same strides,
# conv4_3 and conv5_3, without normalisation. A cell of theirs has its centre
# in the middle of its 8 pixels.
#   CONFIG=configs/tiny_faces/tiny-faces_vgg16_4xb5-50e_wider-face.py
#   bash tools/dist_train.sh $CONFIG 4             # 4 GPUs
#   python tools/train.py $CONFIG --auto-scale-lr  # 1 GPU
#   python tools/test.py $CONFIG CHECKPOINT --tta
_base_ = ['tiny-faces_r101_4xb5-50e_wider-face.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='VGG16',
        out_indices=(3, 4),
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16')),
    bbox_head=dict(in_channels=(512, 512), prior_generator=dict(offset=4.0)))
