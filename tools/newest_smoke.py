"""Train a few steps with the installed package and whatever fastai and fastcore are there; nbdev is blocked."""
import sys, tempfile
for m in ('nbdev', 'execnb'): sys.modules[m] = None
from pathlib import Path
import fastai, fastcore, corrnet_lib
from corrnet_lib.all import *

print(f'fastai {fastai.__version__}, fastcore {fastcore.__version__}, corrnet_lib {corrnet_lib.__version__}')
assert 'site-packages' in corrnet_lib.__file__, f'not installed: {corrnet_lib.__file__}'
with tempfile.TemporaryDirectory() as d:
    make_motion_videos(Path(d), n_train=2, n_valid=1, seed=0)
    recipe = recipes['corrnet_tiny_motion'].tweak(epochs=2, bs=4)
    dls = video_loaders(d, recipe.clip, bs=recipe.bs, num_workers=0)
    learn = video_learner(dls, corrnet_tiny, recipe=recipe, metrics=[top1, top5], path=d)
    before = [p.detach().clone() for p in learn.model.parameters()]
    with learn.no_bar(), learn.no_logging(): learn.fit_recipe()
    assert any((p != q).any() for p, q in zip(learn.model.parameters(), before)), 'nothing was learned'
    learn.save('smoke')
    video = next(Path(d).rglob('*.mp4'))
    label, idx, probs = learn.predict(video)
    assert label in dls.vocab and abs(float(probs.sum()) - 1) < 1e-4
    learn.load('smoke')
print('1 passed, 0 failed')
