"""Looking for pictures and reading their sizes."""
import pytest
from PIL import Image

from tinyfaces.datasets.image_files import read_image_sizes, require_images


def test_missing_pictures_are_reported_together(tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / '1.jpg').touch()
    require_images(str(tmp_path), ['a/1.jpg'], 'Get them.')
    with pytest.raises(FileNotFoundError) as error:
        require_images(
            str(tmp_path), ['a/1.jpg', 'a/2.jpg', 'b/3.jpg'], 'Get them.')
    message = str(error.value)
    assert message.startswith('2 of 3 pictures are missing:')
    assert f'  {tmp_path}/a/2.jpg\n' in message
    assert f'  {tmp_path}/b/3.jpg\n' in message
    assert 'a/1.jpg' not in message
    assert message.endswith('Get them.')


def test_long_lists_are_complete(tmp_path):
    names = [f'a/{i}.jpg' for i in range(500)]
    with pytest.raises(FileNotFoundError) as error:
        require_images(str(tmp_path), names, 'Get them.')
    message = str(error.value)
    assert '500 of 500 pictures' in message
    assert message.count('.jpg') == 500


def test_sizes_are_those_of_the_stored_grid(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: a quarter turn
    paths = []
    for name, size, options in (('a.jpg', (30, 20), dict(exif=turned)),
                                ('b.jpg', (1, 1), {}), ('c.png', (7, 9), {})):
        paths.append(str(tmp_path / name))
        Image.new('RGB', size).save(paths[-1], **options)
    assert read_image_sizes(paths).tolist() == [[30, 20], [1, 1], [7, 9]]


def test_no_pictures():
    assert read_image_sizes([]).shape == (0, 2)


def test_broken_headers_are_reported_together(tmp_path):
    good, empty, text, cut = (
        tmp_path / f'{name}.jpg' for name in ('good', 'empty', 'text', 'cut'))
    Image.new('RGB', (8, 8)).save(good)
    empty.touch()
    text.write_text('no picture')
    cut.write_bytes(good.read_bytes()[:30])
    with pytest.raises(ValueError) as error:
        read_image_sizes([str(p) for p in (good, empty, text, cut)])
    message = str(error.value)
    assert message.startswith('3 of 4 pictures cannot be read:')
    for path in (empty, text, cut):
        assert f'  {path}: ' in message
    assert str(good) not in message


def test_whatever_pillow_raises_names_the_picture(tmp_path):
    """Its reader of DDS raises no kind of OSError."""
    path = tmp_path / 'a.jpg'
    Image.new('RGB', (8, 8)).save(path, 'DDS')
    content = bytearray(path.read_bytes())
    content[80:84] = bytes(4)  # flags of the format of pixels
    path.write_bytes(content)
    with pytest.raises(NotImplementedError):
        Image.open(path)
    with pytest.raises(ValueError, match='1 of 1 pictures cannot') as error:
        read_image_sizes([str(path)])
    assert f'  {path}: NotImplementedError: ' in str(error.value)
