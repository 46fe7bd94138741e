"""Hides GPUs; to be imported before anything that looks for them.

What several forks are to do on CPUs, and a GPU's context cannot be forked.
"""
import os

os.environ['CUDA_VISIBLE_DEVICES'] = ''
