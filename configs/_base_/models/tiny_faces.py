# HR, the hybrid-resolution detector of "Finding Tiny Faces" (section 4,
# Fig. 10): 25 templates, each a window t(h, w, sigma) for faces of h/sigma x
# w/sigma pixels, at every cell of one map of stride 8; 1x1 predictors on res3
# and res4 of a ResNet-101, summed there.
# From the paper: .7 and .3 IoU, hard mining and balanced sampling, the border
# rule (appendix B), Huber loss, NMS at .3 IoU.
# From the authors' released code, where the paper is silent:
#   the templates themselves, and that a picture of any scale trains all of
#       them; where a face has no window of .7, its best one is positive if
#       above .3
#   res2 is not used (the paper's appendix B has a learning rate for it)
#   predictors: a linear 1x1 convolution on each map, all zeros at first; the
#       coarser map's output is interpolated to the finer's stride
#   losses: sums over the sampled windows, divided by the number of pictures;
#       weights 1 and 1; regression targets are not normalised
#   res5 is taken away; all other layers train, batch norms with their own
#       statistics
#   no padding to multiples of a stride
# Ours: ImageNet's mean and standard deviation, as torchvision's weights have
# them; centres of the windows at .5 + 8 k, as these networks' cells have them.
# Windows that lie by more than half in an ignored face train nothing.
model = dict(
    type='TinyFaces',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1),
    backbone=dict(
        type='ResNet',
        depth=101,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        frozen_stages=-1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        init_cfg=dict(type='Pretrained',
                      checkpoint='torchvision://resnet101')),
    bbox_head=dict(
        type='TemplateHead',
        in_channels=(512, 1024),
        in_strides=(8, 16),
        out_stride=8,
        prior_generator=dict(
            type='TemplatePriorGenerator', templates='published', offset=0.5),
        bbox_coder=dict(
            type='DeltaXYWHBBoxCoder',
            target_means=[.0, .0, .0, .0],
            target_stds=[1.0, 1.0, 1.0, 1.0]),
        loss_cls=dict(
            type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
        loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0)),
    train_cfg=dict(
        assigner=dict(
            type='TemplateAssigner',
            pos_iou_thr=0.7,
            neg_iou_thr=0.3,
            min_face_iou=0.3,
            negative_border=False,
            ignore_iof_thr=0.5),
        sampler=dict(
            type='BalancedHardSampler',
            num=256,
            pos_fraction=0.5,
            min_loss=0.03,
            balanced=True)),
    # Of a picture at one size, with all templates; what `--tta` changes is in
    # the files of ../tta. nms_pre, of each picture and size, is for
    # untrained models, which give all windows.
    test_cfg=dict(
        templates='all',
        score_thr=0.03,
        score_type='probability',
        regress=True,
        nms_pre=20000,
        nms=dict(type='nms', iou_threshold=0.3),
        max_per_img=3000),
    # Larger inputs are computed in pieces, with the same result.
    tiling=dict(max_pixels=2500 * 2500, tile=2048))
