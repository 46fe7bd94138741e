# `tools/test.py --tta` of "Full" in Table 1 of "Finding Tiny Faces": all
# templates, each at the resolution that it was made for and nowhere else, so
# 0.5, 1 and 2 times the size. The rest, also that NMS sees the 20,000 best
# boxes of each scale, as in tiny_faces_wider.py, which is what becomes of it
# once the redundant templates are left out.
_base_ = './tiny_faces_wider.py'

tta_model = dict(
    plan=dict(scales=[
        dict(scale=0.5),
        dict(scale=1.0),
        dict(scale=2.0, max_side=5000)
    ]),
    test_cfg=dict(templates='own'))

# What the metric states as test resolution.
tta_resolution = ('original size times 0.5, 1 and, up to 5,000 pixels, 2; '
                  'each template at its own only')
