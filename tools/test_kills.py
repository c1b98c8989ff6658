"""Kill random processes of trainings that start again by themselves; each must end with the weights of an undisturbed run.

    python tools/test_kills.py --kills 20 --seed 0
"""
import argparse, csv, json, os, random, signal, subprocess, sys, tempfile, time
from pathlib import Path
import torch

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT/'tests/pins'
EPOCHS = 24
AT_ONCE = 5  # kills of one run
LIMIT = 1200  # seconds without progress, on a busy machine

def start(out, procs, *argv):
    "Start a training in a folder, with a checkpoint after every step."
    command = [sys.executable, '-W', 'ignore', '-m', 'corrnet_lib.cli.train', PINS/'pinned.json', '--path', PINS/'data',
               '--device', 'cpu', '--workers', 0, '--bs', 6, '--epochs', EPOCHS, '--save-minutes', 0, '--out', out,
               '--procs', procs, '--max-restarts', 2*AT_ONCE, *argv]
    log = open(f'{out}.log', 'w')
    return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, cwd=ROOT)

def children(pid):
    "List the processes that a launcher has started."
    return sorted(map(int, Path(f'/proc/{pid}/task/{pid}/children').read_text().split()))

def epochs_of(out):
    "Count the finished epochs of a run."
    try: return max(len((out/'history.csv').read_text().splitlines()) - 1, 0)
    except OSError: return 0

def wait_until(ready, run):
    "Wait for something while a run lives; whether it came."
    end = time.monotonic() + LIMIT
    while run.poll() is None and time.monotonic() < end:
        if ready(): return True
        time.sleep(.05)
    return False

def disturbed(out, procs, kills, rng):
    "Train, and kill a random process once each of some random epochs is over; the kills that hit."
    run = start(out, procs)
    hit = 0
    for epoch in sorted(rng.sample(range(1, EPOCHS - 1), kills)):
        if not wait_until(lambda: epochs_of(out) >= epoch, run): break
        time.sleep(rng.uniform(0, .5))  # in a step, a checkpoint, a validation or a start
        own = children(run.pid)
        if not own: continue
        victim = rng.choice(own)
        os.kill(victim, signal.SIGKILL)
        hit += 1
        print(f'{out.name}: epoch {epoch_at(out)}, process {own.index(victim)} of {len(own)} killed', flush=True)
        wait_until(lambda: victim not in children(run.pid) and len(children(run.pid)) == procs, run)
    return run.wait(LIMIT), hit

def epoch_at(out): return epochs_of(out) + 1

def same_weights(a, b):
    "Tell whether two runs ended with the same bits, and the same history but for the seconds."
    one, two = (torch.load(o/'checkpoint.pth', weights_only=True) for o in (a, b))
    rows = [[{k: v for k, v in r.items() if k != 'seconds'} for r in c['history']] for c in (one, two)]
    return rows[0] == rows[1] and all(torch.equal(v, two['model'][k]) for k, v in one['model'].items())

def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--procs', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    left = args.kills
    bad = 0
    with tempfile.TemporaryDirectory() as d:
        whole = Path(d)/'whole'
        if start(whole, args.procs).wait(LIMIT): sys.exit(Path(f'{whole}.log').read_text())
        for k in range(10*args.kills):
            if left <= 0: break
            out = Path(d)/f'run{k}'
            status, hit = disturbed(out, args.procs, min(AT_ONCE, left), rng)
            left -= hit
            good = not status and same_weights(whole, out)
            bad += not good
            says = json.loads((out/'status.json').read_text())
            print(f'{out.name}: {hit} kills, exit status {status}, status.json {says["status"]}, '
                  f'{"the weights of" if good else "NOT THE WEIGHTS OF"} the undisturbed run', flush=True)
            if not good: print(Path(f'{out}.log').read_text()[-3000:])
    print(f'{args.kills - max(left, 0)} kills, {bad} runs that did not end as the undisturbed one')
    return bool(bad or left > 0)

if __name__ == '__main__': sys.exit(main())
