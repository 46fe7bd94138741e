"""The shell launchers: what they start, from any folder."""
import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
ROOT = TOOLS.parent
# Prints its arguments, one a line, then the variables that matter.
FAKE = """#!/usr/bin/env bash
printf '%s\\n' "$(basename "$0")" "$@" "PYTHONPATH=$PYTHONPATH"
"""


@pytest.fixture
def launch(tmp_path):
    """Call a launcher from an empty folder with fake programs on PATH."""
    programs = tmp_path / 'programs'
    programs.mkdir()
    for name in ('python', 'srun', 'other_python'):
        (programs / name).write_text(FAKE)
        (programs / name).chmod(0o755)
    folder = tmp_path / 'empty folder'
    folder.mkdir()

    def call(script, *args, **variables):
        environ = {
            'PATH': f'{programs}{os.pathsep}{os.environ["PATH"]}',
            **variables
        }
        return subprocess.run(['bash', TOOLS / script, *args],
                              cwd=folder,
                              env=environ,
                              capture_output=True,
                              text=True,
                              check=False)

    return call


def lines(result):
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_dist_train_defaults(launch):
    printed = lines(launch('dist_train.sh', 'my config.py', '8'))
    assert printed == [
        'python', '-m', 'torch.distributed.run', '--nnodes=1', '--node_rank=0',
        '--master_addr=127.0.0.1', '--master_port=29500', '--nproc_per_node=8',
        f'{TOOLS}/train.py', 'my config.py', '--launcher', 'pytorch',
        f'PYTHONPATH={ROOT}/projects:{ROOT}'
    ]


def test_dist_train_takes_variables_and_arguments(launch):
    printed = lines(
        launch(
            'dist_train.sh',
            'c.py',
            '2',
            '--cfg-options',
            'a="[1, 2]"',
            '--work-dir',
            'a b',
            NNODES='4',
            NODE_RANK='3',
            PORT='29501',
            MASTER_ADDR='node0',
            PYTHON='other_python',
            PYTHONPATH='/mine:/yours'))
    assert printed[0] == 'other_python'
    assert printed[3:8] == [
        '--nnodes=4', '--node_rank=3', '--master_addr=node0',
        '--master_port=29501', '--nproc_per_node=2'
    ]
    assert printed[9:] == [
        'c.py', '--cfg-options', 'a="[1, 2]"', '--work-dir', 'a b',
        '--launcher', 'pytorch',
        f'PYTHONPATH={ROOT}/projects:{ROOT}:/mine:/yours'
    ]


def test_dist_test(launch):
    printed = lines(
        launch('dist_test.sh', 'c.py', 'my model.pth', '4', '--tta'))
    assert printed[7:13] == [
        '--nproc_per_node=4', f'{TOOLS}/test.py', 'c.py', 'my model.pth',
        '--tta', '--launcher'
    ]


def test_slurm_train_defaults(launch):
    printed = lines(
        launch('slurm_train.sh', 'gpu', 'my job', 'c.py', 'work dir'))
    assert printed[:-1] == [
        'srun', '--partition=gpu', '--job-name=my job', '--gres=gpu:8',
        '--ntasks=8', '--ntasks-per-node=8', '--cpus-per-task=5',
        '--kill-on-bad-exit=1', 'python', '-u', f'{TOOLS}/train.py', 'c.py',
        '--work-dir', 'work dir', '--launcher', 'slurm'
    ]


@pytest.mark.parametrize('gpus, per_node, want', [
    ('4', None, '4'),
    ('16', None, '8'),
    ('16', '4', '4'),
])
def test_slurm_test_variables(launch, gpus, per_node, want):
    variables = {'GPUS_PER_NODE': per_node} if per_node else {}
    printed = lines(
        launch(
            'slurm_test.sh',
            'gpu',
            'job',
            'c.py',
            'm.pth',
            '--out',
            'o.pkl',
            GPUS=gpus,
            CPUS_PER_TASK='2',
            SRUN_ARGS='--qos=high  --time 1:00',
            **variables))
    assert printed[3:12] == [
        f'--gres=gpu:{want}', f'--ntasks={gpus}', f'--ntasks-per-node={want}',
        '--cpus-per-task=2', '--kill-on-bad-exit=1', '--qos=high', '--time',
        '1:00', 'python'
    ]
    assert printed[13:18] == [
        f'{TOOLS}/test.py', 'c.py', 'm.pth', '--out', 'o.pkl'
    ]


@pytest.mark.parametrize('script, given', [
    ('dist_train.sh', 1),
    ('dist_test.sh', 2),
    ('slurm_train.sh', 3),
    ('slurm_test.sh', 3),
])
def test_too_few_arguments_print_the_usage(launch, script, given):
    result = launch(script, *['x'] * given)
    assert result.returncode == 2
    assert result.stderr.startswith(f'usage: {script}')
    assert result.stdout == ''


@pytest.mark.parametrize('number', ['0', '-1', 'all', ''])
def test_a_wrong_number_of_gpus_is_refused(launch, number):
    result = launch('dist_train.sh', 'c.py', number)
    assert result.returncode == 2
    assert 'number of GPUs' in result.stderr
