"""Two machines and the cable between them: a training goes on, ends in a sentence, and is resumed.

    python tools/test_hosts.py          needs root and iproute2

Each machine is a network namespace with two processes, which torchrun starts; a switch joins the two. They share the file
system, as the machines of a cluster do.
"""
import contextlib, json, os, shutil, signal, subprocess, sys, tempfile, time
from pathlib import Path
import torch
from corrnet_lib.recipes.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT/'tests/pins'
TIMEOUT = 20  # seconds that a process waits for the others
ENDS = 60  # seconds in which both machines must end once they lost each other
EPOCHS = 16
LIMIT = 900  # seconds for a start or an end, on a busy machine
HOSTS = '127.0.0.1 localhost\n10.77.0.1 host0\n10.77.0.2 host1\n'
ETC = Path('/etc/netns')  # `ip netns exec` shows NAME/hosts as /etc/hosts

def ip(*words, check=True):
    return subprocess.run(['ip', *map(str, words)], check=check, capture_output=True, text=True).stdout

@contextlib.contextmanager
def two_hosts():
    "Make two machines on a switch; yields the names of three namespaces."
    names = [f'corrnet{os.getpid()}{k}' for k in ('host0', 'host1', 'switch')]
    *hosts, switch = names
    try:
        for n in names: ip('netns', 'add', n)
        ip('-n', switch, 'link', 'add', 'name', 'bridge', 'up', 'type', 'bridge')
        for k, host in enumerate(hosts):
            ip('-n', host, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', f'port{k}', 'netns', switch)
            ip('-n', switch, 'link', 'set', f'port{k}', 'master', 'bridge', 'up')
            ip('-n', host, 'address', 'add', f'10.77.0.{k + 1}/24', 'dev', 'eth0')
            for device in ('eth0', 'lo'): ip('-n', host, 'link', 'set', device, 'up')
            (ETC/host).mkdir(parents=True)
            (ETC/host/'hosts').write_text(HOSTS)
        yield names
    finally:
        for n in names:
            for pid in ip('netns', 'pids', n, check=False).split():
                with contextlib.suppress(ProcessLookupError): os.kill(int(pid), signal.SIGKILL)
            ip('netns', 'delete', n, check=False)
            shutil.rmtree(ETC/n, ignore_errors=True)

def missing():
    "Say why two machines cannot be made here; '' where they can."
    for command in ('ip', 'unshare'):
        if not shutil.which(command): return f'there is no command {command}'
    if os.geteuid(): return 'only root may make network namespaces'
    try:
        with two_hosts(): return ''
    except subprocess.CalledProcessError as e: return f'network namespaces cannot be made ({e.stderr.strip()})'

def plug(switch, k, state): ip('-n', switch, 'link', 'set', f'port{k}', state)

def sent(host):
    "Count the bytes that a machine has sent."
    return json.loads(ip('-n', host, '-s', '-j', 'link', 'show', 'eth0'))[0]['stats64']['tx']['bytes']

def start(hosts, out, *argv):
    "Start a training on both machines."
    train = ['-m', 'corrnet_lib.cli.train', out.parent/'recipe.json', '--path', PINS/'data', '--device', 'cpu',
             '--workers', 0, '--out', out, '--dist-timeout', TIMEOUT, *argv]
    env = os.environ | dict(OMP_NUM_THREADS='1', TORCH_CPP_LOG_LEVEL='FATAL', PYTHONPATH=str(ROOT))
    runs = []
    for k, host in enumerate(hosts):
        named = ['unshare', '--uts', 'sh', '-c', f'hostname host{k} && exec "$@"', 'sh']
        torchrun = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nnodes', 2, '--nproc-per-node', 2,
                    '--node-rank', k, '--master-addr', 'host0', '--master-port', 29500]
        command = list(map(str, ['ip', 'netns', 'exec', host, *named, *torchrun, *train]))
        with open(f'{out}{k}.log', 'a') as log: runs.append(subprocess.Popen(command, stdout=log, stderr=log, env=env))
    return runs

def wait_for_epoch(out, runs, n):
    "Wait until n epochs are over."
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and all(r.poll() is None for r in runs):
        with contextlib.suppress(OSError):
            if len((out/'history.csv').read_text().splitlines()) > n: return
        time.sleep(.05)
    sys.exit(f'{out}: epoch {n} did not come\n' + ''.join(Path(f'{out}{k}.log').read_text()[-2000:] for k in (0, 1)))

def ended(runs, limit=LIMIT): return [r.wait(limit) for r in runs]

def weights(out): return torch.load(out/'checkpoint.pth', weights_only=True)['model']

def sentences(out, k):
    "What the command on one machine said."
    lines = Path(f'{out}{k}.log').read_text().splitlines()
    return [line.partition(': ')[2] for line in lines if line.startswith('corrnet_train: ') and 'warning' not in line]

class Checks:
    "Count what holds and print it."
    bad = 0
    def __call__(self, good, said):
        self.bad += not good
        print('ok  ' if good else 'BAD ', said, flush=True)

def alike(a, b): return all(torch.equal(v, b[k]) for k, v in a.items())

def undisturbed(hosts, tmp, check):
    "Train twice, to different lengths: the weights to compare with, and the bytes of a step."
    found = {}
    for epochs in (4, EPOCHS):
        before = sum(map(sent, hosts))
        out = tmp/f'whole{epochs}'
        check(ended(start(hosts, out, '--epochs', epochs)) == [0, 0], f'{epochs} epochs on two machines')
        found[epochs] = sum(map(sent, hosts)) - before
    steps = (EPOCHS - 4)*2  # 8 videos in batches of 4
    whole = weights(tmp/f'whole{EPOCHS}')
    names = [n for n in whole if not n.endswith(('running_mean', 'running_var', 'num_batches_tracked'))]
    gradients = sum(4*whole[n].numel() for n in names)
    # a ring of 4 sends each gradient 2*3/4 times over each of its 4 connections; 2 of them are cables
    calculated = 2*2*3/4*gradients
    measured = (found[EPOCHS] - found[4])/steps
    print(f'     {gradients/1e6:.3f} MB of gradients; on the wire {measured/1e6:.3f} MB a step, calculated '
          f'{calculated/1e6:.3f} MB: {measured/calculated:.2f} times', flush=True)
    check(1 <= measured/calculated < 1.5, 'bytes a step: the ring, and less than half again for the rest')
    return whole

def short_cut(hosts, switch, tmp, whole, check):
    out = tmp/'short'
    runs = start(hosts, out, '--epochs', EPOCHS)
    wait_for_epoch(out, runs, 2)
    plug(switch, 0, 'down')
    time.sleep(2)
    rows = (out/'history.csv').read_text()
    time.sleep(TIMEOUT/4)
    check(rows == (out/'history.csv').read_text(), 'without a cable nothing goes on')
    plug(switch, 0, 'up')
    check(ended(runs) == [0, 0] and alike(whole, weights(out)), 'after 7 s it goes on, to the same weights')

def long_cut(hosts, switch, tmp, whole, check, k):
    "Cut machine k for good, mend the cable, and resume."
    out = tmp/f'long{k}'
    runs = start(hosts, out, '--epochs', EPOCHS)
    wait_for_epoch(out, runs, 2)
    plug(switch, k, 'down')
    cut = time.monotonic()
    status = ended(runs)
    took = time.monotonic() - cut
    check(all(status) and took < ENDS, f'machine {k} cut: both ended after {took:.0f} s, exit status {status}')
    for j in (0, 1):
        said = sentences(out, j)
        check(len(said) == 1 and 'lost the others' in said[0], f'machine {j} says: {" / ".join(said)}')
    state = json.loads((out/'status.json').read_text())
    good = state['status'] == 1 and 'reached' in state['why']
    check(good, f'status.json: {state["status"]}, epoch {state["epoch"]}')
    plug(switch, k, 'up')
    check(ended(start(hosts, out, '--resume')) == [0, 0] and alike(whole, weights(out)), 'resumed, to the same weights')
    check(json.loads((out/'status.json').read_text())['status'] == 0, 'status.json: 0')

def main():
    if why := missing():
        print(f'skipped: tools/test_hosts.py, two machines: {why}')
        return 0
    check = Checks()
    with tempfile.TemporaryDirectory() as d, two_hosts() as (*hosts, switch):
        tmp = Path(d)
        recipe = Recipe.load(PINS/'pinned.json')
        recipe.replace(bs=4, arch_kw=recipe.arch_kw | dict(width=16)).save(tmp/'recipe.json')
        whole = undisturbed(hosts, tmp, check)
        short_cut(hosts, switch, tmp, whole, check)
        for k in (1, 0): long_cut(hosts, switch, tmp, whole, check, k)  # 0: the machine of process 0
    print(f'{check.bad} failed')
    return bool(check.bad)

if __name__ == '__main__': sys.exit(main())
