import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tinyfaces.apis import UnreadableImageError, load_image

RNG = np.random.default_rng(0)


def colour(height=40, width=60):
    """Smooth colours, which JPEG keeps within a few grey levels."""
    y, x = np.mgrid[:height, :width]
    return np.stack([4 * x, 6 * y, 255 - 4 * x], -1).astype(np.uint8)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.tif'])
def test_exif_orientation_as_pillow_applies_it(tmp_path, orientation, suffix):
    path = tmp_path / f'a{suffix}'
    stored = Image.fromarray(colour(300, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(path, exif=exif)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    image = load_image(path)
    assert image.shape == ((300, 20, 3) if orientation < 5 else (20, 300, 3))
    np.testing.assert_array_equal(image, expected)


def test_rotated_by_hand(tmp_path):
    # 6: the camera was turned; the stored left edge is the top.
    stored = np.zeros((2, 3, 3), np.uint8)
    stored[1, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / 'a.png', exif=exif)
    image = load_image(tmp_path / 'a.png')
    assert image.shape == (3, 2, 3)
    assert image[0, 0].tolist() == [255] * 3
    assert image.sum() == 255 * 3


def test_meaningless_exif_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    Image.fromarray(colour()).save(tmp_path / 'a.png', exif=exif)
    np.testing.assert_array_equal(load_image(tmp_path / 'a.png'), colour())


def test_channel_order(tmp_path):
    Image.fromarray(colour()).save(tmp_path / 'a.png')
    rgb = load_image(tmp_path / 'a.png')
    np.testing.assert_array_equal(rgb, colour())
    bgr = load_image(tmp_path / 'a.png', channel_order='bgr')
    np.testing.assert_array_equal(bgr, colour()[..., ::-1])
    with pytest.raises(ValueError, match="use 'rgb' or 'bgr'"):
        load_image(tmp_path / 'a.png', channel_order='gbr')


@pytest.mark.parametrize('mode', ['L', '1'])
def test_grey(tmp_path, mode):
    grey = (RNG.random((5, 7)) > 0.5).astype(np.uint8) * 255
    Image.fromarray(grey).convert(mode).save(tmp_path / 'a.png')
    np.testing.assert_array_equal(
        load_image(tmp_path / 'a.png'), np.stack([grey] * 3, -1))


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [0, 0, 0, 51]]],
                    np.uint8)
    Image.fromarray(rgba).save(tmp_path / 'a.png')
    # The last: 255 * (1 - 51 / 255) = 204.
    assert load_image(tmp_path / 'a.png').tolist() == [[[200, 100, 0],
                                                        [255, 255, 255],
                                                        [204, 204, 204]]]


def test_transparent_grey(tmp_path):
    la = np.array([[[80, 255], [80, 0]]], np.uint8)
    Image.fromarray(la, 'LA').save(tmp_path / 'a.png')
    assert load_image(tmp_path / 'a.png').tolist() == [[[80] * 3, [255] * 3]]


def test_palette_with_a_transparent_entry(tmp_path):
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8), 'P')
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / 'a.png', transparency=1)
    picture.save(tmp_path / 'b.png')
    assert load_image(tmp_path / 'a.png').tolist() == [[[10, 20, 30],
                                                        [255, 255, 255],
                                                        [70, 80, 90]]]
    assert load_image(tmp_path / 'b.png').tolist() == [[[10, 20, 30],
                                                        [40, 50, 60],
                                                        [70, 80, 90]]]


def test_one_colour_made_transparent(tmp_path):
    pixels = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png', transparency=(1, 2, 3))
    assert load_image(tmp_path / 'a.png').tolist() == [[[255] * 3, [4, 5, 6]]]


@pytest.mark.parametrize('name', ['a.png', 'a.tif', 'a.pgm'])
def test_16_bit_grey_is_scaled(tmp_path, name):
    # 257 steps of 16 bits are one of 8; 65535 is white, 385 rounds down.
    grey = np.array([[0, 128, 257, 385, 32896, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / name)
    image = load_image(tmp_path / name)
    assert image[..., 0].tolist() == [[0, 0, 1, 1, 128, 255]]
    np.testing.assert_array_equal(image, image[..., :1].repeat(3, axis=2))


def test_16_bit_colour_is_scaled(tmp_path):
    # Pillow cannot write it; OpenCV can.
    deep = colour()[..., ::-1].astype(np.uint16) * 257
    for name in ('a.png', 'a.tif'):
        assert cv2.imwrite(str(tmp_path / name), deep)
        np.testing.assert_array_equal(load_image(tmp_path / name), colour())


@pytest.mark.parametrize('value', [-1, 65536])
def test_32_bit_grey_out_of_range(tmp_path, value):
    Image.fromarray(np.full((2, 2), value, np.int32)).save(tmp_path / 'a.tif')
    with pytest.raises(UnreadableImageError, match='a.tif: grey values'):
        load_image(tmp_path / 'a.tif')


def test_floating_point(tmp_path):
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / 'a.tif')
    with pytest.raises(UnreadableImageError, match='convert it to 8 or 16'):
        load_image(tmp_path / 'a.tif')


def test_cmyk(tmp_path):
    cmyk = Image.fromarray(colour()).convert('CMYK')
    cmyk.save(tmp_path / 'a.jpg', quality=100, subsampling=0)
    cmyk.save(tmp_path / 'a.tif')
    np.testing.assert_array_equal(load_image(tmp_path / 'a.tif'), colour())
    jpeg = load_image(tmp_path / 'a.jpg').astype(int)
    assert abs(jpeg - colour()).max() <= 8


@pytest.mark.parametrize('shape', [(1, 1), (1, 3000), (3000, 1), (257, 2)])
def test_odd_sizes(tmp_path, shape):
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    np.testing.assert_array_equal(load_image(tmp_path / 'a.png'), pixels)


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif', '.webp'])
def test_truncated(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    pixels = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UnreadableImageError, match='cut off|not a picture'):
        load_image(path)


@pytest.mark.parametrize('content', [b'', b'some text\n', b'\xff\xd8\xff\xe0'])
def test_no_picture(tmp_path, content):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match='a.jpg: .*; ') as caught:
        load_image(path)
    assert caught.value.path == path


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.jpg'):
        load_image(tmp_path / 'none.jpg')
    with pytest.raises(IsADirectoryError):
        load_image(tmp_path)


def test_name_does_not_decide(tmp_path):
    Image.fromarray(colour()).save(tmp_path / 'a.jpg', format='PNG')
    np.testing.assert_array_equal(load_image(tmp_path / 'a.jpg'), colour())


def test_decompression_bomb(tmp_path, monkeypatch, recwarn):
    Image.fromarray(colour(10, 10)).save(tmp_path / 'a.png')
    # Above the limit Pillow warns, above twice the limit it refuses.
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 60)
    assert load_image(tmp_path / 'a.png').shape == (10, 10, 3)
    assert not recwarn.list
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 49)
    with pytest.raises(UnreadableImageError, match='MAX_IMAGE_PIXELS'):
        load_image(tmp_path / 'a.png')


def test_first_frame(tmp_path):
    frames = [Image.new('RGB', (4, 4), c) for c in ('red', 'blue')]
    frames[0].save(tmp_path / 'a.gif', save_all=True, append_images=frames[1:])
    assert load_image(tmp_path / 'a.gif')[0, 0].tolist() == [255, 0, 0]
