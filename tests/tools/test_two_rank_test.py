"""A test on two ranks, and one that was killed, give what any test gives."""
import json
import pickle
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mat_writers import mafa_test_row, write_mafa, write_voc_face
from mmengine.config import Config
from PIL import Image
from tiny_detector import RETINANET, save_random_model
from tiny_fddb import random_folds, write_fddb
from tool_processes import TOOLS, printed, run_tool

from tinyfaces.evaluation.functional import read_wider_predictions

# An odd number: the second rank gets one picture again.
NAMES = [f'{number}_x' for number in (3, 0, 4, 1, 2)]
SIZES = [(64, 48), (48, 64), (40, 40), (100, 30), (64, 64)]
FACES = [[x, y, 12, 14] for x in (0, 12, 24) for y in (0, 14)]
# Of the mean colour: the model says nothing of it.
EMPTY, SCORE = NAMES[2], .52
NORMAL = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                   'scale_factor'))
]


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A folder with data sets, their configs, and a model."""
    root = tmp_path_factory.mktemp('two_ranks')
    model = dict(RETINANET, test_cfg=dict(RETINANET['test_cfg']))
    # One picture is left without detections.
    model['test_cfg'].update(score_thr=SCORE, max_per_img=40)
    folder = root / 'model'
    folder.mkdir()
    config, checkpoint = save_random_model(model, folder)
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(
        dict(
            custom_imports=dict(imports=['tinyfaces']),
            test_cfg=dict(type='TestLoop'),
            tta_model=dict(
                type='MultiScaleTestModel',
                plan=dict(type='BudgetScalePlan', max_size=200),
                tta_cfg=dict(
                    voting=dict(iou_threshold=.5, keep_singletons=True),
                    max_per_img=40)),
            tta_pipeline=[
                dict(type='LoadImageFromFile'),
                dict(
                    type='PackDetInputs',
                    meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))
            ]))
    for name, (dataset, evaluator) in write_data(root).items():
        part = dict(
            test_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(dataset, test_mode=True, pipeline=NORMAL)),
            test_evaluator=evaluator)
        Config(part).dump(root / f'{name}.py')
    cfg.dump(root / 'toy.py')
    return SimpleNamespace(root=root, checkpoint=checkpoint)


def write_data(root):
    """Five pictures as each benchmark has them: data set and metric."""
    rng = np.random.default_rng(0)
    event = root / 'wider/images/0--Parade'
    flat = root / 'flat'
    for folder in (event, flat):
        folder.mkdir(parents=True)
    for name, (width, height) in zip(NAMES, SIZES):
        image = Image.fromarray(
            rng.integers(0, 255, (height, width, 3), np.uint8))
        if name == EMPTY:
            image = Image.new('RGB', (width, height), (124, 116, 104))
        for folder in (event, flat):
            image.save(folder / f'{name}.jpg', quality=100)
    lines = []
    for name in NAMES:
        lines += [f'0--Parade/{name}.jpg', str(len(FACES))]
        lines += [' '.join(map(str, (*box, *[0] * 6))) for box in FACES]
    (root / 'wider/faces.txt').write_text('\n'.join([*lines, '']))
    corners = [[x, y, x + w, y + h, 0] for x, y, w, h in FACES]
    write_voc_face(root / 'afw.mat', {f'{n}.jpg': corners for n in NAMES})
    write_mafa(
        root / 'mafa.mat',
        {f'{n}.jpg': [mafa_test_row(box) for box in FACES]
         for n in NAMES})
    write_fddb(root / 'fddb', random_folds(pictures=3))
    wider = dict(
        type='WiderFaceDataset',
        data_root=str(root / 'wider'),
        ann_file='faces.txt',
        data_prefix=dict(img='images'))
    voc = dict(data_root=str(root), data_prefix=dict(img='flat'))
    return dict(
        wider=(wider,
               dict(
                   type='WiderFaceMetric',
                   ann_file=str(root / 'wider/faces.txt'),
                   settings=('all', ),
                   iou_thrs=(.1, .3),
                   outfile_prefix='out/wider',
                   pr_curve='out/wider.png')),
        fddb=(dict(
            type='FDDBDataset', data_root=str(root / 'fddb'), folds=[1, 2, 3]),
              dict(
                  type='FDDBMetric',
                  folds_dir=str(root / 'fddb/FDDB-folds'),
                  out_dir='out/fddb')),
        afw=(dict(voc, type='AFWDataset', ann_file='afw.mat'),
             dict(
                 type='VOCFaceMetric',
                 ann_file=str(root / 'afw.mat'),
                 prefix='afw',
                 iou_thr=.1,
                 min_size=1,
                 outfile_prefix='out/afw')),
        mafa=(dict(voc, type='MAFADataset', ann_file='mafa.mat'),
              dict(
                  type='MAFAMetric',
                  ann_file=str(root / 'mafa.mat'),
                  iou_thr=.1,
                  outfile_prefix='out/mafa')))


def run(place, folder, *argv, name='wider', tool='test.py', **options):
    """Test in a folder; gives it, and the exit codes of the processes."""
    folder = place.root / folder
    folder.mkdir(exist_ok=True)
    codes = run_tool(
        tool,
        place.root / 'toy.py',
        place.checkpoint,
        '--dataset',
        place.root / f'{name}.py',
        '--work-dir',
        'work',
        *argv,
        cwd=folder,
        **options)
    return folder, codes


def outcome(place, folder, *argv, **options):
    """What a test has written, by file; and the metrics it has logged."""
    folder, codes = run(place, folder, '--out', 'out/all.pkl', *argv,
                        **options)
    ranks = options.get('ranks', 1)
    assert codes == [0] * ranks, printed(folder, ranks)
    return files(folder), metrics(folder)


def files(folder):
    """The bytes of all files of a test, its logs left out."""
    return {
        str(path.relative_to(folder / 'out')): path.read_bytes()
        for path in sorted((folder / 'out').rglob('*')) if path.is_file()
    }


def metrics(folder):
    """What the last test has logged."""
    log = max((folder / 'work').glob('*/*.json'))
    logged = json.loads(log.read_text())
    return {k: v for k, v in logged.items() if not k.endswith('time')}


@pytest.fixture(scope='module')
def wider(place):
    """A test on WIDER FACE that nothing has stopped, in one process."""
    return outcome(place, 'wider_1')


def test_wider_face(place, wider):
    written, logged = wider
    assert sorted(written) == [
        'all.pkl', 'wider.json', 'wider.png', 'wider.zip'
    ]
    found = read_wider_predictions(place.root / 'wider_1/out/wider.zip')
    counts = {key: len(rows) for key, rows in found.items()}
    assert [*counts] == [f'0--Parade/{name}' for name in NAMES]
    assert counts.pop(f'0--Parade/{EMPTY}') == 0 < min(counts.values())
    assert 0 < logged['wider/all_ap10'] < 1
    assert (written, logged) == outcome(place, 'wider_2', ranks=2)


def test_out_is_in_the_order_of_the_data_set(wider):
    """And it is what MMDetection's own readers want."""
    samples = pickle.loads(wider[0]['all.pkl'])
    assert [sample['img_id']
            for sample in samples] == [f'0--Parade/{name}' for name in NAMES]
    assert isinstance(samples[0]['pred_instances']['scores'], torch.Tensor)
    assert 'gt_instances' not in samples[0]


@pytest.mark.parametrize('name, argv, metric', [
    ('fddb', [], 'fddb/cont_final'),
    ('afw', [], 'afw/ap'),
    ('mafa', ['--tta'], 'mafa/whole_ap'),
])
def test_other_benchmarks(place, name, argv, metric):
    written, logged = outcome(place, f'{name}_1', *argv, name=name)
    assert 0 < logged[metric] < 1
    assert (f'{name}.txt' in written) or 'fddb/fold-03-out.txt' in written
    assert (written, logged) == outcome(
        place, f'{name}_2', *argv, name=name, ranks=2)


def test_validation(place):
    """That of a training, which runs the same loop for each rank."""
    script = Path(__file__).with_name('run_validation.py')
    logged = []
    for ranks in (1, 2):
        folder, codes = run(
            place, f'val_{ranks}', tool=script, ranks=ranks, name='wider')
        assert codes == [0] * ranks, printed(folder, ranks)
        logged.append((files(folder), metrics(folder)))
    assert logged[0] == logged[1]
    assert 0 < logged[0][1]['wider/all_ap10'] < 1


def test_a_test_that_was_killed_twice_goes_on(place, wider):
    """On two ranks, on one, and on two again."""
    loop = 'tinyfaces.engine.loops.resumable_test_loop'
    out = ('--resume', '--out', 'out/all.pkl')
    folder, codes = run(
        place, 'killed', *out, ranks=2, kill=(loop, 'to_line', 2))
    assert codes[1] == -signal.SIGKILL
    assert not (folder / 'out').exists()
    # The last line of a file was being written.
    part = max((folder / 'work/test.parts').glob('rank-1-*.jsonl'))
    with part.open('a') as file:
        file.write('{"index": 0, "unread')
    # All pictures are done, and the first file is whole, when it is killed.
    folder, codes = run(place, 'killed', *out, kill=('os', 'replace', 3))
    assert codes == [-signal.SIGKILL]
    assert not {'all.pkl', 'wider.json'} & set(files(folder))
    text = printed(folder)
    assert ' of 5 pictures are done, ' in text, text
    done = place.root / 'killed/work/test.parts'
    assert len({
        json.loads(line)['index']
        for path in done.glob('rank-*.jsonl')
        for line in path.read_text().splitlines() if line.endswith('}')
    }) == 5
    # What a killed writer leaves has a hidden name.
    for path in (folder / 'out').glob('.*'):
        path.unlink()
    assert outcome(place, 'killed', '--resume', ranks=2) == wider
    assert '5 of 5 pictures are done, 0 are left' in printed(folder)
    assert not done.exists()


def test_parts_of_another_test_are_refused(place):
    folder, codes = run(
        place,
        'other',
        '--resume',
        name='afw',
        kill=('tinyfaces.engine.loops.resumable_test_loop', 'to_line', 3))
    assert codes == [-signal.SIGKILL]
    folder, codes = run(
        place,
        'other',
        '--resume',
        '--cfg-options',
        'model.test_cfg.max_per_img=9',
        name='afw')
    assert codes == [1]
    text = printed(folder)
    assert 'test.parts holds what is done of a test with another' in text
    assert 'model.test_cfg.max_per_img: 40 -> 9' in text
    assert 'or give another --work-dir' in text
    assert len(list((folder / 'work/test.parts').glob('rank-*'))) == 1


@pytest.mark.slow
def test_the_launcher(place, wider, call, tmp_path):
    """The command of the README, with processes that torchrun starts."""
    call('env', 'PORT=29577', 'bash', TOOLS / 'dist_test.sh',
         place.root / 'toy.py', place.checkpoint, '2', '--dataset',
         place.root / 'wider.py', '--work-dir', 'work', '--out', 'out/all.pkl')
    assert (files(tmp_path), metrics(tmp_path)) == wider
