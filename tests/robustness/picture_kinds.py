"""Pictures with something about them, and those that are none."""
import io
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image


def encoded(image: Image.Image, kind: str = 'JPEG', **options) -> bytes:
    """A picture as a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(size=(64, 48)) -> Image.Image:
    """A picture of coarse noise."""
    cells = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


@lru_cache
def flat_png(width: int, height: int) -> bytes:
    """A black grey picture of any size, in little memory."""
    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    data = b''.join(packer.compress(row) for _ in range(height))
    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(content)) + kind + content +
        struct.pack('>I', zlib.crc32(kind + content))
        for kind, content in ((b'IHDR', header),
                              (b'IDAT', data + packer.flush()),
                              (b'IEND', b'')))


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    return exif


def _wide_grey() -> Image.Image:
    values = np.asarray(noise().convert('L')).astype(np.uint16) * 257
    return Image.fromarray(values)


def odd_pictures() -> dict[str, bytes]:
    """Kind -> a picture that is unusual, but one."""
    image = noise()
    clear = image.convert('RGBA')
    clear.putalpha(100)
    return dict(
        one_pixel=encoded(noise((1, 1))),
        one_column=flat_png(1, 300),
        grey=encoded(image.convert('L')),
        cmyk=encoded(image.convert('CMYK')),
        turned=encoded(image, exif=_turned()),
        sixteen_bit=encoded(_wide_grey(), 'PNG'),
        alpha=encoded(clear, 'PNG'),
        palette=encoded(image.convert('P'), 'PNG'),
        png_named_jpg=encoded(image, 'PNG'),
        webp_named_jpg=encoded(image, 'WEBP'),
        progressive=encoded(image, progressive=True),
        appended=encoded(image) + b'camera\xff\xda',
        long=flat_png(20000, 20))


# Reasons by which the faults are listed, as far as they are ours.
FAULTS = dict(
    cut='is cut off: a JPEG without its end',
    cut_with_thumbnail='is cut off: a JPEG without its end',
    cut_png='cannot be decoded .*truncated',
    empty='is empty',
    text='is no picture in a format',
    other_size='has 65x48 pixels, and had 64x48',
    gone='is not there any more',
    folder='IsADirectoryError',
    bomb='DecompressionBombError')


def put_fault(path: Path, fault: str) -> None:
    """Break a picture of 64 x 48 as one of :data:`FAULTS` says."""
    content = path.read_bytes()
    if fault in ('gone', 'folder'):
        path.unlink()
    if fault == 'folder':
        path.mkdir()
    elif fault != 'gone':
        png = encoded(noise(), 'PNG')
        # The segment of a thumbnail, with an end of its own.
        thumbnail = b'\xff\xe1\x00\x06\xff\xd8\xff\xd9'
        path.write_bytes(
            dict(
                cut=content[:len(content) * 2 // 3],
                cut_with_thumbnail=content[:2] + thumbnail + content[2:-40],
                cut_png=png[:len(png) * 2 // 3],
                empty=b'',
                text=b'<html>404 Not Found</html>',
                other_size=encoded(noise((65, 48))),
                bomb=flat_png(20000, 20000))[fault])
