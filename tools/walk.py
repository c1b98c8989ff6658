"""Carry out what a tutorial says, in a copy of the checkout, so that a test can try it.

    python tools/walk.py TUTORIAL COPY    copy the checkout into the new folder COPY, and change it as the tutorial says

Two things in a tutorial change a checkout:

* a code cell that begins with `# nbs/ROOM/NAME.ipynb` is a cell of that new notebook, and exported; with `, a test`
  after the name it is not exported;
* a block of markdown that begins with ```diff changes a file that is there. Its first line is `# FILE`, then come the
  lines that go (-), come (+) or stay, in groups that `@@` parts.
"""
import json, os, re, shutil, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOT_COPIED = shutil.ignore_patterns('.git', '.venv*', 'runs', 'build', '_docs', '_proc', '__pycache__', '.*_checkpoints')
MARK = re.compile(r'# (nbs/\S+\.ipynb)(, a test)?\n')
DIFF = re.compile(r'^```diff\n# (\S+)\n(.*?)^```', re.S | re.M)

def cells_of(path):
    "(kind, text) of each cell of a notebook."
    return [(c['cell_type'], ''.join(c['source'])) for c in json.loads(path.read_text(encoding='utf-8'))['cells']]

def new_notebooks(tutorial):
    "{path: its code cells} of the notebooks that a tutorial writes."
    found = {}
    for kind, text in cells_of(tutorial):
        if kind != 'code' or not (m := MARK.match(text)): continue
        found.setdefault(m[1], []).append(('' if m[2] else '#| export\n') + text[m.end():])
    return found

def write_notebook(path, sources, tutorial):
    "Write a notebook of a title, its place in the package and code cells."
    room, module = path.parent.name, path.stem.partition('_')[2]
    title = f'# {module}\n\n> Written by following {tutorial.name}'
    def cell(kind, text, k):
        own = dict(execution_count=None, outputs=[]) if kind == 'code' else {}
        return dict(cell_type=kind, id=f'walk{k:04d}', metadata={}, source=text.splitlines(keepends=True), **own)
    texts = [('markdown', title), ('code', f'#| default_exp {room}.{module}\n#| hide'), *(('code', s) for s in sources)]
    kernel = dict(display_name='python3', language='python', name='python3')
    nb = dict(cells=[cell(kind, text, k) for k, (kind, text) in enumerate(texts)], metadata=dict(kernelspec=kernel),
              nbformat=4, nbformat_minor=5)
    path.write_text(json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + '\n', encoding='utf-8')

def changes(tutorial):
    "[(file, old text, new text)] of the diffs in a tutorial."
    for kind, text in cells_of(tutorial):
        for file, body in DIFF.findall(text) if kind == 'markdown' else ():
            for hunk in re.split(r'^@@.*\n', body, flags=re.M):
                lines = [l for l in hunk.splitlines() if l]
                yield file, *('\n'.join(l[1:] for l in lines if l[0] != gone) for gone in '+-')

def replaced(path, old, new):
    "The text of a file in which `old` is replaced; it must stand there exactly once, in a notebook in one cell."
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.ipynb':
        nb = json.loads(text)
        found = [c for c in nb['cells'] if old in ''.join(c['source'])]
        n = sum(''.join(c['source']).count(old) for c in found)
        for c in found: c['source'] = ''.join(c['source']).replace(old, new).splitlines(keepends=True)
        text = json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + '\n'
    else:
        n = text.count(old)
        text = text.replace(old, new)
    if n != 1: raise SystemExit(f'{path}: expected this once, found it {n} times:\n{old}')
    return text

def check_changes(tutorial):
    "Count the changes of a tutorial. Raises `SystemExit` where one does not fit this checkout."
    return len([replaced(ROOT/file, old, new) for file, old, new in changes(Path(tutorial))])

class Copy:
    "A copy of the checkout in a new folder."
    def __init__(self, folder):
        self.folder = Path(folder).absolute()
        shutil.copytree(ROOT, self.folder, ignore=NOT_COPIED)
    def follow(self, tutorial):
        "Write the notebooks and make the changes of a tutorial, a path in the checkout; return the files."
        tutorial = self.folder/tutorial
        new = new_notebooks(tutorial)
        for file, sources in new.items():
            if (self.folder/file).exists(): raise SystemExit(f'{file}: it is there already.')
            write_notebook(self.folder/file, sources, tutorial)
        edits = list(changes(tutorial))
        for file, old, new_text in edits:
            text = replaced(self.folder/file, old, new_text)
            (self.folder/file).write_text(text, encoding='utf-8')
        return [*new, *dict.fromkeys(file for file, *_ in edits)]
    def run(self, *command):
        "Run a command in the copy, with its package; return what it prints. Raises `SystemExit` where it fails."
        own = dict(PYTHONPATH=str(self.folder), PATH=f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
                   PYTHONWARNINGS='ignore', MPLBACKEND='agg')
        env = {k: v for k, v in os.environ.items() if k != 'IN_TEST'} | own  # under IN_TEST nbdev_export does nothing
        done = subprocess.run(list(map(str, command)), cwd=self.folder, env=env, capture_output=True, text=True)
        if not done.returncode: return done.stdout.strip()
        raise SystemExit(f'{" ".join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}')

def main(argv):
    if len(argv) != 2: raise SystemExit(__doc__)
    print(*Copy(argv[1]).follow(Path(argv[0]).resolve().relative_to(ROOT)), sep='\n')

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
