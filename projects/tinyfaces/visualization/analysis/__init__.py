"""Figures and the page of the error analysis."""
from .page import render_page
from .pictures import Picture, draw_pictures, is_picture_name

__all__ = ['Picture', 'draw_pictures', 'is_picture_name', 'render_page']
