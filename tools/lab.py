"""JupyterLab over the whole checkout, at home in `work/`, which git ignores: new notebooks land there.

    python tools/lab.py [options of jupyter lab]

The file browser begins in `work/`; one folder up are `nbs/`, `runs/` and `results/`. `work/start.ipynb` has the links;
it is written where it is missing, and yours from then on.
"""
import os, sys
from pathlib import Path
import nbformat

ROOT = Path(__file__).resolve().parents[1]
START = '''# Start here

Notebooks that you make in this folder are yours: git ignores them, and they use this checkout's package.

* [The library, and its rooms](../nbs/index.ipynb)
* Tutorials: {tutorials}
* What runs have written is in `runs/`, what was measured in `results/`: one folder up in the file browser.
'''

def title(path:Path) -> str: return nbformat.read(path, nbformat.NO_CONVERT).cells[0].source.split('\n')[0].strip('# ')

def write_start(root:Path) -> Path:
    "Write the first notebook in `work/`, unless it is there."
    for folder in ('work', 'runs'): (root/folder).mkdir(exist_ok=True)
    start = root/'work'/'start.ipynb'
    if start.exists(): return start
    found = sorted((root/'nbs'/'tutorials').glob('*.ipynb'))
    links = ', '.join(f'[{title(p)}](../nbs/tutorials/{p.name})' for p in found)
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(START.format(tutorials=links)),
                                         nbformat.v4.new_code_cell('from corrnet_lib.all import *\nlist_models()')],
                                  metadata={'kernelspec': dict(display_name='Python 3', name='python3')})
    nbformat.write(nb, start)
    return start

def options(root:Path) -> list[str]:
    "Options of `jupyter lab` that make `root` its root folder."
    return [f'--ServerApp.root_dir={root}', f'--FileContentsManager.preferred_dir={root/"work"}',
            '--LabApp.default_url=/lab/tree/work/start.ipynb']

if __name__ == '__main__':
    write_start(ROOT)
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, '-m', 'jupyterlab', *options(ROOT), *sys.argv[1:]])
