"""Keep the house's rules: who may import whom, folder = sub-package, and what each room needs to be imported.

    python tools/rooms.py            check the notebooks' exported cells and import each room with the others' packages blocked
"""
import ast, json, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = 'corrnet_lib'
MAY = dict(core=set(), kernels={'core'}, layers={'kernels', 'core'}, networks={'layers', 'core'}, data={'core'}, measure={'core'},
           vis={'data', 'measure', 'core'}, train={'core', 'kernels', 'layers', 'networks', 'data', 'measure', 'vis'})
BENCH = MAY['measure'] | {'kernels', 'layers', 'networks', 'data'}  # measure.bench, measure.bench_data ... alone, inside functions
THIRD = dict(core={'torch', 'numpy'}, kernels={'torch', 'triton'}, layers={'torch'}, networks={'torch', 'numpy', 'scipy'}, measure={'torch', 'numpy', 'tqdm'},
             data={'torch', 'torchvision', 'numpy', 'decord', 'av', 'torchcodec', 'PIL', 'tqdm', 'cv2', 'webdataset'},
             vis={'torch', 'numpy', 'matplotlib', 'pytorch_grad_cam', 'PIL', 'IPython'})
LATE = {'scipy', 'decord', 'av', 'torchcodec', 'PIL', 'matplotlib', 'pytorch_grad_cam', 'triton', 'IPython', 'tqdm', 'cv2', 'webdataset'}  # imported on first use
FREE = {'tutorials', 'experiments', 'explain'}  # import anything, export nothing
TORCH_ONLY, NO_FASTAI = ('core', 'kernels', 'layers', 'networks', 'measure'), ('data', 'vis')

def cells(nb, exported):
    for c in json.loads(nb.read_text())['cells']:
        src = ''.join(c['source'])
        if c['cell_type'] == 'code' and exported == any(l.strip().startswith(('#| export', '#|export')) for l in src.splitlines()): yield src

def imports(src):
    "(module, inside a function or for type checkers only?) of each import; magics are dropped."
    tree = ast.parse('\n'.join(l for l in src.splitlines() if not l.lstrip().startswith(('%', '!'))))
    def late(n): return isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) or (isinstance(n, ast.If) and getattr(n.test, 'id', '') == 'TYPE_CHECKING')
    inner = {id(n) for f in ast.walk(tree) if late(f) for n in ast.walk(f)}
    for n in ast.walk(tree):
        if isinstance(n, ast.Import): yield from ((a.name, id(n) in inner) for a in n.names)
        elif isinstance(n, ast.ImportFrom) and not n.level: yield n.module, id(n) in inner

def number(nb): return nb.stem.split('_')[0]  # two digits, and a letter where one was put between

def check_notebook(nb, numbers):
    rel = nb.relative_to(ROOT/'nbs')
    exp = next((l.split()[2] for s in cells(nb, False) for l in s.splitlines() if l.startswith('#| default_exp')), None)
    room = rel.parts[0] if len(rel.parts) > 1 else 'core'
    if nb.stem == 'index' or room in FREE:
        if exp: yield f'{rel} exports {exp}, but this folder exports nothing'
        return
    want = '.'.join([*rel.parts[:-1], rel.stem.partition('_')[2]])
    bench = want.startswith('measure.bench')
    if exp != want: return (yield f'{rel} exports {exp}, but its folder and name say {want}')
    for src in cells(nb, True):
        for mod, inner in imports(src):
            top, *rest = mod.split('.')
            if top == LIB:
                other = rest[0] if rest else 'all'
                may = BENCH if bench else MAY[room]
                if other != room and other not in may: yield f'{rel}: {room} may not import {mod}'
                elif bench and other not in MAY[room] | {room} and not inner: yield f'{rel}: {mod} must be imported inside a function'
                elif '.'.join(rest) in numbers and numbers['.'.join(rest)] >= number(nb): yield f'{rel}: {mod} comes later in the reading order'
            elif top in sys.stdlib_module_names: continue
            elif room != 'train' and top not in THIRD[room] | (THIRD['data'] if bench else set()): yield f'{rel}: {room} may not import {top}'
            elif top in LATE and not inner: yield f'{rel}: {top} must be imported inside a function'
    for src in cells(nb, False):
        for mod, _ in imports(src):
            if mod.startswith(LIB + '.') and numbers.get(mod[len(LIB)+1:], '') >= number(nb): yield f'{rel}: a test imports {mod}, which is this notebook or a later one'

BLOCK = """
import sys, importlib, importlib.metadata
for name in importlib.metadata.packages_distributions():
    if {rule}: sys.modules[name] = None  # importing it raises ImportError
for m in {modules!r}: importlib.import_module(m)
"""
TORCH_NEEDS = "torch functorch torchgen numpy typing_extensions sympy mpmath filelock jinja2 markupsafe networkx fsspec triton nvidia cuda setuptools _distutils_hack pkg_resources _virtualenv".split()

def check_imports(rooms, rule):
    modules = [f'{LIB}.{p.relative_to(ROOT/LIB).with_suffix("").as_posix().replace("/", ".")}' for r in rooms
               for p in ([ROOT/LIB/f'{r}.py'] if r == 'core' else sorted((ROOT/LIB/r).glob('[!_]*.py')))]
    r = subprocess.run([sys.executable, '-W', 'ignore', '-c', BLOCK.format(rule=rule, modules=modules)], capture_output=True, text=True, cwd=ROOT)
    if r.returncode: yield f'{", ".join(rooms)}: {r.stderr.strip().splitlines()[-1]}'

def main():
    nbs = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
    numbers = {'.'.join([*p.relative_to(ROOT/'nbs').parts[:-1], p.stem.partition('_')[2]]): number(p) for p in nbs if p.stem != 'index'}
    bad = [e for nb in nbs for e in check_notebook(nb, numbers)]
    bad += check_imports(TORCH_ONLY, f"name not in {TORCH_NEEDS + [LIB]!r} and not name.startswith('_')")
    bad += check_imports(NO_FASTAI, "name in ('fastai', 'fastcore', 'nbdev', 'execnb')")
    bad += check_imports(('train',), "name in ('nbdev', 'execnb')")
    print(*(bad or [f'{len(nbs)} notebooks keep the rules; every room imports with what it may need']), sep='\n')
    return bool(bad)

if __name__ == '__main__': sys.exit(main())
