"""What two processes of one training must refuse alike: each case is one sentence on one of them, and the other is silent.

    torchrun --standalone --nproc-per-node 2 tests/processes/refusals.py DATA OTHER OUT
"""
import contextlib, sys, warnings
from pathlib import Path
from unittest import mock
import torch
from corrnet_lib.core import BadInput, ClipSpec, SaidElsewhere
from corrnet_lib.processes import gather_objects, process_group, process_rank, world_size
from corrnet_lib.recipes.recipe import Recipe
from corrnet_lib.train.run import train_run

SPEC = ClipSpec(n_frames=4, stride=2, short_train=(36, 40), size_train=32, short_test=36, size_test=32)
RECIPE = Recipe('refused', arch='corrnet_tiny', clip=SPEC, bs=6, lr=.05, epochs=1, sched='constant')

def refused(out, recipe=RECIPE, path=None, version=None, **kw):
    "Train; the sentence of this process, None where another one says why."
    import corrnet_lib
    version = version or corrnet_lib.__version__
    with mock.patch.object(corrnet_lib, '__version__', version), contextlib.redirect_stdout(None):
        try: train_run(recipe, path, out, workers=0, device='cpu', **kw)
        except SaidElsewhere: return None
        except BadInput as e: return str(e)
    return 'it trained'

def cases(data, other):
    second = process_rank() == 1
    yield 'bs=5: expected a multiple of the 2 processes', dict(path=data, bs=5)
    yield 'on process 1: expected', dict(path=other if second else data)
    yield 'recipe=', dict(path=data, lr=.1 if second else None)
    yield 'corrnet_lib=', dict(path=data, version='0.0.1' if second else None)
    yield 'no such folder', dict(path=data/'none' if second else data)

def main(data, other, out):
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    with process_group(torch.device('cpu'), 60.):
        assert world_size() == 2
        for says, kw in cases(data, other):
            said = gather_objects(refused(out, **kw))
            spoke = [s for s in said if s]
            good = len(spoke) == 1 and says in spoke[0] and '\n' not in spoke[0] and not out.exists()
            if process_rank() == 0: print('refused' if good else 'NOT REFUSED', says, *said, sep=' | ', flush=True)

if __name__ == '__main__': main(*map(Path, sys.argv[1:4]))
