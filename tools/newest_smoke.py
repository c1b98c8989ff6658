"""Verify, train, predict and draw with the installed package and whatever versions are there; nbdev is blocked.

    python tools/newest_smoke.py [--record results/tried.json]
"""
import json, re, sys, tempfile, warnings
warnings.simplefilter('ignore', FutureWarning)  # fastai compiles activations with torch.jit.script
from importlib.metadata import requires, version
for m in ('nbdev', 'execnb'): sys.modules[m] = None
from pathlib import Path
import fastai, fastcore, corrnet_lib
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.transforms import GrandparentSplitter, get_files, parent_label
from fastai.interpret import ClassificationInterpretation
from fastai.learner import load_learner
from corrnet_lib.all import *
from corrnet_lib.cli.cam import main as corrnet_cam
from corrnet_lib.cli.predict import main as corrnet_predict
from corrnet_lib.cli.train import main as corrnet_train
from corrnet_lib.cli.verify import main as corrnet_verify

def motions(path): return sorted(get_files(path, extensions='.mp4'))

NAMES = sorted({re.match(r'[\w-]+', r)[0] for r in requires('corrnet_lib') if 'extra ==' not in r})
print(', '.join(f'{n} {version(n)}' for n in NAMES))
print(f'fastai {fastai.__version__}, fastcore {fastcore.__version__}, corrnet_lib {corrnet_lib.__version__}')
assert 'site-packages' in corrnet_lib.__file__, f'not installed: {corrnet_lib.__file__}'
with tempfile.TemporaryDirectory() as d:
    make_motion_videos(Path(d), n_train=2, n_valid=1, seed=0)
    recipe = recipes['corrnet_tiny_motion'].replace(epochs=2, bs=4)
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
    with learn.no_bar():
        seen = ClassificationInterpretation.from_learner(learn)
        assert seen.confusion_matrix().sum() == len(dls.valid_ds)
        seen.plot_top_losses(2, player=True)
    blocks = (DataBlock((VideoBlock(recipe.clip), CategoryBlock), get_items=motions, get_y=parent_label,
                        splitter=GrandparentSplitter()).dataloaders(d, bs=4, num_workers=0))
    blocks.show_batch(max_n=2)
    own = video_learner(blocks, corrnet_tiny, recipe=recipe, path=d)
    with own.no_bar(), own.no_logging(): own.fit_one_cycle(1)
    own.export('smoke.pkl')
    back = load_learner(Path(d)/'smoke.pkl')
    with back.no_bar():
        assert back.get_preds(dl=back.dls.test_dl([video], num_workers=0))[0].shape == (1, len(dls.vocab))
    run = Path(d)/'run'
    out = Path(d)/'cam.mp4'
    assert corrnet_verify([str(Path(d)/'train'), '--out', str(Path(d)/'verify.csv'), '--workers', '0']) == 0
    flags = ['--path', d, '--out', str(run), '--epochs', '1', '--bs', '4', '--workers', '0', '--device', 'cpu']
    assert corrnet_train(['corrnet_tiny_motion', *flags]) == 0
    assert corrnet_predict([str(run), str(video)]) == 0
    assert (corrnet_cam([str(run), str(video), '--out', str(out)]) == 0
            and video_info(out).n_frames % recipe.clip.n_frames == 0)
if '--record' in sys.argv:
    path = Path(sys.argv[sys.argv.index('--record') + 1])
    tried = json.loads(path.read_text()) if path.exists() else {}
    tried['.'.join(map(str, sys.version_info[:2]))] = {n: version(n) for n in NAMES}
    path.write_text(json.dumps(dict(sorted(tried.items())), indent=1) + '\n')
print('1 passed, 0 failed')
