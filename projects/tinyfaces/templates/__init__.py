"""Templates of "Finding Tiny Faces": files and clustering.

Needs neither torch nor MMDetection.
"""
from .clustering import Clusters, jaccard_distance, k_medoids, unique_shapes
from .template_file import (ROLES, Template, assign_roles, load_templates,
                            save_templates, scale_for, templates_from_dicts)

__all__ = [
    'Clusters', 'ROLES', 'Template', 'assign_roles', 'jaccard_distance',
    'k_medoids', 'load_templates', 'save_templates', 'scale_for',
    'templates_from_dicts', 'unique_shapes'
]
