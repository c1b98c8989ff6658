"""Train, validate and resume with 1, 2 and 3 processes: the same losses, gradients, weights and scores. What two
processes cannot train together is refused in one sentence.

    python tools/test_dist.py
"""
import os, subprocess, sys, tempfile
from pathlib import Path
import torch

ROOT = Path(__file__).resolve().parents[1]
WORLDS = 1, 2, 3
LIMIT = 1e-9  # relative, in float64
REFUSALS = 5  # cases of tests/processes/refusals.py

def make_data(folder):
    "13 videos to train on and 9 to validate on, twice; of the second set six cannot be read."
    from corrnet_lib.datasets.synthetic import make_motion_videos
    for name in ('whole', 'broken'):
        make_motion_videos(folder/name, 5, 3, ('left', 'right', 'up'))
        for i in (3, 4): (folder/name/f'train/up/000{i}.mp4').unlink()
    for file in ('train/left/0000', 'train/right/0001', 'train/right/0002', 'train/up/0000', 'valid/left/0001',
                 'valid/up/0002'):
        p = folder/f'broken/{file}.mp4'
        p.write_bytes(p.read_bytes()[:400])

    make_motion_videos(folder/'other', 4, 3, ('left', 'right', 'up'))

def differences(a, b, where=''):
    "Yield (name, relative difference) of all tensors of two results."
    if isinstance(a, dict):
        if a.keys() != b.keys(): yield where, float('inf')
        for k in a.keys() & b.keys(): yield from differences(a[k], b[k], f'{where}/{k}')
    elif a.shape != b.shape: yield where, float('inf')
    else: yield where, float((a.double() - b.double()).norm()/a.double().norm().clamp(min=1e-12))

def run(world, data, out):
    "Run all cases with so many processes; their results."
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node',
               str(world), str(ROOT/'tests/processes/cases.py'), str(data), str(out)]
    env = os.environ | dict(OMP_NUM_THREADS='1', TORCH_CPP_LOG_LEVEL='FATAL')
    subprocess.run(command, check=True, env=env, cwd=ROOT)
    return torch.load(out/f'{world}.pt', weights_only=True)

def refusals(data, out):
    "Start what two processes must refuse; a line for each case."
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2',
               ROOT/'tests/processes/refusals.py', data/'whole', data/'other', out/'refused']
    env = os.environ | dict(OMP_NUM_THREADS='1', TORCH_CPP_LOG_LEVEL='FATAL')
    done = subprocess.run(list(map(str, command)), check=True, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()

def main():
    with tempfile.TemporaryDirectory() as d:
        data = Path(d)/'data'
        make_data(data)
        found = {w: run(w, data, Path(d)) for w in WORLDS}
        said = refusals(data, Path(d))
    print(*said, sep='\n')
    bad = sum(not line.startswith('refused | ') for line in said) + (len(said) != REFUSALS)
    for case in found[1]:
        for w in WORLDS[1:]:
            name, most = max(differences(found[1][case], found[w][case]), key=lambda o: o[1])
            bad += not most <= LIMIT
            print(f'{case:12} {w} processes: largest relative difference {most:.1e} ({name})')
    n = len(found[1])*(len(WORLDS) - 1) + REFUSALS
    print(f'{n - bad} passed, {bad} failed')
    return bool(bad)

if __name__ == '__main__': sys.exit(main())
