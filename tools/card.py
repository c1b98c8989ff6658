"""nbdev's own three commands, typed as they are: nbdev_export (which must change nothing),
pip install -e ., nbdev_test.

    python tools/card.py
"""
import hashlib, os, subprocess, sys
from pathlib import Path
from nbtest import main as nbdev_test

ROOT = Path(__file__).resolve().parents[1]

def digests() -> dict:
    "{file of the package: digest of its bytes}."
    return {p.relative_to(ROOT): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted((ROOT/'corrnet_lib').rglob('*.py'))}

def run(command:str):
    print(f'$ {command}', flush=True)
    subprocess.run(command, shell=True, check=True, cwd=ROOT,
                   env=os.environ | dict(PIP_QUIET='1', PIP_DISABLE_PIP_VERSION_CHECK='1'))

def main() -> int:
    os.environ['PATH'] = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    before = digests()
    run('nbdev_export')
    after = digests()
    changed = [str(f) for f in sorted({*before, *after}) if before.get(f) != after.get(f)]
    if changed: raise SystemExit(f'nbdev_export changed {", ".join(changed)}: commit what it writes.')
    run('pip install -e .')
    print('$ nbdev_test', flush=True)
    return int(nbdev_test([]))

if __name__ == '__main__': sys.exit(main())
