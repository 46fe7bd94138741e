"""Pictures that could not be read count as pictures without detections."""
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tinyfaces.datasets.picture_faults import UNREADABLE, UNREADABLE_SIZE

# How many are named in a log; files name all.
_NAMED = 20


def without_unreadable(data_samples: Sequence[dict]) -> Iterator[dict]:
    """Drop what was detected in the grey pictures that stand for unreadable
    ones (see :class:`~tinyfaces.datasets.FaceDataset`).

    Args:
        data_samples: As a metric gets them: dicts with ``pred_instances``
            and perhaps ``group_pred_instances``.

    Yields:
        dict: The same; copies without detections where there is
        ``unreadable``.
    """
    for sample in data_samples:
        if is_unreadable(sample):
            sample = dict(sample)
            # Those of the grey picture are no test resolution.
            sample.pop('scale_factor', None)
            sample.pop('batch_input_shape', None)
            if 'pred_instances' in sample:
                sample['pred_instances'] = _none_of(sample['pred_instances'])
            groups = sample.get('group_pred_instances')
            if groups is not None:
                sample['group_pred_instances'] = {
                    name: _none_of(groups[name])
                    for name in groups
                }
        yield sample


def is_unreadable(sample: Any) -> bool:
    """Whether a data sample, or a dict of one, stands for such a picture."""
    return bool(sample.get(UNREADABLE))


def unreadable_reason(sample: Mapping[str, Any]) -> str | None:
    """Why a sample's picture could not be read; None if it could."""
    faults = sample.get(UNREADABLE)
    return '; '.join(reason for _, reason in faults) if faults else None


def picture_size(sample: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height in pixels; None if unreadable and never known."""
    if is_unreadable(sample):
        size = sample.get(UNREADABLE_SIZE)
        return None if size is None else tuple(size)
    return tuple(sample['ori_shape'][1::-1])


def unreadable_facts(
        results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What the JSON of results says of unreadable pictures.

    Args:
        results: One per picture: ``key`` and ``unreadable``, the reason.

    Returns:
        dict: ``unreadable``, key -> reason, sorted; empty if all pictures
        could be read.
    """
    found = {r['key']: r[UNREADABLE] for r in results if r[UNREADABLE]}
    return dict(unreadable=dict(sorted(found.items()))) if found else {}


def unreadable_remark(facts: Mapping[str, Mapping[str, str]]) -> str:
    """What a log says of them: ends in a line break, or is empty.

    Args:
        facts: Of :func:`unreadable_facts`.
    """
    found = facts.get('unreadable')
    if not found:
        return ''
    lines = [
        f'WARNING: {len(found):,} pictures could not be read. They count as '
        'pictures without detections: all their faces are missed.'
    ]
    lines += [f'  {key}: {reason}' for key, reason in found.items()][:_NAMED]
    if len(found) > _NAMED:
        lines.append(f'  and {len(found) - _NAMED:,} more')
    return '\n'.join(lines) + '\n'


def _none_of(instances: Any) -> Any:
    """The same fields with no rows."""
    if isinstance(instances, Mapping):
        return {name: values[:0] for name, values in instances.items()}
    return instances[:0]
