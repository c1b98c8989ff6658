"""Keep the house's rules: who may import whom, folder = sub-package, and what each room needs to be imported.

    python tools/rooms.py            check the notebooks' exported cells and import each room alone
"""
import ast, json, re, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = 'corrnet_lib'
MAY = dict(
    core=set(), processes={'core'}, testing={'core'}, kernels={'core'}, layers={'kernels', 'core'}, networks={'layers', 'core'},
    video={'core'}, datasets={'video', 'core'}, evaluate={'core', 'processes'},
    recipes={'networks', 'layers', 'datasets', 'evaluate', 'video', 'core'},
    vis={'evaluate', 'datasets', 'video', 'core'},
    predict={'processes', 'recipes', 'vis', 'evaluate', 'datasets', 'video', 'networks', 'layers', 'core'},
    bench={'evaluate', 'processes', 'core'})
READING = ('core', 'processes', 'testing', 'kernels', 'layers', 'networks', 'video', 'datasets', 'evaluate', 'recipes', 'vis',
           'predict', 'bench', 'train', 'cli')
MAY['train'] = {*MAY, 'kernels'} - {'testing', 'bench'}
MAY['cli'] = {*MAY} - {'testing'}
# rooms that a room may import inside functions
LAZY = dict(bench={'kernels', 'layers', 'networks', 'video', 'datasets', 'recipes'})
THIRD = dict(  # other packages that a room may import
    core={'torch', 'numpy'}, processes={'torch'}, testing={'torch', 'numpy'}, kernels={'torch', 'triton'}, layers={'torch'},
    networks={'torch', 'numpy', 'scipy', 'safetensors', 'tqdm'}, evaluate={'torch', 'numpy', 'tqdm'},
    bench={'torch', 'numpy', 'av', 'decord', 'torchcodec'},
    video={'torch', 'torchvision', 'numpy', 'decord', 'av', 'torchcodec', 'PIL', 'cv2'},
    datasets={'torch', 'torchvision', 'numpy', 'tqdm', 'webdataset', 'PIL', 'cv2'}, recipes={'torch', 'numpy'},
    vis={'torch', 'numpy', 'matplotlib', 'pytorch_grad_cam', 'PIL', 'IPython'},
    predict={'torch', 'numpy', 'tqdm', 'onnx', 'onnxruntime', 'onnxscript', 'pyarrow', 'jinja2', 'ipywidgets', 'gradio',
             'uvicorn', 'fastapi', 'starlette'}, cli=set(),
    train={'torch', 'numpy', 'fastai', 'fastcore', 'plum', 'matplotlib', 'IPython', 'wandb'})
LATE = {'scipy', 'decord', 'av', 'torchcodec', 'PIL', 'matplotlib', 'pytorch_grad_cam', 'triton', 'IPython', 'tqdm',
        'cv2', 'webdataset', 'safetensors', 'onnx', 'onnxruntime', 'onnxscript', 'pyarrow', 'jinja2', 'ipywidgets',
        'gradio', 'uvicorn', 'fastapi', 'starlette'}
EAGER = {'kernels.triton_kernels': {'triton'}}  # modules that only functions import: what they may import at their top
FREE = {'tutorials', 'experiments', 'explain'}  # import anything, export nothing
TORCH_ONLY = ('core', 'processes', 'testing', 'kernels', 'layers', 'networks', 'evaluate', 'bench')
NO_FASTAI = ('video', 'datasets', 'recipes', 'vis', 'predict')
TOP = {'core', 'processes', 'testing', 'old_names'}  # notebooks that stand above the rooms

MAGIC = re.compile(r'\s*(%{1,2}|!)[a-z]')

def cells(nb, exported):
    for c in json.loads(nb.read_text())['cells']:
        src = ''.join(c['source'])
        if (c['cell_type'] == 'code'
            and exported == any(l.strip().startswith(('#| export', '#|export')) for l in src.splitlines())):
            yield src

def imports(src):
    "(module, inside a function or for type checkers only?) of each import; magics are dropped."
    tree = ast.parse('\n'.join(l for l in src.splitlines() if not MAGIC.match(l)))
    def late(n):
        return (isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
                or (isinstance(n, ast.If) and getattr(n.test, 'id', '') == 'TYPE_CHECKING'))
    inner = {id(n) for f in ast.walk(tree) if late(f) for n in ast.walk(f)}
    for n in ast.walk(tree):
        if isinstance(n, ast.Import): yield from ((a.name, id(n) in inner) for a in n.names)
        elif isinstance(n, ast.ImportFrom) and not n.level: yield n.module, id(n) in inner

def number(nb): return nb.stem.split('_')[0]  # two digits, and a letter where one was put between

def default_exp(nb):
    lines = (l for s in cells(nb, False) for l in s.splitlines() if l.startswith('#| default_exp'))
    return next((l.split()[2] for l in lines), None)

def home(nb):
    "(room, module) that folder and name of a notebook say."
    rel = nb.relative_to(ROOT/'nbs')
    module = '.'.join([*rel.parts[:-1], rel.stem.partition('_')[2]])
    return (rel.parts[0] if len(rel.parts) > 1 else module), module

def order(numbers, module): return numbers.get(module, '')

def check_import(room, module, mod, inner, numbers):
    "A sentence where `mod` may not be imported by an exported cell of `module`."
    top, *rest = mod.split('.')
    if top == LIB:
        other = rest[0] if rest else 'all'
        name = '.'.join(rest)
        if other in LAZY.get(room, ()): return None if inner else f'{mod} must be imported inside a function'
        if other != room and other not in MAY[room]: return f'{room} may not import {mod}'
        if other == room and room != 'core' and order(numbers, name) >= numbers[module]:
            return f'{mod} comes later in the reading order'
    elif top in sys.stdlib_module_names: return None
    elif top not in THIRD[room]: return f'{room} may not import {top}'
    elif top in EAGER.get(module, ()): return None
    elif top in LATE and room != 'train' and not inner: return f'{top} must be imported inside a function'

def check_notebook(nb, numbers):
    rel = nb.relative_to(ROOT/'nbs')
    exp = default_exp(nb)
    room, module = home(nb)
    if nb.stem == 'index' or room in FREE:
        if exp: yield f'{rel} exports {exp}, but this folder exports nothing'
        return
    if exp != module: return (yield f'{rel} exports {exp}, but its folder and name say {module}')
    room = 'core' if room in TOP - {'testing'} else room
    for src in cells(nb, True):
        yield from (f'{rel}: {e}'
                    for mod, inner in imports(src) if (e := check_import(room, module, mod, inner, numbers)))
    for src in cells(nb, False):
        for mod, _ in imports(src):
            name = mod.removeprefix(LIB + '.')
            other = name.split('.')[0]
            if not mod.startswith(LIB + '.') or other not in READING: continue
            later = (READING.index(other) > READING.index(room)
                     or other == room and order(numbers, name) >= numbers[module])
            if later and room != 'core' or name == module:
                yield f'{rel}: a test imports {mod}, which is this notebook or a later one'

BLOCK = """
import sys, importlib, importlib.metadata
for name in importlib.metadata.packages_distributions():
    if {rule}: sys.modules[name] = None  # importing it raises ImportError
for m in {modules!r}: importlib.import_module(m)
"""
TORCH_NEEDS = ("torch functorch torchgen numpy typing_extensions sympy mpmath filelock jinja2 markupsafe networkx "
               "fsspec nvidia cuda setuptools _distutils_hack pkg_resources _virtualenv".split())

def modules_of(room):
    files = [ROOT/LIB/f'{room}.py'] if room in TOP else sorted((ROOT/LIB/room).glob('[!_]*.py'))
    names = [p.relative_to(ROOT/LIB).with_suffix('').as_posix().replace('/', '.') for p in files]
    return [f'{LIB}.{n}' for n in names if n not in EAGER]

def check_imports(rooms, rule):
    modules = [m for r in rooms for m in modules_of(r)]
    code = BLOCK.format(rule=rule, modules=modules)
    r = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, cwd=ROOT)
    if r.returncode: yield f'{", ".join(rooms)}: {r.stderr.strip().splitlines()[-1]}'

CONVENTIONS = {  # what each module of its kind has, under one name, for a table that joins them or for the commands
    'ROWS', 'LAYOUTS', 'RECIPES', 'ENSEMBLES', 'from_command', 'from_test_command', 'main', 'parser', 'run',
    'READERS', 'FILE_PATTERNS'}

def check_exports():
    "A sentence for each name that two modules export."
    homes = {}
    for p in sorted((ROOT/LIB).rglob('*.py')):
        for n in ast.parse(p.read_text()).body:
            if not isinstance(n, ast.Assign) or getattr(n.targets[0], 'id', '') != '__all__': continue
            for name in ast.literal_eval(n.value): homes.setdefault(name, []).append(p.relative_to(ROOT/LIB).as_posix())
    for name, where in homes.items():
        if len(where) > 1 and name not in CONVENTIONS: yield f'{name} means something else in {" and in ".join(where)}'

def main():
    nbs = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
    numbers = {home(p)[1]: number(p) for p in nbs if p.stem != 'index'}
    bad = [e for nb in nbs for e in check_notebook(nb, numbers)]
    bad += check_exports()
    bad += check_imports(TORCH_ONLY, f"name not in {TORCH_NEEDS + [LIB]!r} and not name.startswith('_')")
    bad += check_imports(NO_FASTAI, "name in ('fastai', 'fastcore', 'nbdev', 'execnb')")
    bad += check_imports(('train',), "name in ('nbdev', 'execnb')")
    # help must not wait for torch
    bad += check_imports(('cli',), f"name != {LIB!r} and not name.startswith('_')")
    print(*(bad or [f'{len(nbs)} notebooks keep the rules; every room imports with what it may need']), sep='\n')
    return bool(bad)

if __name__ == '__main__': sys.exit(main())
