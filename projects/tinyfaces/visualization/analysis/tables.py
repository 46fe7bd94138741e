"""The numbers beside the figures, as HTML tables."""
from collections.abc import Callable, Mapping, Sequence
from html import escape

from .style import class_names


def table(caption: str, head: Sequence[str],
          rows: Sequence[Sequence[object]]) -> str:
    """An HTML table; every cell is escaped.

    Args:
        caption: Above the table.
        head: Names of the columns.
        rows: Cells: text, whole numbers, or floats (three decimals); None
            is shown as a dash.

    Returns:
        str: HTML.
    """
    lines = [
        '<div class="scroll"><table>', f'<caption>{escape(caption)}</caption>',
        '<tr>', *(f'<th>{escape(str(cell))}</th>' for cell in head), '</tr>'
    ]
    for row in rows:
        lines += [
            '<tr>', *(f'<td>{_cell(cell)}</td>' for cell in row), '</tr>'
        ]
    return ''.join([*lines, '</table></div>'])


def _cell(value: object) -> str:
    """One cell as text."""
    if value is None:
        return '–'
    if isinstance(value, float):
        return f'{value:.3f}'
    return f'{value:,}' if isinstance(value, int) else escape(str(value))


def summary_table(detectors: Mapping[str, dict]) -> str:
    """What the detections are; AP (RefineFace, Tables 3 and 5)."""
    sample = next(iter(detectors.values()))
    kinds = [
        'num_detections', 'true', 'localisation', 'duplicate', 'background',
        'ignored'
    ]
    levels = sample['localisation']['recall_levels']
    ious = ['0.5', '0.6', '0.7', '0.8']
    counts = table('Detections', [
        'detector', 'all', 'true', 'localisation errors', 'duplicates',
        'background', 'ignored'
    ], [[name, *(part['counts'][kind] for kind in kinds)]
        for name, part in detectors.items()])
    rows = []
    for name, part in detectors.items():
        part = part['localisation']
        ap = dict(zip((f'{iou:g}' for iou in part['iou']), part['ap']))
        rows.append([name, *(ap[iou] for iou in ious), part['mean_ap']])
    precision = table('AP at IoU thresholds (WIDER FACE protocol)',
                      ['detector', *ious, '.5:.95'], rows)
    false = table(
        'False positives at recall (IoU 0.5; dash: recall not reached)',
        ['detector', *(f'{100 * level:g} %' for level in levels)],
        [[name, *part['localisation']['false_positives']]
         for name, part in detectors.items()])
    return precision + false + counts


def _localisation(detectors: Mapping[str, dict]) -> str:
    sample = next(iter(detectors.values()))['localisation']
    return table('AP by IoU threshold',
                 ['detector', *(f'{iou:g}' for iou in sample['iou'])],
                 [[name, *part['localisation']['ap']]
                  for name, part in detectors.items()])


def _error_modes(detectors: Mapping[str, dict]) -> str:
    tables = []
    for name, part in detectors.items():
        modes = part['error_modes']
        rows = []
        for k in [*modes['table_top'], modes['total']]:
            if k:
                at = modes['top'].index(k)
                rows.append([
                    k, *(modes['counts'][kind][at] for kind in modes['counts'])
                ])
        tables.append(
            table(f'{name}: kinds among the top k false positives',
                  ['k', *modes['counts']], rows))
    return ''.join(tables)


def _false_by_height(detectors: Mapping[str, dict]) -> str:
    tables = []
    for name, part in detectors.items():
        heights = part['by_height']
        for point in heights['points']:
            tables.append(
                table(
                    f'{name}: false positives by height of the detection, '
                    f'at {point["name"]}',
                    ['kind', *class_names(heights['height_edges'])],
                    [[kind, *counts]
                     for kind, counts in point['false_positives'].items()]))
    return ''.join(tables)


def _target_sizes(detectors: Mapping[str, dict]) -> str:
    sizes = next(iter(detectors.values()))['target_sizes']
    names = [
        f'{high:g}x{wide:g}'
        for high, wide in zip(sizes['height'], sizes['width'])
    ]
    rows = [['faces', *sizes['num_faces']]]
    rows += [[name, *part['target_sizes']['ap']]
             for name, part in detectors.items()]
    return table('AP by target size, height x width in pixels',
                 ['detector', *names], rows)


def _recall_by_height(detectors: Mapping[str, dict]) -> str:
    sample = next(iter(detectors.values()))['by_height']
    rows = [['faces', '', '', *sample['num_faces'], sum(sample['num_faces'])]]
    for name, part in detectors.items():
        rows += [[
            f'{name}, {point["name"]}',
            point['score'],
            point['total_false_positives'],
            *point['recall'],
            point['total_recall'],
        ] for point in part['by_height']['points']]
    return table('Recall by height of the face in pixels', [
        'at', 'score', 'false positives', *class_names(sample['height_edges']),
        'all'
    ], rows)


def _score_by_scale(detectors: Mapping[str, dict]) -> str:
    tables = []
    for name, part in detectors.items():
        part = part['score_by_scale']
        middle = part['quantiles'].index(0.5)
        rows = [['separation', *part['separation']]]
        for group in ('positives', 'negatives'):
            rows.append([group, *part[group]['count']])
            rows.append([
                f'median logit of the {group}',
                *(row and row[middle]
                  for row in part[group]['score_quantiles'])
            ])
        tables.append(
            table(
                f'{name}: by scale in pixels ({part["clipped"]:,} scores of '
                'exactly 0 or 1, clipped)',
                ['', *class_names(part['scale_edges'])], rows))
    return ''.join(tables)


def _normalized_ap(detectors: Mapping[str, dict]) -> str:
    tables = []
    for name, part in detectors.items():
        part = part['characteristics']
        rows = [['all faces', '', '', part['overall'], part['stderr'], '']]
        for group, content in part['groups'].items():
            rows += [[
                group, value['name'], value['num_faces'], value['ap_n'],
                value['stderr'], value['ap']
            ] for value in content['values']]
        tables.append(
            table(f'{name}: normalised AP, N = {part["n"]:g}', [
                'characteristic', 'value', 'faces', 'AP_N', 'standard error',
                'AP (not normalised)'
            ], rows))
    return ''.join(tables)


def _sensitivity(detectors: Mapping[str, dict]) -> str:
    groups = next(iter(detectors.values()))['characteristics']['groups']
    rows = [[
        f'{name}, {measure}',
        *(content[measure]
          for content in part['characteristics']['groups'].values())
    ] for name, part in detectors.items()
            for measure in ('sensitivity', 'impact')]
    return table('Sensitivity and impact', ['detector', *groups], rows)


def _top_false_positives(detectors: Mapping[str, dict]) -> str:
    return ''.join(
        table(f'{name}: of all images', [
            'rank', 'image', 'box x y w h', 'score', 'kind', 'ov', '1−r (%)'
        ], [[
            row['rank'], row['image'], ' '.join(
                f'{value:g}' for value in row['box']), f'{row["score"]:.6g}',
            row['kind'], row['overlap'], f'{row["percent_below"]:.2f}'
        ] for row in part['top_false_positives']['ranked']])
        for name, part in detectors.items())


#: Topic -> its table.
TABLES: dict[str, Callable[[Mapping[str, dict]], str]] = {
    'localisation': _localisation,
    'error_modes': _error_modes,
    'false_positives_by_height': _false_by_height,
    'target_sizes': _target_sizes,
    'recall_by_height': _recall_by_height,
    'score_by_scale': _score_by_scale,
    'normalized_ap': _normalized_ap,
    'sensitivity': _sensitivity,
    'top_false_positives': _top_false_positives,
}
