"""Archives of predictions that are damaged, or made to do damage."""
import zipfile

import numpy as np
import pytest

from tinyfaces.evaluation.functional import (read_wider_predictions, wider_set,
                                             write_wider_predictions)

TEXT = 'b\n1\n1 2 3 4 .5\n'


def put(path, text=TEXT, compression=zipfile.ZIP_DEFLATED, name='a/b.txt'):
    """An archive with one file."""
    with zipfile.ZipFile(path, 'w', compression) as archive:
        archive.writestr(name, text)
    return path


COMPRESSIONS = dict(
    stored=zipfile.ZIP_STORED,
    deflated=zipfile.ZIP_DEFLATED,
    bzip2=zipfile.ZIP_BZIP2,
    lzma=zipfile.ZIP_LZMA)


@pytest.mark.parametrize('compression', COMPRESSIONS)
def test_all_compressions(tmp_path, compression):
    rows = np.random.default_rng(0).uniform(1, 99, (900, 5))
    write_wider_predictions({'a/b': rows}, tmp_path / 'set')
    text = (tmp_path / 'set/a/b.txt').read_text()
    # More than is unpacked at a time.
    assert len(text) > 4 * wider_set._BITE
    path = put(tmp_path / 'set.zip', text, COMPRESSIONS[compression])
    np.testing.assert_array_equal(read_wider_predictions(path)['a/b'], rows)
    data = bytearray(path.read_bytes())
    data[60:80] = b'\xff' * 20
    path.write_bytes(data)
    with pytest.raises(ValueError, match='set.zip/a/b.txt: damaged'):
        read_wider_predictions(path)


def test_too_much_to_be_detections(tmp_path, monkeypatch):
    """Refused by what the archive says, before anything is unpacked."""
    path = put(tmp_path / 'bomb.zip', 'b\n0\n' + '\n' * 2**20)
    monkeypatch.setattr(wider_set, 'MAX_FILE', 2**20)
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, 'open', None)
        with pytest.raises(ValueError, match='bomb.zip/a/b.txt: 1.0 MiB, wh'):
            read_wider_predictions(path)
        patch.setattr(wider_set, 'MAX_TOTAL', 2**19)
        with pytest.raises(ValueError, match='bomb.zip: 0.0 GiB when unpack'):
            read_wider_predictions(path)
    folder = tmp_path / 'set/a'
    folder.mkdir(parents=True)
    (folder / 'b.txt').write_text('b\n0\n' + '\n' * 2**20)
    with pytest.raises(ValueError, match='set/a/b.txt: 1.0 MiB, where'):
        read_wider_predictions(tmp_path / 'set')


def test_an_archive_that_says_less_than_it_holds(tmp_path):
    """No more is unpacked than it says, and that is damaged."""
    path = put(tmp_path / 'set.zip', 'b\n0\n' + '\n' * 2**24)
    size = (4 + 2**24).to_bytes(4, 'little')
    data = path.read_bytes()
    assert data.count(size) == 2
    path.write_bytes(data.replace(size, (64).to_bytes(4, 'little')))
    with pytest.raises(ValueError, match='set.zip/a/b.txt: damaged'):
        read_wider_predictions(path)


def test_padding_is_not_parsed(tmp_path):
    path = put(tmp_path / 'set.zip', TEXT + '\n' * 2**14)
    with pytest.raises(
            ValueError,
            match='a/b.txt, line 2: says 1 detections, 16,395 characters'):
        read_wider_predictions(path)


@pytest.mark.parametrize('digits', [10, 5000])
def test_counts_with_many_digits(tmp_path, digits):
    path = put(tmp_path / 'set.zip', 'b\n' + '9' * digits + '\n')
    with pytest.raises(ValueError, match='a/b.txt, line 2: expected the num'):
        read_wider_predictions(path)


def test_broken_directories(tmp_path):
    """Names that are no Unicode, and versions that there are not."""
    path = put(tmp_path / 'set.zip', name='ä/b.txt')
    data = path.read_bytes()
    path.write_bytes(data.replace('ä'.encode(), b'\xff\xfe'))
    with pytest.raises(ValueError, match='set.zip: neither .* readable zip'):
        read_wider_predictions(path)
    data = bytearray(put(path).read_bytes())
    data[data.index(b'PK\1\2') + 6] = 99
    path.write_bytes(data)
    with pytest.raises(ValueError, match='set.zip: neither .* readable zip'):
        read_wider_predictions(path)
