"""Figures and the page of the error analysis."""
from .montage import check_pictures, plot_hard_negatives
from .page import render_page
from .pictures import Picture, draw_pictures, is_picture_name

__all__ = [
    'Picture', 'check_pictures', 'draw_pictures', 'is_picture_name',
    'plot_hard_negatives', 'render_page'
]
