"""What the tests of options in the READMEs share."""
import argparse

from mmengine.config import DictAction


def parsed(options):
    """As tools/train.py and tools/test.py read ``--cfg-options``."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def value_at(node, path):
    """What is at ``a.0.b`` of nested objects, dicts and lists, or None."""
    for part in path.split('.'):
        if part.isdigit():
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node.get(part)
        else:
            node = getattr(node, part, None)
    return node
