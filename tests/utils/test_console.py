import subprocess
import sys
from pathlib import Path

import pytest

import tinyfaces
from tinyfaces.utils.console import run_and_print


def test_the_report_and_the_exit_code(capsys):
    assert run_and_print(lambda: 'two\nlines') == 0
    assert capsys.readouterr() == ('two\nlines\n', '')


@pytest.mark.parametrize('error', [ValueError, FileNotFoundError])
def test_mistakes_are_one_line(capsys, error):

    def work():
        raise error('x.txt, line 3: wrong')

    assert run_and_print(work) == 1
    assert capsys.readouterr() == ('', 'error: x.txt, line 3: wrong\n')


def test_other_errors_are_bugs():
    with pytest.raises(ZeroDivisionError):
        run_and_print(lambda: str(1 / 0))


@pytest.mark.skipif(
    not Path('/dev/full').exists(), reason='only Linux has /dev/full')
def test_a_full_disk_is_one_line():
    script = (
        'import sys\n'
        f'sys.path.insert(0, {str(Path(tinyfaces.__file__).parents[1])!r})'
        '\nfrom tinyfaces.utils.console import run_and_print\n'
        'sys.exit(run_and_print(lambda: "x"))\n')
    with open('/dev/full', 'w') as full:
        done = subprocess.run([sys.executable, '-c', script],
                              stdout=full,
                              stderr=subprocess.PIPE,
                              text=True,
                              env=dict(TINYFACES_REGISTER='0'))
    assert done.returncode == 1
    assert done.stderr.startswith('error: the report cannot be printed')
    assert done.stderr.count('\n') == 1


def test_letters_that_the_output_cannot_hold(monkeypatch, tmp_path, capsys):
    with open(tmp_path / 'out', 'w', encoding='ascii') as out:
        monkeypatch.setattr('sys.stdout', out)
        assert run_and_print(
            lambda: '\N{LATIN SMALL LETTER E WITH ACUTE}') == 1
    assert 'error: the report cannot be printed' in capsys.readouterr().err
