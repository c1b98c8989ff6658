"""Run nbdev_test and say which ten notebooks took longest.

    python tools/nbtest.py [options of nbdev_test]
"""
import os, re, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

def main(argv):
    cmd = [str(Path(sys.executable).parent/'nbdev_test'), '--timing', '--n_workers', '2', *argv]
    env = (os.environ
           | dict(PYTHONWARNINGS='ignore', OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', '1'), MPLBACKEND='agg'))
    p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    times = []  # (name, seconds); rooms may share a name
    failed = set()
    for line in p.stdout:
        print(line, end='', flush=True)
        if m := re.fullmatch(r'(\S+\.ipynb): (\d+) secs?', line.strip()): times.append((m[1], float(m[2])))
        if m := re.fullmatch(r'\t(\S+\.ipynb)\s*', line): failed.add(m[1])
    code = p.wait()
    if times: print('\nThe slowest notebooks, imports included:')
    for name, s in sorted(times, key=lambda kv: -kv[1])[:10]: print(f'{s:7.1f} s  {name}')
    if not times and not failed:  # no notebook was tested, or the options are wrong
        print('nothing was tested')
        return code or 1
    if times: passed = len(times)  # times are told if all have passed
    else: passed = 'the others' if '--path' in argv else len(notebooks()) - len(failed)
    print(f'{passed} passed, {len(failed)} failed')
    return code or bool(failed)

def notebooks(): return [p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts]

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
