"""Is the package what the notebooks say? Export all notebooks in a copy of the project, compare whole trees.

    python tools/sync.py
"""
import filecmp, shutil, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = 'corrnet_lib'
BY_HAND = {Path('all.py'), Path('__init__.py')}

def files(d): return {p.relative_to(d) for p in d.rglob('*.py')} - BY_HAND

def main():
    with tempfile.TemporaryDirectory() as tmp:
        copy = Path(tmp)/ROOT.name
        shutil.copytree(ROOT/'nbs', copy/'nbs', ignore=shutil.ignore_patterns('.ipynb_checkpoints'))
        (copy/LIB).mkdir()
        for f in ('settings.ini', 'setup.py', 'pyproject.toml', *(LIB/f for f in BY_HAND)): shutil.copy(ROOT/f, copy/f)
        subprocess.run([str(Path(sys.executable).parent/'nbdev_export')], cwd=copy, check=True,
                       stdout=subprocess.DEVNULL)
        ours = files(ROOT/LIB)
        fresh = files(copy/LIB)
        wrong = ([f'{f} has no notebook' for f in sorted(ours - fresh)]
                 + [f'{f} was not exported' for f in sorted(fresh - ours)])
        wrong += [f'{f} differs from its notebook'
                  for f in sorted(ours & fresh) if not filecmp.cmp(ROOT/LIB/f, copy/LIB/f, shallow=False)]
    print(*(wrong or [f'{len(ours)} files of the package are in sync with the notebooks']), sep='\n')
    return bool(wrong)

if __name__ == '__main__': sys.exit(main())
