"""Names as matplotlib shows them letter by letter."""

_ZERO_WIDTH_SPACE = '\u200b'


def plain(text: str) -> str:
    """Text for a label or title, where matplotlib reads some letters.

    It sets what stands between two ``$`` as a formula, and leaves lines whose
    label starts with ``_`` out of the legend.

    Args:
        text: With a name that a user or a data set chose.

    Returns:
        str: What is shown as ``text``.
    """
    hidden = _ZERO_WIDTH_SPACE if text.startswith('_') else ''
    return hidden + text.replace('$', r'\$')
