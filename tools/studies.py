"""Run everything that the tables and figures of the studies still lack, the most valuable first; or say what that is.

    python tools/studies.py [--list] [flags of corrnet_study, such as --device cpu or --procs 2]

Rows that are there are not made again. Several of these commands at once share the work.
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from corrnet_lib.cli.study import main as study
from corrnet_lib.train.study_plan import study_plan

def main(argv):
    plan = study_plan(ROOT/'results')
    print(plan)
    if '--list' in argv: return 0
    status = 0
    for part in plan:
        if not part['missing']: continue
        print(f'=== {part["command"]}', flush=True)
        failed = study([*part['command'].split()[1:], '--out', str(ROOT/'results'/part['file']), *argv])
        if failed > 1: return failed  # a signal
        status = status or failed  # the other parts do not need this one
    return status

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
