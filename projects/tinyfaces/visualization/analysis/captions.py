"""Titles and explanations of the figures on the page."""

#: Topic -> title and what the figure shows, in one paragraph.
CAPTIONS = {
    'localisation':
    ('AP against IoU',
     'The benchmark\'s evaluator at IoU .5 to .95 and the curves at .5 to .8 '
     '(RefineFace, Fig. 2 and Table 3). At a higher IoU a detection that is '
     'placed too loosely becomes a false positive and its face a miss. Faces '
     'that do not count in the setting are ignored.'),
    'error_modes':
    ('False positives by kind and rank',
     'Among the k false positives with the highest scores, the share of each '
     'kind (RefineFace, Fig. 1; Finding Tiny Faces, Fig. 15; both from the '
     'tool of Hoiem et al.). Localisation error: IoU in [.1, .5) with an '
     'annotated face; duplicate: IoU of at least .5 with a face found '
     'already, which the papers count as localisation; background: IoU below '
     '.1. Detections on faces that do not count are ignored.'),
    'false_positives_by_height':
    ('False positives by height',
     'The same kinds by the height of the detection, at a fixed number of '
     'false positives.'),
    'target_sizes':
    ('AP at one target size',
     'Only faces within .5 Jaccard distance of the size count (boxes on a '
     'common centre with IoU of at least .5); all others are ignored. The '
     'measure of Finding Tiny Faces, Figs. 4, 5, 7 and 8. Detections on the '
     'background are false positives whatever their size, so that rare sizes '
     'carry all of them.'),
    'recall_by_height':
    ('Recall by height of the face',
     'Share of the counted faces found at IoU .5, at fixed numbers of false '
     'positives, at scores, and with all detections of the file.'),
    'score_by_scale':
    ('Score before the sigmoid against scale',
     'RefineFace, Fig. 5: logit against the scale of the detection. The left '
     'panel condenses it: how often a true positive of that scale scores '
     'above a false positive of that scale. The dots are a sample with a '
     'fixed seed; lines are medians per class of scale. Ignored detections '
     'are left out.'),
    'normalized_ap':
    ('Normalised AP by characteristic',
     'Hoiem et al. (ECCV 2012), as in Finding Tiny Faces, Fig. 17: precision '
     'is R N / (R N + F) with one N for every group, so that rare and '
     'frequent groups compare. All false positives count for every group; '
     'detections of faces of other groups are ignored. Percentile classes: '
     'lowest 10 %, next 20, 40, 20 and 10 % of the counted faces; aspect from '
     'extra tall (XT) to extra wide (XW). Numbers under the names: faces.'),
    'sensitivity':
    ('Sensitivity and impact',
     'Highest and lowest normalised AP of each characteristic (Finding Tiny '
     'Faces, Fig. 16). Sensitivity: their distance; impact: from the dashed '
     'line, AP_N of all faces, to the highest.'),
    'top_false_positives':
    ('Top-scoring false positives',
     'As Finding Tiny Faces, Fig. 18. Number: rank among the false positives '
     'of all images; ov: IoU with the best annotated face; '
     '1−r: share of all detections with a lower score. A sharp face with '
     'overlap 0 is most often one that nobody annotated.'),
}
