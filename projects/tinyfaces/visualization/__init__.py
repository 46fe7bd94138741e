"""Curves and pictures."""
from .loss_curve import plot_losses
from .pr_curve import plot_pr_curves

__all__ = ['plot_losses', 'plot_pr_curves']
