"""Damage good files at random and look whether the library refuses them in a sentence.

    python tools/fuzz.py                              the cases in tests/fuzz, then half a minute over all targets
    python tools/fuzz.py --only mp4,lists --minutes 10 --seed 3
    python tools/fuzz.py --minutes 0                  only the cases in tests/fuzz
    python tools/fuzz.py --replay runs/fuzz/x.json    say what becomes of single cases

`--minutes` is for all targets together; each gets an equal share. What is damaged, how, and what is held against what
stands in `tools/fuzz_targets.py`. A case is a few files in an empty folder. It is fine where the library takes it and
the answer is right, or where it says a sentence: a `BadInput`, or an `OSError` with the name of a file, which is what
the commands print and end with. Faults are:

* crash      the process died
* hang       no answer in 60 seconds
* memory     more than 1.5 GB on top of what the library takes itself (2.5 for videos: FFmpeg alone takes up to 2 for a
             table that lies about its length), or no memory for what was asked for
* traceback  any other exception
* wrong      an answer that is not right: other frames than plain decoding gives, videos lost without a word,
             weights that are not those that were saved; also a sentence of more than 1000 letters, or an empty one

hypothesis draws the cases and makes a failing one small. They are run in a process of their own, many after another;
where it dies or hangs, the case is known and another process goes on. A fault is written to runs/fuzz; when it is
mended its file moves to tests/fuzz, with a regular expression `says` that the answer must match, and is tried at each
run.
"""
import argparse, faulthandler, hashlib, json, os, re, resource, shutil, signal, sys, tempfile, time, traceback, warnings
# a fork wants one thread
os.environ |= dict(OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1', MKL_NUM_THREADS='1', MPLBACKEND='agg')
from dataclasses import dataclass, field
from multiprocessing import Pipe
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/'tools')]
HANG = 60  # seconds for one case
ROOM = 4_000_000_000  # bytes that a process may ask for on top of what it has when it begins
SHRINK = 12  # seconds to make a failing case small
CASES = ROOT/'tests/fuzz'
FOUND = ROOT/'runs/fuzz'

from fuzz_cases import Wrong, from_json, lay_out, to_json

@dataclass
class Answer:
    kind:str  # 'ok', 'sentence', or the kind of a fault
    text:str  # what was said
    where:str = ''  # of a fault: what tells it from others
    seconds:float = 0.
    @property
    def fine(self): return self.kind in ('ok', 'sentence')
    def __str__(self): return f'{self.kind}: {self.text}'

# --- the process that runs cases ---

def place_of(e):
    "Return the innermost function of the library that an exception passed."
    frames = [f for f in traceback.extract_tb(e.__traceback__) if 'corrnet_lib' in f.filename]
    return f'{frames[-1].filename.rpartition("corrnet_lib/")[2]}:{frames[-1].name}' if frames else 'outside'

def judge(e):
    "Make the answer that an exception is."
    from corrnet_lib.core import BadInput
    text = ' '.join(str(e).split())
    if isinstance(e, Wrong): return Answer('wrong', text, text.partition(':')[0])
    if isinstance(e, MemoryError) and type(e).__module__ == 'builtins' or "can't allocate memory" in text:
        return Answer('memory', text, place_of(e))
    if (not isinstance(e, BadInput)
        and not (isinstance(e, OSError) and e.strerror and e.filename and type(e).__module__ == 'builtins')):
        last = traceback.extract_tb(e.__traceback__)[-1]
        return Answer('traceback',
                      f'{type(e).__name__}: {text[:300]} ({last.filename.rpartition("/")[2]}:{last.lineno})',
                      f'{type(e).__name__} {place_of(e)}')
    if not 0 < len(text) <= 1000: return Answer('wrong', f'a sentence of {len(text)} letters: {text[:200]}', 'length')
    return Answer('sentence', f'{type(e).__name__}: {text}')

def peak(reset=False):
    """Return the most memory that this process had at once, bytes; with `reset` that counts from now on.
    0 where nobody says."""
    try:
        if reset: Path('/proc/self/clear_refs').write_text('5')
        return 1024*int(re.search(r'VmHWM:\s+(\d+)', Path('/proc/self/status').read_text())[1])
    except OSError: return 0

def attempt(case):
    "Run one case in a folder of its own."
    from fuzz_targets import TARGETS
    folder = tempfile.mkdtemp(prefix='fuzz-')
    t = time.monotonic()
    before = peak(reset=True)
    try:
        lay_out(case, folder)
        os.chdir(folder)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            answer = Answer('ok', str(TARGETS[case.target].run(Path(folder), case.about)))
    except Exception as e: answer = judge(e)
    finally:
        os.chdir('/')
        shutil.rmtree(folder, ignore_errors=True)
    more = peak() - before
    if more > TARGETS[case.target].memory: answer = Answer('memory', f'{more/1e9:.1f} GB, then {answer}', answer.where)
    answer.text = answer.text.replace(folder, '')
    answer.seconds = time.monotonic() - t
    return answer

def serve(conn, log):
    "Answer cases until there are no more."
    os.setpgid(0, 0)
    if Path('/proc/self/statm').exists():
        top = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (top, top))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, 2**30))
    f = open(log, 'w')
    os.dup2(f.fileno(), 1)
    os.dup2(f.fileno(), 2)
    faulthandler.enable(f)
    while case := conn.recv():
        faulthandler.dump_traceback_later(HANG - 2, file=f)
        answer = attempt(case)
        faulthandler.cancel_dump_traceback_later()
        conn.send(answer)

class Worker:
    "A process that runs cases, one after the other; a new one where it dies."
    def __init__(self):
        fd, self.log = tempfile.mkstemp(prefix='fuzz-', suffix='.log')
        os.close(fd)
        self.start()
    def close(self):
        self.stop()
        os.unlink(self.log)
    def start(self):
        self.conn, theirs = Pipe()
        self.n = 0
        self.pid = os.fork()
        if self.pid: return theirs.close()
        try: serve(theirs, self.log)
        except BaseException: traceback.print_exc()
        finally: os._exit(0)
    def stop(self):
        "End the process and those that it began; return its status."
        for kill, who in ((os.killpg, self.pid), (os.kill, self.pid)):
            try: kill(who, signal.SIGKILL)
            except ProcessLookupError: pass
        self.conn.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
    def run(self, case):
        if self.n >= 2000: self.restart()  # what small leaks there are must not look like one case's memory
        answer = self.once(case)
        if answer.kind == 'memory' and self.n > 1:
            self.restart()
            answer = self.once(case)
        return answer
    def restart(self):
        self.stop()
        self.start()
    def once(self, case):
        self.n += 1
        try:
            self.conn.send(case)
            if self.conn.poll(HANG): return self.conn.recv()
            dead = ''
        except (EOFError, ConnectionError):
            time.sleep(.05)
            dead = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        status = self.stop()
        said = Path(self.log).read_text(errors='replace')
        stack = re.findall(r'File ".*?(?:corrnet_lib/)?([\w/]+\.py)", line \d+ in (\w+)', said)
        where = next((f'{p}:{n}' for p, n in stack if Path(ROOT/'corrnet_lib', p).is_file()), 'outside')
        self.start()
        if not dead: return Answer('hang', f'no answer in {HANG} s', where, HANG)
        name = signal.Signals(-status).name if status < 0 else f'status {status}'
        return Answer('crash', f'the process died: {name}', f'{name} {where}')

# --- the search ---

class OutOfTime(BaseException): "Ends the search; no `Exception`, which hypothesis would take for a failure."

@dataclass
class Count:
    "What came out for a target."
    cases:int = 0
    refused:int = 0
    slowest:float = 0.
    faults:dict = field(default_factory=dict)  # {what tells it from others: (case, answer)}, the smallest of each

def search(target, seconds, seed):
    "Draw cases for so many seconds; each fault once, made small."
    import hypothesis as hy
    target.prepare()
    count = Count()
    worker = Worker()
    end = time.monotonic() + seconds
    known = set()
    settings = hy.settings(max_examples=100_000, database=None, deadline=None, report_multiple_bugs=False,
                           print_blob=False, phases=(hy.Phase.generate, hy.Phase.shrink),
                           suppress_health_check=list(hy.HealthCheck))
    def round_of(number):
        now = {}  # the fault that is being made small, and until when
        def one(case):
            late = time.monotonic() > max(end, now.get('until', 0))
            if late: raise OutOfTime
            answer = worker.run(case)
            count.cases += 1
            count.refused += answer.kind == 'sentence'
            if answer.seconds > max(count.slowest, 10) and answer.fine:
                keep(case, Answer('slow', str(answer), target.name), seed)
            count.slowest = max(count.slowest, answer.seconds)
            if answer.fine: return
            key = f'{answer.kind} {answer.where}'
            was = count.faults.get(key)
            if was is None or case.size < was[0].size: count.faults[key] = case, answer
            if was is None: print(f'  {target.name}: {answer}'[:400], flush=True)
            if key in known: return
            if not now: now.update(key=key, until=time.monotonic() + SHRINK)
            if answer.kind == 'hang': known.add(key)
            elif key == now['key'] and time.monotonic() < now['until']: raise AssertionError(key)
        try: hy.seed(seed*1_000_003 + number)(settings(hy.given(target.cases())(one)))()
        except OutOfTime: pass
        except Exception as e:
            if not now: raise
        if now: known.add(now['key'])
    number = 0
    try:
        while time.monotonic() < end:
            round_of(number)
            number += 1
    finally: worker.close()
    return count

def keep(case, answer, seed):
    "Write a fault to runs/fuzz; return the file."
    FOUND.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha1(f'{answer.kind} {answer.where}'.encode()).hexdigest()[:8]
    file = FOUND/f'{case.target}-{answer.kind}-{name}.json'
    file.write_text(to_json(case, fault=str(answer), where=answer.where, seed=seed))
    return file

# --- the command ---

def replay(files, verbose=False):
    "Run stored cases; return the number of those that are not answered as they say."
    from fuzz_targets import TARGETS
    cases = [(f, *from_json(f.read_text())) for f in files]
    for name in {case.target for _, case, _ in cases}: TARGETS[name].prepare()
    worker = Worker()
    bad = 0
    for f, case, says in cases:
        answer = worker.run(case)
        right = answer.fine and re.search(says, str(answer))
        bad += not right
        if not right: print(f'{f.name}: {answer}' + f'; expected {says!r}'*answer.fine)
        elif verbose: print(f'{f.name}: {answer}')
    worker.close()
    return bad

def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--minutes', type=float, default=.5, help='for all targets together (0.5)')
    p.add_argument('--only', default='', help='targets, with commas between (all)')
    p.add_argument('--seed', type=int, help='of what is drawn (the time)')
    p.add_argument('--replay', nargs='+', type=Path, metavar='FILE', help='only say what becomes of these cases')
    a = p.parse_args(argv)
    from fuzz_targets import TARGETS
    if a.replay: return int(replay(a.replay, verbose=True) > 0)
    names = a.only.split(',') if a.only else list(TARGETS)
    for n in names:
        if n not in TARGETS: p.error(f'--only {n}: expected some of {", ".join(TARGETS)}')
    seed = int(time.time()) if a.seed is None else a.seed
    stored = [f for f in sorted(CASES.glob('*.json')) if f.name.split('-')[0] in names]
    bad = replay(stored)
    print(f'{len(stored)} stored cases, {bad} not answered as they should be', flush=True)
    for n in names if a.minutes else ():
        count = search(TARGETS[n], 60*a.minutes/len(names), seed)
        bad += len(count.faults)
        print(f'{n}: {count.cases} cases, {count.refused} refused in a sentence, '
              f'the slowest took {count.slowest:.1f} s, {len(count.faults)} faults', flush=True)
        for case, answer in count.faults.values():
            print(f'  {keep(case, answer, seed).relative_to(ROOT)}: {answer}'[:400])
    print(f'seed {seed}: ' + (f'{bad} faults' if bad else 'no faults'))
    return int(bad > 0)

if __name__ == '__main__': sys.exit(main())
