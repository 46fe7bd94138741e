# What a picture goes through in a test: original size (the data preprocessor
# pads it).
backend_args = None

# The annotations refer to the stored pixel grid, and the sizes in the data
# list are the headers': so no picture is turned by its EXIF orientation.
# Resize changes nothing here, but heads ask for the scale factor, and
#   --cfg-options test_dataloader.dataset.pipeline.1.scale="(640,480)"
# turns it into VGA. `flip` is in the data samples when RandomFlip is used.
test_pipeline = [
    dict(
        type='LoadImageFromFile',
        color_type='color_ignore_orientation',
        backend_args=backend_args),
    dict(type='Resize', scale_factor=1.0, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                   'scale_factor', 'flip', 'flip_direction'))
]
