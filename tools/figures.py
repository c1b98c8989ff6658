"""Draw every figure of the ablations again from the committed rows, into results/figures, as svg and png.

    python tools/figures.py [OUT]     the folder results/figures, or another one

Nothing is trained. A study without rows has no figure yet; which ones are missing is printed.
"""
import sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from corrnet_lib.datasets.tasks import TASKS
from corrnet_lib.train.growth import CURVES, curve_progress, curve_rows, draw_curves, task_setting
from corrnet_lib.train.studies import STUDIES
from corrnet_lib.train.study_results import study_progress, study_rows, study_table
from corrnet_lib.vis.cam_measures import REMOVALS, plot_measures, plot_removal_rows
from corrnet_lib.vis.plots import plot_ablation, plot_cost, read_rows, save_figure
from corrnet_lib.vis.study_plots import plot_published, plot_study, plot_study_cost

RESULTS = ROOT/'results'

def published():
    "(name, figure) of each paper's published tables."
    rows = read_rows(RESULTS/'published_ablations.csv')
    for system, study in STUDIES.items():
        if system not in {r['paper'] for r in rows}: continue
        yield f'published_{system}', plot_published([r for r in rows if r['paper'] == system], study.title)

def drawn(name, system, setting=None):
    "(name, figure) of a study's figures; none without rows."
    rows = study_rows(system, RESULTS/f'{name}.csv', setting)
    print(study_progress(system, rows, setting=setting))
    if not rows: return
    table = study_table(system, rows)
    title = STUDIES[system].title + (f': {setting.task}' if setting else '')
    yield name, plot_study(table, title)
    for cost in ('mmacs', 'params', 'ms', 'memory_mb'): yield f'{name}_{cost}', plot_study_cost(table, cost, title)

def studies():
    "(name, figure) of each study that has rows; the study of all systems has a table for each task."
    for system in STUDIES:
        if system != 'all': yield from drawn(f'ablation_{system}', system)
    for task in TASKS: yield from drawn(f'ablation_all_{task}', 'all', task_setting(task))

def curves():
    "(name, figure) of growth and robustness, where there are rows."
    for kind in CURVES:
        rows = curve_rows(kind, RESULTS/f'{kind}.csv')
        print(curve_progress(kind, rows))
        if rows: yield kind, draw_curves(kind, rows, f'three systems: {kind}')

def cam():
    "(name, figure) of the maps that were measured, where there are rows."
    paths = [RESULTS/f'cam_{name}.csv' for name in ('measures', 'curves')]
    if not all(p.exists() for p in paths): return
    measures, curves = map(read_rows, paths)
    at = [dict(r, name=f'{r["map"]}, {r["name"]}') for r in measures
          if r['measure'] == 'energy' and r['stage'].startswith('res3') and r['name'] in ('trained', 'untrained')]
    yield 'cam_energy', plot_measures(at, 1, title='energy of class activation maps at res3')
    for how in REMOVALS: yield f'cam_{how}', plot_removal_rows(curves, how, f'{how} by class activation maps at res3')

def motion():
    "(name, figure) of the first study of the correlation: two seeds."
    rows = read_rows(RESULTS/'ablation_motion.csv')
    said = 'correlation in a 2D network: 120 test videos, two runs each'
    yield 'ablation_motion', plot_ablation(rows, 'variant', baseline='R2D + correlation', title=said)
    yield 'ablation_motion_cost', plot_cost(rows, title=said)

def main(out=None):
    start = time.time()
    folder = Path(out) if out else RESULTS/'figures'
    folder.mkdir(parents=True, exist_ok=True)
    names = [save_figure(figure, folder/name).stem for make in (published, studies, curves, cam, motion) for name, figure in make()]
    print(f'{len(names)} figures in {folder.name}, {time.time() - start:.0f} s: {", ".join(names)}')

if __name__ == '__main__': main(*sys.argv[1:])
