"""UnreadablePicturesHook on two processes, in a training of two rounds."""
import json
from types import SimpleNamespace

from mmdet.structures import DetDataSample
from mmengine.logging import MessageHub
from rank_processes import process_group, spawn

from tinyfaces.engine import UnreadablePicturesHook


def _work(rank, file, folder):
    """Each process has a bad picture of its own in each round."""
    runner = SimpleNamespace(
        message_hub=MessageHub('two_ranks'),
        work_dir=folder,
        iter=0,
        train_dataloader=SimpleNamespace(dataset=SimpleNamespace()))
    hook = UnreadablePicturesHook()
    with process_group(rank, file):
        for number in (1, 2):
            hook.before_train(runner)
            sample = DetDataSample()
            name = f'{number}_{rank}.jpg'
            sample.set_metainfo(dict(unreadable=[(name, 'is empty')]))
            hook.after_train_iter(runner, 0, dict(data_samples=[sample]))
            runner.iter += 1
            hook.after_train(runner)


def test_two_rounds(tmp_path):
    """All processes begin the second one alike, or they wait for ever."""
    spawn(_work, tmp_path, str(tmp_path))
    found = json.loads((tmp_path / 'unreadable_pictures.json').read_text())
    assert {
        one['path'] if isinstance(one, dict) else one
        for one in found['pictures']
    } == {'1_0.jpg', '1_1.jpg', '2_0.jpg', '2_1.jpg'}
