"""No file needs a later Python than the oldest supported one."""
import ast

import pytest
from packaging_helpers import ROOT

OLDEST = (3, 10)
FOLDERS = ('benchmarks', 'configs', 'projects', 'tests', 'tools')


def newer_syntax(source):
    """Lines of syntax later than ``OLDEST``, as far as ast tells."""
    try:
        tree = ast.parse(source, feature_version=OLDEST)
    except SyntaxError as error:
        return [error.lineno]
    # feature_version does not know of a[b, *c] without parentheses (3.11).
    return [
        node.lineno for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and is_starred(node.slice)
    ]


def is_starred(index):
    """Whether an index is a tuple with a star and without parentheses."""
    if not isinstance(index, ast.Tuple) or not any(
            isinstance(part, ast.Starred) for part in index.elts):
        return False
    first = index.elts[0]
    # Parentheses would start before the first element.
    return (index.lineno, index.col_offset) == (first.lineno, first.col_offset)


@pytest.mark.parametrize('source, lines',
                         [('x = 1\na[b, *c] = 1', [2]), ('a[*b]', [1]),
                          ('a[(b, *c)]', []), ('a[b, c]', []),
                          ('try:\n    f()\nexcept* E:\n    g()', [4])])
def test_newer_syntax_is_seen(source, lines):
    assert newer_syntax(source) == lines


def test_no_file_has_newer_syntax():
    found = []
    files = [x for name in FOLDERS for x in (ROOT / name).rglob('*.py')]
    assert len(files) > 100
    for path in files:
        found += [
            f'{path.relative_to(ROOT)}:{line}'
            for line in newer_syntax(path.read_text(encoding='utf-8'))
        ]
    assert not found
