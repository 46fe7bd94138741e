"""The configs of hard negative mining, and the published rates."""
from pathlib import Path

from config_folder import config_reader

FOLDER = Path(__file__).parents[2] / 'configs' / 'hard_negative_mining'
CONFIGS = sorted(p.stem for p in FOLDER.glob('*.py'))
ROUND_TWO = [name for name in CONFIGS if '_hnm_' in name]
R50 = 'faster-rcnn_r50-c4_1xb1-70k_wider-face'
R50_HNM = 'faster-rcnn_r50-c4_hnm_1xb1-70k_wider-face'
VGG16 = 'faster-rcnn_vgg16_1xb1-70k_wider-face'
LOOP = 'faster-rcnn_r50-c4_hnm-loop_1xb1-27e_fddb'
GROUPED_LOOP = 'grouped-fast-rcnn_r50_hnm-loop_8xb1-100e_fddb'
RETINA_LOOP = 'retinanet_r50_hnm-loop_8xb4-130e_fddb'
# Both rounds in one run -> the second one on WIDER FACE
LOOPS = {
    LOOP: 'faster-rcnn_r50-c4_hnm_1xb1-70k_wider-face',
    GROUPED_LOOP: 'grouped-fast-rcnn_r50_hnm_8xb1-100e_wider-face',
    RETINA_LOOP: 'retinanet_r50_hnm_8xb4-130e_wider-face',
}
RETINA = 'retinanet_r50_sampling_8xb4-130e_wider-face'
MBV2 = 'faster-rcnn_mbv2_1xb8-16e_wider-face-256'
# Those of the paper
OF_THE_PAPER = [name for name in CONFIGS if '_1xb1-' in name]

# True positive rates on FDDB at so many false positives.
FALSE_POSITIVES = (50, 100, 200, 500)
# Name in the published curves: the rates, the last point of the discrete
# curve, and the last rate of the continuous one.
PUBLISHED = {
    'frcn': ('.8575 .8919 .9265 .9522', ('.9611', 747), '.7244'),
    'resnet50-hnm': ('.9081 .9361 .9524', ('.9599', 351), '.8302'),
    'mxnet-face-fr50': ('.8836 .9045 .9333 .9551', ('.9776', 4571), '.7306'),
    'facercnn': ('.8865 .9176 .9437 .9698', ('.9927', 7270), '.7635'),
    'HR': ('.8642 .9058 .9371 .9613', ('.9799', 5641), '.6963'),
    'HR-ER': ('.8791 .9103 .9433 .9689', ('.9886', 7776), '.7995'),
}

config = config_reader(FOLDER)


def curve_of(name):
    """The published curve that a config stands for, or None."""
    if 'vgg16' in name:
        return 'frcn'
    return 'resnet50-hnm' if '_r50-c4_hnm' in name else None


def round_one(name):
    """The path of the config that a second round needs."""
    name = name.replace('_hnm_', '_')
    if name.startswith('grouped'):
        return FOLDER.parent / 'group_sampling' / f'{name}.py'
    if name.startswith('retinanet'):
        name = name.replace('_r50_', '_r50_sampling_')
    return FOLDER / f'{name}.py'


def shallow(cfg):
    """The same with ResNet-18, and a light second stage."""
    model = cfg.model
    model.backbone.init_cfg = None
    roi_head = model.get('roi_head', {})
    shared_head = roi_head.get('shared_head')
    if model.backbone.type == 'ResNet':
        model.backbone.depth = 18
        if 'neck' in model:
            model.neck.in_channels = [64, 128, 256, 512]
        else:
            model.rpn_head.in_channels = 256
            shared_head.depth = 18
            roi_head.bbox_roi_extractor.out_channels = 256
            roi_head.bbox_head.in_channels = 512
    elif shared_head:
        shared_head.hidden = roi_head.bbox_head.in_channels = 32
    if shared_head:
        shared_head.init_cfg = None
    if 'fc_out_channels' in roi_head.get('bbox_head', {}):
        roi_head.bbox_head.fc_out_channels = 64
        model.train_cfg.rpn_proposal.max_per_img = 200
        model.test_cfg.rpn.max_per_img = 100
    return cfg
