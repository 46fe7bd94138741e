"""Curves and pictures."""
from .pr_curve import plot_pr_curves

__all__ = ['plot_pr_curves']
