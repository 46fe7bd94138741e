"""Curves and pictures."""
from .anchor_distribution import plot_anchor_distribution
from .loss_curve import plot_losses
from .pr_curve import plot_pr_curves
from .roc_curve import plot_roc_curves
from .template_scales import plot_template_scales
from .template_shapes import plot_template_shapes
from .voc_face_curve import plot_voc_face_curves

__all__ = [
    'plot_anchor_distribution', 'plot_losses', 'plot_pr_curves',
    'plot_roc_curves', 'plot_template_scales', 'plot_template_shapes',
    'plot_voc_face_curves'
]
