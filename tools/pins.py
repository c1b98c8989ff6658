"""What users have from earlier versions must go on: recipes, runs, checkpoints, exports, shards,
tables, scripts, flags.

    python tools/pins.py            check that everything in tests/pins still works and gives the same numbers
    python tools/pins.py make       write it, once; a pin is never written again to make a check pass
"""
import argparse, contextlib, csv, importlib, io, json, os, re, shutil, subprocess, sys, tempfile, warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# weights may differ so much between processors
PINS = ROOT/'tests/pins'
SEED = 3
CLOSE = 2e-4
BENCH = ('op', 'block', 'network', 'train', 'profile', 'all', 'decode', 'loader')
TINY = dict(width=2, ks=3, places=('res2',), groups=1)
NOTED = ('option_strings', 'nargs', 'const', 'default', 'choices', 'required')

class Seen(Exception): pass

def scripts():
    "{command: (module, function)} as setup.py installs them."
    sys.path.insert(0, str(ROOT/'tools'))
    from settings import requirements
    return {name: tuple(place.split(':'))
            for name, _, place in (w.partition('=') for w in requirements('console_scripts'))}

def flags_of(module, function, argv=()):
    "The flags that a command declares, by name, in plain values."
    def look(parser, *args, **kw): raise Seen(parser)
    kept = argparse.ArgumentParser.parse_args
    argparse.ArgumentParser.parse_args = look
    try: getattr(importlib.import_module(module), function)(list(argv))
    except Seen as e: parser = e.args[0]
    finally: argparse.ArgumentParser.parse_args = kept
    def plain(v): return v if isinstance(v, (str, int, float, bool, type(None))) else [plain(o) for o in v]
    found = {}
    for a in parser._actions:
        if a.dest == 'help': continue
        row = {k: plain(getattr(a, k)) for k in NOTED}
        found[max(a.option_strings, key=len, default=a.dest)] = row | dict(type=getattr(a.type, '__name__', None))
    return found

def command_table():
    "{command: its flags}; corrnet_bench has several of them."
    table = {name: flags_of(*place) for name, place in scripts().items() if name != 'corrnet_bench'}
    return table | {f'corrnet_bench {k}': flags_of(*scripts()['corrnet_bench'], [k]) for k in BENCH}

def status(command, *argv):
    "Exit status of a command in this process."
    module, function = scripts()[command]
    with (contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err,
          warnings.catch_warnings()):
        warnings.simplefilter('ignore')
        try: code = getattr(importlib.import_module(module), function)(list(map(str, argv)))
        except SystemExit as e: code = e.code
    return int(code or 0), out.getvalue() + err.getvalue()

STATUSES = (('corrnet_train', '--help'), ('corrnet_train',),
            ('corrnet_train', 'nothing', '--path', 'x', '--out', 'PLACE/y'),
            ('corrnet_test', 'PLACE/none', '--path', 'x'), ('corrnet_predict', 'PLACE/none', 'a.mp4'),
            ('corrnet_cam', 'PLACE/none', 'a.mp4', '--out', 'b.png'), ('corrnet_verify', 'PLACE/none'),
            ('corrnet_resize', 'PLACE/none', 'PLACE/b'), ('corrnet_flow', 'PLACE/none'),
            ('corrnet_shards', 'PLACE/none', 'PLACE/b'), ('corrnet_annotate', 'PLACE/none'),
            ('corrnet_bench', 'nothing'))

def statuses():
    with tempfile.TemporaryDirectory() as d:
        return [status(c, *(w.replace('PLACE', d) for w in argv))[0] for c, *argv in STATUSES]

def recipe_table():
    from corrnet_lib.all import ensembles, recipes
    plain = dict(recipes={n: dict(digest=r.digest, json=json.loads(r.to_json())) for n, r in recipes.items()})
    fields = ('members', 'weights', 'how', 'paper', 'table', 'dataset', 'top1', 'top5', 'deviates')
    return plain | dict(ensembles={n: {f: getattr(e, f) for f in fields} for n, e in ensembles.items()})

def write_json(name, value):
    (PINS/name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
def read_json(name): return json.loads((PINS/name).read_text(encoding='utf-8'))
def weights(path):
    import torch
    return torch.load(path, weights_only=True)['model']

def make():
    "Write the pins; with the words that users have typed so far."
    if any(PINS.glob('*.json')): raise SystemExit(f'{PINS} is written already; a pin is not written twice.')
    import torch
    from fastai.callback.core import Callback
    from corrnet_lib.all import make_motion_videos, multi_view, recipes, video_learner, video_loaders
    from corrnet_lib.train.script import train_run
    torch.set_num_threads(1)
    (write_json('recipes.json', recipe_table()), write_json('commands.json', command_table()),
     write_json('statuses.json', statuses()))
    made = make_motion_videos(PINS/'data', 4, 2, motions=('left', 'right'), n_frames=16, seed=SEED, workers=1)
    recipe = recipes['corrnet_tiny_motion'].tweak(name='pinned', arch_kw=TINY, bs=2, epochs=3, lr=.05,
                                                  views=(2, 1, 'logits'))
    recipe.save(PINS/'pinned.json')
    flags = dict(path=made, workers=0, device='cpu', seed=SEED)
    with tempfile.TemporaryDirectory() as d:
        train_run(recipe, out=Path(d)/'whole', **flags)
        torch.save(dict(model=weights(Path(d)/'whole/checkpoint.pth')), PINS/'final.pth')
        shutil.copy(Path(d)/'whole/history.csv', PINS/'history.csv')
    class Stop(Callback):
        order = 90
        def after_batch(self):
            if self.training and self.epoch == 1 and self.iter == 1: raise KeyboardInterrupt
    with contextlib.suppress(KeyboardInterrupt):
        train_run(recipe, out=PINS/'run', save_minutes=0, cbs=[Stop()], **flags)
    dls = video_loaders(made, recipe, num_workers=0, device='cpu')
    learn = video_learner(dls, recipe=recipe)
    learn.model.load_state_dict(weights(PINS/'final.pth'))
    learn.export((PINS/'export.pkl').absolute())
    learn.save((PINS/'model').absolute(), with_opt=False)
    write_json('answers.json',
               dict(views=multi_view(learn, segments=2, crops=1).logits.tolist(), vocab=list(dls.vocab)))
    os.chdir(PINS)
    (print(status('corrnet_shards', 'data', 'shards', '--seed', '0')),
     print(status('corrnet_verify', 'data', '--out', 'verify.csv', '--workers', '0')))
    print(status('corrnet_ablate', 'pinned.json', '--path', 'data', '--out', 'ablation.csv', '--set', 'epochs=1',
                 '--try', 'ks=1', '--device', 'cpu'))
    (PINS/'ablation.png').unlink(missing_ok=True)

# --- checks
# ------------------------------------------------------------------------------------------------------------

def check_recipes():
    from corrnet_lib.all import Recipe, ensembles, recipes
    pinned = read_json('recipes.json')
    for name, row in pinned['recipes'].items():
        assert (recipes[name].digest
                == row['digest']), f'{name}: its digest was {row["digest"]} and is {recipes[name].digest}'
        read = Recipe.from_dict(row['json'])
        assert (read == recipes[name]
                and read.digest == row['digest']), f'{name}: its JSON of before is another recipe now'
    for name, row in pinned['ensembles'].items():
        for f, v in row.items(): assert json.loads(json.dumps(getattr(ensembles[name], f))) == v, f'{name}: {f}'

def same_default(flag, k, was, now):
    """A device that is not given used to be found when the parser was made; None: when the command runs. A word may
    follow --amp now, and need not. New copies of `corrnet_resize` are encoded as bench/03a_training_files
    measured; one that was begun with the old defaults goes on with them. Choices may become more."""
    if k == 'choices' and was and now: return set(was) <= set(now)
    if (flag, k, was, now) == ('--amp', 'nargs', 0, '?'): return True
    if k == 'default' and (flag, was, now) in (('--gop', 12, 32), ('--crf', 23, 22)): return True
    if (flag, k, now) != ('--device', 'default', None) or was is None: return was == now
    from corrnet_lib.core import resolve_device
    return was == resolve_device().type

def check_commands():
    now = command_table()
    for command, flags in read_json('commands.json').items():
        for flag, row in flags.items():
            assert flag in now[command], f'{command} {flag}: it is gone'
            for k, v in row.items():
                is_now = now[command][flag][k]
                assert same_default(flag, k, v, is_now), f'{command} {flag}: {k} was {v!r} and is {is_now!r}'
    assert (statuses()
            == read_json('statuses.json')), f'exit statuses were {read_json("statuses.json")} and are {statuses()}'

def differs(a, b):
    "The largest difference between two sets of weights, by their scale."
    assert list(a) == list(b), f'names of weights: {sorted(set(a) ^ set(b))[:3]}'
    return max(float((a[k].double() - b[k].double()).abs().max()/(1 + b[k].double().abs().max())) for k in a)

def check_run(tmp):
    shutil.copytree(PINS/'run', tmp/'run')
    argv = ['train', PINS/'pinned.json', '--path', PINS/'data', '--out', tmp/'run', '--workers', '0', '--device', 'cpu',
            '--resume']
    done = subprocess.run([sys.executable, '-W', 'ignore', '-m', 'corrnet_lib.train.script', *map(str, argv)], cwd=ROOT,
                          capture_output=True, text=True, env=os.environ | dict(OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stderr
    assert 'resumes with epoch 2 of 3, 2 of its 4 batches are done' in done.stdout, done.stdout
    d = differs(weights(tmp/'run/checkpoint.pth'), weights(PINS/'final.pth'))
    assert d <= CLOSE, f'the resumed run ends {d:.1e} from where it would have ended'
    was, now = (list(csv.DictReader(open(p))) for p in (PINS/'history.csv', tmp/'run/history.csv'))
    assert ([list(r) for r in was] == [list(r) for r in now]
            and abs(float(was[-1]['valid_loss']) - float(now[-1]['valid_loss'])) < 1e-3)
    return f'{d:.1e} from the weights of before'

def check_network(tmp):
    import torch
    from corrnet_lib.all import VideoDataset, find_records, load_network, multi_view
    net, recipe, vocab = load_network(PINS/'model.pth')
    answers = read_json('answers.json')
    assert vocab == answers['vocab'] and recipe.name == 'pinned'
    records = [r for r in find_records(PINS/'data') if r.split == 'valid']
    views = multi_view(net, VideoDataset(records, recipe.clip, vocab), segments=2, crops=1)
    d = float((views.logits - torch.tensor(answers['views'])).abs().max())
    assert d < 1e-3, f'the checkpoint answers {d:.1e} away from before'
    return f'{d:.1e}'

def check_export(tmp):
    import torch
    from fastai.learner import load_learner
    learn = load_learner(PINS/'export.pkl')
    video = sorted((PINS/'data/valid').rglob('*.mp4'))[0]
    _, _, probs = learn.predict(video)
    want = torch.tensor(read_json('answers.json')['views'])[0].mean(0).softmax(0)
    assert float((probs - want).abs().max()) < 1e-3

def check_data(tmp):
    import numpy as np
    from corrnet_lib.all import ClipSpec, find_records, video_loaders
    spec = ClipSpec(n_frames=4, stride=2, size_train=64, short_train=(64, 64), size_test=64, short_test=64)
    a, b = (video_loaders(PINS/p, spec, bs=2, num_workers=0, device='cpu') for p in ('data', 'shards'))
    def content(ds):
        return sorted((y, float(np.asarray(x, np.float64).sum())) for x, y in ds)  # shards have an order of their own
    assert content(a.valid_ds) == content(b.valid_ds), 'shards and files differ'
    shutil.copy(PINS/'verify.csv', tmp/'verify.csv')
    code, said = status('corrnet_verify', PINS/'data/valid', '--out', tmp/'verify.csv', '--workers', '0')
    assert code == 0 and '4 ok' in said, said
    shutil.copy(PINS/'ablation.csv', tmp/'ablation.csv')
    code, said = status('corrnet_ablate', PINS/'pinned.json', '--path', PINS/'data', '--out', tmp/'ablation.csv',
                        '--set', 'epochs=1', '--try', 'ks=1')
    assert code == 0 and '--- run' not in said, f'rows of before are not known again: {said}'

def check_script(tmp):
    done = subprocess.run([sys.executable, '-W', 'ignore', PINS/'script.py', PINS/'data', PINS/'pinned.json'], cwd=tmp,
                          capture_output=True, text=True,
                          env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stderr

def main(argv):
    if argv == ['make']: return make()
    failed = 0
    with tempfile.TemporaryDirectory() as d, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for check in (check_recipes, check_commands, check_run, check_network, check_export, check_data, check_script):
            try: said = check(Path(d)) if check.__code__.co_argcount else check()
            except Exception as e:
                failed = failed + 1
                said = f'FAILED {type(e).__name__}: {e}'
            print(f'{check.__name__.removeprefix("check_"):10}{said or "as before"}', flush=True)
    print(f'{7 - failed} passed, {failed} failed')
    return int(failed > 0)

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
