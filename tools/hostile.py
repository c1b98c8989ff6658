"""Files that a stranger might send: checkpoints, recipes and MATLAB files with something wrong in each; all must be
read, or refused by one sentence, with little memory.

    python tools/hostile.py [N]    try all of them, and N random changes (100) of each kind; a line for what is wrong

Each function yields (name, bytes); `try_checkpoint`, `try_recipe` and `try_mat` take the path of a file with them and
return the sentence that refuses it, or None where it was read."""
import io, json, math, random, resource, sys, tempfile, time, zipfile
from pathlib import Path
import numpy as np, torch

LEAST = dict(short_train=(32, 32), size_train=32, short_test=32, size_test=32)
VALUES = (None, True, -1, 0, 3, 2**31, 10**30, 4.5, -1.5, math.nan, math.inf, 1e308, '', 'x', 'x'*10**5, '\x1b[31m\n',
          '\ud800', [], [[]], [1, 2], ['x'], {}, {'x': 1}, b'x', torch.zeros(2), 10**5000)

def good_checkpoint():
    "Make the checkpoint of a tiny network, as a dictionary."
    from corrnet_lib.core import ClipSpec
    from corrnet_lib.recipes.build import build_network
    from corrnet_lib.recipes.checkpoint import pack_network
    from corrnet_lib.recipes.recipe import Recipe
    own = dict(width=4, ks=3, groups=2, places=('res3',))
    recipe = Recipe('tiny', arch='corrnet_tiny', arch_kw=own, clip=ClipSpec(n_frames=4, stride=1, **LEAST))
    return pack_network(build_network(recipe, 3), recipe, ['a', 'b', 'c'])

def packed(o):
    "Write what torch.save writes."
    with io.BytesIO() as f:
        torch.save(o, f)
        return f.getvalue()

def plain(o):
    "Replace what JSON has no words for."
    return repr(o) if isinstance(o, (bytes, torch.Tensor)) else o

def recipe_texts(good):
    "Yield (name, text) of recipes in which one field is something else, and of texts that are none."
    base = json.loads(good)
    yield from (('empty', ''), ('list', '[1]'), ('text', 'Monday'), ('null', 'null'), ('open', '{"name": '),
                ('deep', '['*10**5), ('twice', '{"name": "a", "name": "b"}'), ('bytes', '\0'*99))
    for depth in (20, 300, 900, 5000):
        yield f'arch_kw {depth} deep', json.dumps(base)[:-1] + ', "arch_kw": ' + '{"a": '*depth + '1' + '}'*(depth + 1)
    def dump(o):
        try: return json.dumps(o)
        except ValueError: return json.dumps(o | {'name': 'long'}, default=str)
    places = [((f,), base) for f in base] + [(('clip', f), base['clip']) for f in base['clip']]
    places += [(('arch_kw', f), base['arch_kw']) for f in base['arch_kw']]
    for path, _ in places:
        for i, v in enumerate(VALUES):
            if isinstance(v, int) and v.bit_length() > 9999: continue  # json writes none
            d = json.loads(good)
            o = d if len(path) == 1 else d[path[0]]
            o[path[-1]] = plain(v)
            yield f'{".".join(path)} {i}', dump(d)
    yield 'long number', good.replace('"bs": 64', '"bs": ' + '9'*10**5)

def checkpoints(ck):
    "Yield (name, bytes) of checkpoints with another entry, other weights, another recipe."
    for k in (*ck, 'run', 'history', 'optimiser', 'random', 'loader', 'within'):
        yield f'without {k}', packed({q: v for q, v in ck.items() if q != k})
        for i, v in enumerate(VALUES): yield f'{k} {i}', packed(ck | {k: v})
    first = next(iter(ck['model']))
    w = ck['model'][first]
    odd = dict(sparse=w.to_sparse(), int8=w.to(torch.int8), complex=w + 1j, half=w.half(), double=w.double(),
               nan=w*math.nan, inf=w/0, empty=w[:0], scalar=torch.tensor(1.), meta=w.to('meta'), bool=w > 0,
               large=torch.zeros(1).expand(10**6, 10**6), strided=torch.zeros(1).expand(w.shape), flat=w.flatten(),
               quantised=torch.quantize_per_tensor(w, .1, 0, torch.qint8), number=3., none=None, dict={})
    for name, v in odd.items(): yield f'weight {name}', packed(ck | dict(model=ck['model'] | {first: v}))
    yield 'weight lost', packed(ck | dict(model={k: v for k, v in ck['model'].items() if k != first}))
    yield 'weight more', packed(ck | dict(model=ck['model'] | {'more': w}))
    yield 'weight key', packed(ck | dict(model=ck['model'] | {3: w}))
    for name, text in recipe_texts(ck['recipe']): yield f'recipe {name}', packed(ck | dict(recipe=text))
    for name, o in dict(list=[1], tensor=w, text='x', none=None, empty={}, other={'format': 'x'}).items():
        yield f'all {name}', packed(o)
    yield 'legacy', legacy(ck)
    yield 'bomb', bomb()
    yield 'bare zip', bomb(0)

def legacy(o):
    "Write what torch wrote before it had archives."
    with io.BytesIO() as f:
        torch.save(o, f, _use_new_zipfile_serialization=False)
        return f.getvalue()

def bomb(n=10**8):
    "Make an archive of `n` zeros, packed."
    with io.BytesIO() as f:
        with zipfile.ZipFile(f, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('archive/data.pkl', bytes(n))
        return f.getvalue()

def good_mat():
    "Write the stream of a tiny network as MatConvNet does."
    from scipy.io import savemat
    def structs(*rows): return np.array([tuple(r.values()) for r in rows], dtype=[(k, object) for k in rows[0]])
    layers = structs(dict(name='c', type='dagnn.Conv', params=np.array(['cf', 'cb'], dtype=object)),
                     dict(name='b', type='dagnn.BatchNorm', params=np.array(['bm', 'bb', 'bx'], dtype=object)))
    values = dict(cf=np.ones((2, 2, 3, 4), np.float32), cb=np.zeros((1, 4)), bm=np.ones((4, 1)), bb=np.zeros((4, 1)),
                  bx=np.ones((4, 2), np.float32))
    params = structs(*(dict(name=k, value=v) for k, v in values.items()))
    out = {}
    for packs in (False, True):
        with io.BytesIO() as f:
            savemat(f, dict(net=dict(layers=layers, params=params)), do_compression=packs)
            out[packs] = f.getvalue()
    return out[False], out[True]

def changed(data, rng):
    "Change a file at random: flip, overwrite, cut, repeat or insert some bytes."
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        k = rng.randrange(len(data))
        n = rng.choice((1, 1, 4, 8, 64))
        how = rng.randrange(6)
        if how < 2: data[k] ^= 1 << rng.randrange(8)
        elif how == 2: data[k:k + n] = bytes(rng.choice((0, 255, 127, 128)) for _ in range(min(n, len(data) - k)))
        elif how == 3: data[k:k + n] = rng.randbytes(min(n, len(data) - k))
        elif how == 4: del data[k:k + n*8]
        else: data[k:k] = data[max(k - n, 0):k]
        if not data: return b''
    return bytes(data)

def refusal(f, *args):
    "Return the sentence with which `f` refuses; None where it takes."
    from corrnet_lib.core import BadInput
    try: f(*args)
    except BadInput as e: return str(e)

def try_checkpoint(path):
    from corrnet_lib.predict.load import load_network
    return refusal(load_network, path)

def try_recipe(path):
    from corrnet_lib.recipes.recipe import Recipe
    return refusal(Recipe.load, path)

def try_mat(path):
    from corrnet_lib.networks.matconvnet import _read_matconvnet
    return refusal(_read_matconvnet, path)

def cases(n, seed=0):
    "Yield (kind, name, bytes, what tries it) of all files, and of `n` random changes of each kind."
    rng = random.Random(seed)
    ck = good_checkpoint()
    for name, data in checkpoints(ck): yield 'checkpoint', name, data, try_checkpoint
    for name, text in recipe_texts(ck['recipe']):
        yield 'recipe', name, text.encode('utf-8', 'surrogatepass'), try_recipe
    mats = good_mat()
    good = packed(ck), legacy(ck)
    for i in range(n):
        yield 'checkpoint', f'change {i}', changed(good[i % 2], rng), try_checkpoint
        yield 'recipe', f'change {i}', changed(ck['recipe'].encode(), rng), try_recipe
        yield 'mat', f'change {i}', changed(mats[i % 2], rng), try_mat

def main(n=100, seed=0):
    "Try all; return how many broke."
    resource.setrlimit(resource.RLIMIT_AS, (16*2**30, resource.RLIM_INFINITY))
    bad = count = 0
    with tempfile.TemporaryDirectory() as d:
        for kind, name, data, check in cases(n, seed):
            path = Path(d)/f'{kind}{dict(checkpoint=".pth", recipe=".json", mat=".mat")[kind]}'
            path.write_bytes(data)
            t = time.perf_counter()
            try: said = check(path)
            except Exception as e: said = f'BROKE {type(e).__name__}: {str(e)[:200]}'
            seconds = time.perf_counter() - t
            if said and not said.startswith('BROKE') and path.name not in said:
                said = f'BROKE does not name it: {said[:200]}'
            if said and (len(said) > 1500 or '\x1b' in said): said = f'BROKE raw or long: {said[:200]!r}'
            if seconds > 10: said = f'BROKE {seconds:.0f} s: {said}'
            count += 1
            if said and said.startswith('BROKE'):
                bad += 1
                print(f'{kind} {name}: {said}')
            elif '-v' in sys.argv: print(f'{kind} {name}: {said or "read"}'.replace(d, ''))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20
    print(f'{count} files, {bad} broke, {peak:.1f} GB at most')
    return bad

if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(bool(main(*(int(a) for a in sys.argv[1:] if a.isdigit()))))
