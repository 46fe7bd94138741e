"""Looking at a picture at several scales, with any detector."""
from .box_voting import box_voting
from .demo_scale_plan import DemoScalePlan
from .multi_scale_test import MultiScaleTestModel
from .scale_plan import BudgetScalePlan, ScalePlan, View

__all__ = [
    'BudgetScalePlan', 'DemoScalePlan', 'MultiScaleTestModel', 'ScalePlan',
    'View', 'box_voting'
]
