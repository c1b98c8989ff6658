"""What 1, 2 and 3 processes must do alike: losses, gradients, weights and scores, written by process 0.

    torchrun --standalone --nproc-per-node 2 tests/processes/cases.py DATA OUT
"""
import contextlib, sys, warnings
from pathlib import Path
import torch
from fastai.callback.core import Callback, CancelFitException
from fastai.losses import CrossEntropyLossFlat
from corrnet_lib.all import *
from corrnet_lib.processes import all_sum, first_says, process_group, process_rank, world_size
from corrnet_lib.train.callbacks import Accumulate, FiniteSteps, n_clips_of
from corrnet_lib.train.history import Keeping
from corrnet_lib.train.performance import HalfPrecision
from corrnet_lib.train.run_folder import RunFolder, pack_checkpoint
from corrnet_lib.train.step_log import StepLog
from corrnet_lib.vis.plots import read_rows

SPEC = ClipSpec(n_frames=4, stride=2, short_train=(36, 40), size_train=32, short_test=36, size_test=32)
RECIPE = Recipe('cases', arch='corrnet_tiny', clip=SPEC, bs=6, lr=.05, epochs=2, sched='constant', bn='frozen')
# a low learning rate, as norms of few values amplify rounding; 'paper' has no biases in front of norms
AVERAGED = RECIPE.replace(lr=1e-4, bn='train', sub_bn=6, precise_bn=8, ema=.8, arch_kw=dict(design='paper'),
                          clip=dict(short_train=(64, 68), size_train=64))

class Loss(CrossEntropyLossFlat):
    "Cross entropy in the precision of the scores; fastai's is in float32."
    def __call__(self, out, y): return torch.nn.functional.cross_entropy(out, y.as_subclass(torch.Tensor),
                                                                         reduction=self.func.reduction)

class Watch(Callback):
    "Trains in float64, so that a difference is an error, and keeps the losses and the gradients of each step."
    order = 95  # after the mixing
    run_valid = True
    def before_fit(self):
        self.losses = []
        self.norms = []
    def before_batch(self):
        self.learn.xb = tuple(x.double() for x in self.xb)
        for cb in self.learn.cbs:
            if isinstance(getattr(cb, 'lam', None), torch.Tensor): cb.lam = cb.lam.double()  # shares of MixUp
    def after_loss(self):
        n = n_clips_of(self.learn) if self.training else 0
        if self.training: self.losses.append(all_sum(float(self.learn.loss)*n if n else 0., n))
        self.learn.loss = self.learn.loss.float()  # as the Recorder wants it
    def before_step(self): self.norms.append([float(p.grad.norm()) for p in self.model.parameters() if p.grad is not None])

class StopAt(Callback):
    "Keeps a checkpoint of the middle of the second epoch, and ends the training."
    order = 96
    def after_batch(self):
        if not self.training or (self.epoch, self.iter) != (1, 0): return
        self.state = pack_checkpoint(self.learn, 1)
        raise CancelFitException()

class Scaled(HalfPrecision):
    "The scaler of fp16, on a network in float64."
    def __init__(self): super().__init__('fp16', init_scale=2.**30)
    def before_fit(self):
        super().before_fit()
        self.autocast = contextlib.nullcontext()
    def after_pred(self): pass  # fastai's rounds to float32

class Overflow(Callback):
    "Makes the gradients overflow in one step, because of the clip at place 1, which one process has."
    order = FiniteSteps.order - 2
    def after_loss(self):
        if not self.training or (self.epoch, self.iter) != (0, 1) or 1 not in self.dl.places: return
        self.learn.loss_grad = self.learn.loss_grad*1e302

def learner(data, recipe=RECIPE, more=(), **kw):
    set_seed(3)
    dls = video_loaders(data, recipe, num_workers=0, device='cpu', drop_last=False, **kw)
    learn = video_learner(dls, recipe=recipe, metrics=[top1], cbs=[Watch(), *more], loss_func=Loss())
    learn.model.double()
    return learn

def fit(learn, **kw):
    with learn.no_bar(), learn.no_logging(), learn.distributed(): learn.fit_recipe(**kw)

def results(learn):
    weights = {k: v.clone() for k, v in learn.model.state_dict().items()}
    rows = [list(map(float, v[1:])) for v in learn.recorder.values]  # of validation
    return dict(weights=weights, rows=torch.tensor(rows), norms=torch.tensor(learn.watch.norms),
                losses=torch.tensor([total/n for total, n in learn.watch.losses if n]))

def fitted(*args, **kw):
    learn = learner(*args, **kw)
    fit(learn)
    return results(learn)

def resumed(data, out):
    "Train to the middle of an epoch; go on from where one process less was there."
    world = world_size()
    begun, late = learner(data), learner(data)
    stop = StopAt()
    fit(begun, cbs=[stop])
    first_says(lambda: torch.save(stop.state, out/f'middle{world}.pt'))
    ck = torch.load(out/f'middle{max(world - 1, 1)}.pt', weights_only=True)
    late.model.load_state_dict(ck['model'])
    late.create_opt()
    late.opt.load_state_dict(ck['optimiser'])
    late.dls.train.load_state_dict(ck['loader'])
    fit(late, first_epoch=1)
    return results(late)

def in_folder(data, out):
    "Train into a folder, with rows of steps, the best epoch kept, and an early end."
    folder = out/f'folder{world_size()}'
    keeping = Keeping('top1', keep=2, patience=1)
    learn = learner(data, RECIPE.replace(lr=.01))
    fit(learn, epochs=3, cbs=[StepLog(folder), RunFolder(folder, keeping=keeping)])
    def look():
        steps, rows = (read_rows(folder/f'{name}.csv') for name in ('steps', 'history'))
        files = sorted(int(p.stem[-4:]) for p in folder.glob('epoch-*.pth'))
        return dict(steps=torch.tensor([[s['step'], s['epoch'], s['lr'], round(s['grad_norm'], 3)] for s in steps]),
                    rows=torch.tensor([[r['train_top1'], r['top1']] for r in rows]),
                    kept=torch.tensor([*files, torch.load(folder/'best.pth', weights_only=True)['epoch']]))
    return first_says(look)

def cases(data, out):
    whole = data/'whole'
    yield 'plain', lambda: fitted(whole)
    yield 'mixed', lambda: fitted(whole, RECIPE.replace(aug=('mixup', .4, 'cutmix', 1.)))
    yield 'accumulated', lambda: fitted(whole, RECIPE.replace(accum=2))
    yield 'augmented', lambda: fitted(whole, RECIPE.replace(aug=('colour', .4)), on_device=True)
    yield 'broken', lambda: fitted(data/'broken', on_error='skip')
    yield 'averaged', lambda: fitted(whole, AVERAGED)
    yield 'scaled', lambda: fitted(whole, more=[Scaled(), Overflow()])
    yield 'resumed', lambda: resumed(whole, out)
    yield 'folder', lambda: in_folder(whole, out)

def main(data, out):
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    with process_group(torch.device('cpu'), 60.):
        found = {name: case() for name, case in cases(data, out)}
        if process_rank() == 0: torch.save(found, out/f'{world_size()}.pt')

if __name__ == '__main__': main(*map(Path, sys.argv[1:3]))
