"""Does a JPEG go on to its end? OpenCV does not always say."""
import io
import os

from PIL import Image

_END = b'\xff\xd9'
_SCAN = 0xda
_RESTARTS = b'\xff\xdd'
# Markers that no length follows, and 0xff in the data, which is none.
_BARE = {0x00, 0x01, *range(0xd0, 0xda)}
# More than the blocks that belong together (at most ten of 64 numbers of 27
# bits) can take up: some of these may be outside of the picture.
_TAILS = (b'\xaa' * 4096, b'\x55' * 4096)
_LAST_BYTES = 8


def jpeg_is_whole(path: str) -> bool:
    """Whether a JPEG has its end marker, or lacks nothing but that.

    Cameras append things, and a thumbnail before the data has an end too, so
    it is looked for behind the start of the data. Only a file without the
    marker is decoded: it is whole if no pixel changes by what follows the
    last byte, and some do without the last bytes. That cannot be told of
    data in several parts (progressive JPEG, restart markers), of which the
    last ones may be missing as a whole.

    Args:
        path: The file; Pillow has read its header.

    Returns:
        bool: Whether nothing is missing.
    """
    with open(path, 'rb') as file:
        file.seek(-2, os.SEEK_END)
        if file.read() == _END:
            return True
        file.seek(0)
        content = file.read()
    scan = _start_of_scan(content)
    return content.find(_END, scan) >= 0 or _lacks_only_the_end(content, scan)


def _start_of_scan(content: bytes) -> int:
    """Where the first scan begins; the length of a file without any.

    Goes from marker to marker as decoders do: bytes between two segments are
    skipped, and so are the 0xff that may stand before a marker.
    """
    at = 2
    while True:
        at = content.find(b'\xff', at)
        if at < 0 or at + 4 > len(content):
            return len(content)
        kind = content[at + 1]
        if kind == _SCAN:
            return at
        if kind == 0xff:
            at += 1
        elif kind in _BARE:
            at += 2
        else:
            at += 2 + int.from_bytes(content[at + 2:at + 4], 'big')


def _lacks_only_the_end(content: bytes, scan: int) -> bool:
    """Whether a JPEG without its end marker has all of its data."""
    content = content.rstrip(b'\xff')
    # A scan: marker, length (two bytes), number of colours, ...
    colours = content[scan + 4:scan + 5]
    try:
        with Image.open(io.BytesIO(content)) as image:
            if (image.info.get('progressive') or _RESTARTS in content[:scan]
                    or colours != bytes([len(image.getbands())])):
                return False
        pixels = _decode(content)
        return (all(_decode(content + tail) == pixels for tail in _TAILS)
                and _decode(content[:-_LAST_BYTES]) != pixels)
    except OSError:  # Pillow's decoder gives up
        return False


def _decode(content: bytes) -> bytes:
    """The pixels of a JPEG whose end marker is missing."""
    with Image.open(io.BytesIO(content + _END)) as image:
        return image.tobytes()
