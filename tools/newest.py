"""What would somebody get who installs the library today, and does it still have what the library uses?

    python tools/newest.py

1. For each Python of results/tried.json the requirements are resolved anew (metadata only, nothing is installed). Where
   a version is newer than the one with which `make test-newest` passed, a sentence says so.
2. The type stubs of the PyAV that is chosen there (and of the newest that there is) are held against every name and
   keyword of PyAV in the package. A name that is missing fails; beyond the requirement's bound it is only said.

Without a package index nothing can be asked, and that is said instead.
"""
import json, os, re, subprocess, sys, tempfile
from pathlib import Path
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT/'tools'))
from settings import requirements

TRIED = ROOT/'results/tried.json'  # {Python: {distribution: version}}, written by `make test-newest`
# of mypy's errors: a name or a keyword is not there
KINDS = ('attr-defined', 'call-arg', 'call-overload', 'name-defined')
UNREACHABLE = re.compile(r'error sending request|dns error|Failed to fetch|Could not connect|network', re.I)
PLANTED = "import av\nwith av.open('a.mp4', metadata_wishes='none') as c: c.streams.best('video').no_such_name\n"

class Unreachable(Exception): pass

def uv(*args):
    "Run uv, and give what it prints."
    run = subprocess.run([Path(sys.executable).parent/'uv', *args], capture_output=True, text=True)
    if run.returncode and UNREACHABLE.search(run.stderr): raise Unreachable(run.stderr.strip().splitlines()[-1])
    if run.returncode: raise SystemExit(f'uv {args[0]} failed:\n{run.stderr}')
    return run.stdout

def resolve(wanted, python):
    "{distribution: version} that an install would choose under that Python."
    with tempfile.TemporaryDirectory() as d:
        given = Path(d)/'wanted.in'
        given.write_text('\n'.join(wanted))
        text = uv('pip', 'compile', '-q', '--no-header', '--no-annotate', '--python-version', python, given)
    return dict(line.split(' ;')[0].split('==') for line in text.split('\n') if '==' in line)

def later_than_tried(python, chosen, tried):
    "A sentence for each requirement whose version is newer than the one that was tried."
    for name, version in tried.items():
        if Version(chosen.get(name, version)) > Version(version):
            yield (f'Python {python}: an install chooses {name} {chosen[name]}, tried was {version}; '
                   f'make test-newest PYTHON=python{python} tries it.')

def missing_names(version, python, sources):
    "What mypy misses in PyAV's stubs of that version: [(file, line, sentence)]."
    with tempfile.TemporaryDirectory() as d:
        uv('pip', 'install', '-q', '--no-deps', '--python-version', python, '--only-binary', ':all:', '--target', d,
           f'av=={version}')
        config = Path(d)/'mypy.ini'
        config.write_text('[mypy]\nfollow_imports = skip\nignore_missing_imports = True\ncheck_untyped_defs = True\n'
                          'strict_optional = False\nimplicit_optional = True\n[mypy-av.*]\nfollow_imports = normal\n')
        run = subprocess.run([sys.executable, '-m', 'mypy', '--config-file', config, '--python-version', '3.13',
                              '--no-site-packages', '--cache-dir', Path(d)/'cache', *sources],
                             capture_output=True, text=True, env=os.environ | dict(MYPYPATH=d))
    if run.returncode > 1: raise SystemExit(f'mypy failed:\n{run.stdout}{run.stderr}')
    found = re.findall(r'^(.*?):(\d+): error: (.*?)  \[([\w-]+)\]$', run.stdout, re.M)
    return [(Path(f).name, line, said) for f, line, said, kind in found if kind in KINDS]

def check_pyav(version, python, sources):
    "`missing_names` of the package; first that a planted fault is found."
    with tempfile.TemporaryDirectory() as d:
        (planted := Path(d)/'planted.py').write_text(PLANTED)
        seen = ' '.join(said for *_, said in missing_names(version, python, [planted]))
    if 'metadata_wishes' not in seen:
        raise SystemExit(f'PyAV {version}: a keyword that does not exist was not found; the check is blind.')
    return missing_names(version, python, sources)

def main():
    tried = json.loads(TRIED.read_text())
    wanted = requirements()
    bound = next(Requirement(r).specifier for r in wanted if Requirement(r).name == 'av')
    sources = [p for p in sorted((ROOT/'corrnet_lib').rglob('*.py'))
               if re.search(r'^\s*(import|from) av\b', p.read_text(), re.M)]
    said = []
    faults = []
    versions = {}
    try:
        for python, known in tried.items():
            chosen = resolve(wanted, python)
            said += later_than_tried(python, chosen, known)
            versions[chosen['av']] = python
        newest = max(tried, key=Version)
        versions.setdefault(resolve(['av'], newest)['av'], newest)
        for version, python in versions.items():
            found = [f'PyAV {version}: {f}:{line}: {what}' for f, line, what in check_pyav(version, python, sources)]
            if version in bound: faults += found
            else:
                said += [f'PyAV {version} is out, the requirement is av{bound}. '
                         + (' '.join(found) or 'All names are there.')]
    except Unreachable as e:
        print(f'no package index can be reached, nothing was compared ({e})')
        return 0
    print(*said, *faults, sep='\n', end='\n' if said or faults else '')
    print(f'Python {", ".join(tried)}: {"as tried" if not said else "see above"}; PyAV {", ".join(versions)}: '
          f'{len(faults)} names missing in {len(sources)} modules')
    return int(bool(faults))

if __name__ == '__main__': sys.exit(main())
