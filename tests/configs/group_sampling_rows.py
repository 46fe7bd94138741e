"""The rows of Group Sampling's tables, and their configs."""
from pathlib import Path

from config_folder import config_reader

FOLDER = Path(__file__).parents[2] / 'configs' / 'group_sampling'
SUFFIX = '_8xb1-100e_wider-face'

# Number of the table: columns, and the paper's AP in per cent of each row.
COLUMNS = {
    1: 'easy medium hard all @16 @32 @64 @128',
    2: 'all @16 @32 @64 @128',
    3: 'all @16 @32 @64 @128',
    4: 'all @16 @32 @64 @128',
    5: 'easy medium hard all',
}
TABLES = {
    1: {
        'rpn_r50': '92.5 91.0 83.0 74.0 48.6 65.1 43.8 21.5',
        'fpn-finest_r50': '94.1 93.0 86.6 80.2 65.6 66.8 43.9 22.4',
        'fpn_r50': '90.9 91.3 87.6 82.1 72.3 67.3 43.2 21.2',
        'fpn-finest-stride_r50': '90.4 91.0 87.1 81.6 72.2 66.6 43.3 21.8',
        'fpn-finest-sampling_r50': '94.7 93.8 88.7 82.8 74.1 72.9 47.8 24.5',
    },
    2: {
        'fpn_r50': '82.1 72.3 67.3 43.2 21.2',
        'fpn-sampling_r50': '83.6 75.7 73.4 48.2 24.9',
        'fpn-finest_r50': '80.3 65.6 66.8 43.9 22.4',
        'fpn-finest-sampling_r50': '82.8 74.1 72.9 47.8 24.5',
        'fpn-p3_r50': '79.6 62.5 66.4 44.2 22.4',
        'fpn-p3-sampling_r50': '83.7 72.1 73.2 48.7 25.3',
        'fpn-p4_r50': '74.4 47.9 65.6 44.2 22.1',
        'fpn-p4-sampling_r50': '79.6 57.8 71.0 48.4 25.2',
        'rpn-c3_r50': '71.0 59.8 61.8 39.2 18.0',
        'rpn-c3-sampling_r50': '75.4 68.8 68.9 44.3 21.2',
        'rpn_r50': '74.0 48.6 65.1 43.8 21.5',
        'rpn-sampling_r50': '78.9 58.0 70.8 48.2 24.6',
    },
    3: {
        'fpn-finest-sampling_r50': '82.8 74.1 72.9 47.8 24.5',
        'fpn-finest-sampling_r50_neg-log-iou': '83.5 74.6 73.1 48.0 25.1',
        'fpn-finest-sampling_r50_iou-least-square': '83.7 75.0 73.2 48.2 24.9',
    },
    4: {
        'fpn-finest_r50': '80.2 65.6 66.8 43.9 22.4',
        'fpn-finest_r50_ohem': '81.5 76.0 68.9 43.9 22.0',
        'fpn-finest_r50_focal': '81.2 75.8 68.5 44.2 21.5',
        'fpn-finest-sampling_r50': '82.8 74.1 72.9 47.8 24.5',
    },
    5: {
        'fpn-finest-sampling_r50': '95.1 94.1 88.8 82.7',
        'fast-rcnn_r50': '96.2 95.1 89.7 83.9',
        'fast-rcnn_r50_iou-least-square': '96.4 95.3 90.3 84.6',
        'grouped-fast-rcnn_r50': '96.2 95.5 91.1 85.7',
    },
}
PREFIXES = list(dict.fromkeys(p for table in TABLES.values() for p in table))
# What the paper calls the maps of each detector, and their strides.
FEATURES = {
    'fpn': (('P2', 'P3', 'P4', 'P5'), (4, 8, 16, 32)),
    'fpn-finest-stride': (('P2', ), (4, 8, 16, 32)),
    'fpn-p3': (('P3', ), (8, )),
    'fpn-p4': (('P4', ), (16, )),
    'rpn-c3': (('C3', ), (8, )),
    'rpn': (('C4', ), (16, )),
}
ON_P2 = (('P2', ), (4, ))

config = config_reader(FOLDER)


def head(cfg):
    """The head of the anchors, of either kind of detector."""
    return cfg.model.get('rpn_head') or cfg.model.bbox_head


def training(cfg):
    """How the anchors are trained, in either kind of detector."""
    return cfg.model.train_cfg.get('rpn', cfg.model.train_cfg)


def features(prefix):
    """Maps and strides of a row, from its name."""
    return FEATURES.get(prefix.split('_')[0].replace('-sampling', ''), ON_P2)


def paper_figures(prefix):
    """As the files write them, of the first table: '.925 easy, ...'."""
    number = next(n for n in TABLES if prefix in TABLES[n])
    return ', '.join(f'{figure} {name}' for figure, name in zip(
        points(number, prefix), COLUMNS[number].split()))


def points(number, prefix):
    """The paper's figures of a row of a table: ['.925', ...]."""
    return [f'.{x.replace(".", "")}' for x in TABLES[number][prefix].split()]


def shallow(cfg):
    """The same with ResNet-18, and a light second stage."""
    model = cfg.model
    if model.backbone.type == 'ResNet':
        model.backbone.depth = 18
        model.neck.in_channels = [64, 128, 256,
                                  512][:model.backbone.num_stages]
    model.backbone.init_cfg = None
    if 'roi_head' in model:
        model.roi_head.bbox_head.fc_out_channels = 64
        model.train_cfg.rpn_proposal.max_per_img = 200
        model.test_cfg.rpn.max_per_img = 100
    return cfg
