"""One order of results, whatever the number of processes."""
from collections.abc import Iterable, Sequence


def in_canonical_order(
    results: Sequence[dict], order: Iterable[str] = ()) -> dict[str, dict]:
    """Results by picture, the same for any number of processes.

    Processes share the pictures out, and look at some of them twice where
    their number does not divide the number of pictures.

    Args:
        results: One dict per look, with the ``key`` of its picture.
        order: Keys of pictures, in the order that decides.

    Returns:
        dict[str, dict]: Key -> its first result; the pictures of ``order``
        in this order, then all others in that of their names.
    """
    first: dict[str, dict] = {}
    for result in results:
        first.setdefault(result['key'], result)
    keys = [key for key in dict.fromkeys(order) if key in first]
    others = sorted(set(first).difference(keys), key=str)
    return {key: first[key] for key in (*keys, *others)}
