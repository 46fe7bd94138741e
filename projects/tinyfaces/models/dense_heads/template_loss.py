"""The losses of TemplateHead."""
from collections.abc import Sequence

import torch
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import SampleList
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import InstanceList, OptInstanceList
from mmengine.structures import InstanceData
from torch import Tensor

from ..avg_factor import mean_avg_factor
from ..precision import at_least_float
from ..task_modules.image_seeded import picture_seeds


class TemplateLossMixin:
    """Training of Finding Tiny Faces (appendix B), for TemplateHead."""

    def loss(self, x: Sequence[Tensor],
             batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of a batch, as of :meth:`loss_by_feat`.

        Args:
            x: Maps of the backbone.
            batch_data_samples: With faces, of each picture.
        """
        faces, ignored, metas = unpack_gt_instances(batch_data_samples)
        maps = self(x, metas[0].get('batch_input_shape'))
        return self.loss_by_feat(*maps, faces, metas, ignored)

    def loss_by_feat(
        self,
        logits: Tensor,
        deltas: Tensor,
        batch_gt_instances: InstanceList,
        batch_img_metas: Sequence[dict],
        batch_gt_instances_ignore: OptInstanceList = None
    ) -> dict[str, Tensor]:
        """Losses of a batch, in at least float32.

        Both are sums over the locations that the sampler draws, of the
        positive ones of these the regression, divided by the number of
        pictures alone, as in the released code; of all ranks and accumulated
        micro-batches together, whatever part of them this batch has.

        Args:
            logits: Of all templates, shape (B, N, H, W).
            deltas: Shape (B, 4N, H, W).
            batch_gt_instances: Faces of each picture.
            batch_img_metas: Have ``img_shape``, or ``valid_area`` where not
                all of that is the picture: its edges x1, y1, x2, y2.
            batch_gt_instances_ignore: Ignored faces of each picture.

        Returns:
            dict[str, Tensor]: ``loss_cls`` and ``loss_bbox``, scalars.
        """
        if batch_gt_instances_ignore is None:
            batch_gt_instances_ignore = [None] * len(batch_gt_instances)
        drawn = InstanceData.cat([
            self._draw(*each)
            for each in zip(logits, deltas, batch_gt_instances,
                            batch_gt_instances_ignore, batch_img_metas)
        ])
        positives = drawn[drawn.labels > 0]
        targets = self.bbox_coder.encode(positives.priors, positives.faces)
        # Sums over nothing are 0 with a gradient of 0: each parameter gets
        # one in every step, which distributed training waits for.
        losses = dict(
            loss_cls=self._class_losses(drawn.logits, drawn.labels).sum(),
            loss_bbox=self.loss_bbox(
                positives.deltas, targets, reduction_override='sum'))
        pictures = mean_avg_factor(
            logits.new_full((), len(batch_img_metas), dtype=torch.float32))
        return {name: value / pictures for name, value in losses.items()}

    def _draw(self, logits: Tensor, deltas: Tensor, faces: InstanceData,
              ignored: InstanceData | None, meta: dict) -> InstanceData:
        """What trains of one picture.

        Args:
            logits: Shape (N, H, W).
            deltas: Shape (4N, H, W).
            faces: ``bboxes`` (g, 4).
            ignored: The same of ignored faces, or None.
            meta: Metainfo of the picture.

        Returns:
            InstanceData: ``logits``, ``labels`` (1 or -1), ``deltas`` (n, 4),
            ``priors`` (n, 4), and of the positives ``faces`` (n, 4).
        """
        boxes = _boxes(faces, logits.device)
        seeds = picture_seeds(faces, 'templates')
        targets = self.assigner.assign(
            self.prior_generator, tuple(logits.shape[-2:]), _area(meta), boxes,
            None if ignored is None else _boxes(ignored, logits.device), seeds)
        labels, flat = targets.labels.flatten(), logits.flatten()
        labelled = torch.nonzero(labels).squeeze(1)
        with torch.no_grad():
            losses = self._class_losses(
                at_least_float(flat[labelled]), labels[labelled])
            # Those of the paper, whatever they count in the sum.
            losses = losses / getattr(self.loss_cls, 'loss_weight', 1.)
        picked = labelled[self.sampler.sample(labels[labelled], losses, seeds)]
        labels, nearest = labels[picked], targets.faces.flatten()[picked]
        # A window that finds no face gets any box, which no loss looks at.
        of_face = boxes.new_zeros(len(picked), 4)
        of_face[labels > 0] = boxes[nearest[labels > 0]]
        return InstanceData(
            logits=at_least_float(flat[picked]),
            labels=labels,
            deltas=at_least_float(deltas.reshape(4, -1)[:, picked].T),
            priors=self.priors_at(picked, logits.shape[-2:]),
            faces=of_face)

    def _class_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of each location; labels are 1 and -1."""
        return self.loss_cls(
            logits, (labels > 0).long(), reduction_override='none')


def _area(meta: dict) -> tuple[float, ...]:
    """Edges of the picture in the input."""
    height, width = meta['img_shape'][:2]
    return tuple(
        float(edge) for edge in meta.get('valid_area', (0, 0, width, height)))


def _boxes(instances: InstanceData, device: torch.device) -> Tensor:
    """(g, 4) in at least float32."""
    return at_least_float(get_box_tensor(instances.bboxes)).to(device)
