"""The rows of RefineFace's tables, and their configs."""
from pathlib import Path

from config_folder import config_reader

FOLDER = Path(__file__).parents[2] / 'configs' / 'refineface'
SUFFIX = '_8xb4-130e_wider-face'

STC, STR, CONV = (0, 1, 2), (3, 4, 5), ('conv', 5)
# Modules: levels of STC and of STR, RFE, margin, type and bins of FSM.
NONE = ((), (), False, 0, None)
ALL = (STC, STR, True, 15, CONV)
# Prefix: depth of the ResNet, modules, the paper's AP in per cent.
ROWS = {
    # Table 1
    'retinanet_r50': (50, NONE, '95.1 93.9 88.0'),
    'retinanet_r50_str': (50, ((), STR, False, 0, None), '95.9 94.8 88.8'),
    'retinanet_r50_stc': (50, (STC, (), False, 0, None), '95.3 94.4 89.4'),
    'retinanet_r50_rfe': (50, ((), (), True, 0, None), '95.5 94.3 88.3'),
    'retinanet_r50_sml': (50, ((), (), False, 15, None), '95.5 94.6 89.1'),
    'retinanet_r50_fsm': (50, ((), (), False, 0, CONV), '95.8 94.5 88.7'),
    'refineface_r50_str-stc':
    (50, (STC, STR, False, 0, None), '96.1 95.0 90.1'),
    'refineface_r50_str-stc-rfe':
    (50, (STC, STR, True, 0, None), '96.4 95.3 90.2'),
    'refineface_r50_no-fsm':
    (50, (STC, STR, True, 15, None), '96.6 95.6 90.7'),
    # Tables 1 and 9
    'refineface_r50': (50, ALL, '96.9 95.9 91.1'),
    'refineface_r18': (18, ALL, '96.3 95.1 90.2'),
    'refineface_r101': (101, ALL, '97.1 96.1 91.6'),
    'refineface_r152': (152, ALL, '97.2 96.2 92.0'),
    # Tables 7 and 8
    'retinanet_r50_fsm-roi3':
    (50, ((), (), False, 0, ('conv', 3)), '95.5 94.3 88.6'),
    'retinanet_r50_fsm-roi7': (50, ((), (), False, 0, ('conv', 7)),
                               '95.7 94.4 88.5'),
    'retinanet_r50_fsm-fc': (50, ((), (), False, 0, ('fc', 5)),
                             '95.7 94.3 88.5'),
    # Table 1, eighth column, with other settings
    'srn_r50': (50, (STC, STR, True, 0, None), '96.4 95.3 90.2'),
}
TABLE_2 = ('94.8 93.4 87.5', '94.3 93.7 87.7', '94.8 93.9 87.0',
           '95.4 94.2 88.2', '95.7 94.4 88.2', '95.6 94.6 88.4')
TABLE_4 = ('95.2 94.2 88.9', '95.2 94.3 88.7', '95.2 94.1 88.5',
           '95.0 93.9 87.8', '95.1 93.7 88.0', '95.0 93.9 87.7')
TABLE_6 = {
    3: '95.1 93.9 88.2',
    7: '95.3 94.3 88.6',
    11: '95.5 94.5 89.0',
    19: '95.3 94.4 89.1',
    23: '95.0 94.0 88.9'
}
for i in range(6):
    ROWS[f'retinanet_r50_str-p{i + 2}'] = (50, ((), (i, ), False, 0, None),
                                           TABLE_2[i])
    ROWS[f'retinanet_r50_stc-p{i + 2}'] = (50, ((i, ), (), False, 0, None),
                                           TABLE_4[i])
for margin, figures in TABLE_6.items():
    ROWS[f'retinanet_r50_sml-{margin}'] = (50, ((), (), False, margin, None),
                                           figures)

config = config_reader(FOLDER)


def paper_figures(prefix):
    """As the files write them: '.951 easy, .939 medium, .880 hard'."""
    figures = ROWS[prefix][2].split()
    return ', '.join(
        f'.{figure.replace(".", "")} {name}'
        for figure, name in zip(figures, ('easy', 'medium', 'hard')))
