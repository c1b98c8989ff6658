"""Hold the library against the golden fixtures; what they are and how they are filled says nbs/01_testing.ipynb.

    python tools/golden.py [--cases DIR] [--only TEXT] [--backend NAME]
"""
import argparse, os, sys
from pathlib import Path
import numpy as np
from corrnet_lib.testing import (Mismatch, as_clips, assert_golden, case_inputs, case_names, fill_array, fill_state,
                                 load_case, load_table, named_array)

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = Path(os.environ.get('GOLDEN') or ROOT/'tests'/'golden')

def check_op(adapter, name, folder):
    import torch
    case, npz = load_case('ops', name, folder)
    cfg = case['configuration']
    x = case_inputs(case)[0].requires_grad_()
    w = torch.from_numpy(fill_array(*case['state'][0])).requires_grad_()
    y = adapter.correlation(x, w, cfg['groups'], cfg['dilation'])
    assert_golden(y, npz, 'out', 1e-9, 1e-10)
    y.backward(torch.from_numpy(named_array(case['cotangent'], y.shape)))
    for g, k in ((x.grad, 'grad_x'), (w.grad, 'grad_filter_weight')): assert_golden(g, npz, k)

def outputs(case, net, xs):
    "The answers of `net` by their names in the fixtures; those of several crops of a video averaged."
    out = net(*as_clips(case, xs))
    n = case['configuration'].get('num_crop', 1)
    outs = [o.unflatten(0, (-1, n)).mean(1) for o in (out if isinstance(out, (tuple, list)) else [out])]
    return {'logits' + (str(i) if len(outs) > 1 else ''): o for i, o in enumerate(outs)}

def loss_of(kind, name, case, outs):
    import torch, torch.nn.functional as F
    if kind == 'ops':
        return (outs['logits']*torch.from_numpy(named_array('cotangent:' + name, outs['logits'].shape))).sum()
    losses = [F.cross_entropy(o, torch.tensor(case['targets'])) for o in outs.values()]
    return losses[0] if len(losses) == 1 else .75*losses[0] + losses[1]

def check_gradients(net, names, case, npz):
    own = dict(net.named_parameters())
    at = {k: i for i, k in enumerate(case['parameters'])}
    # a kernel with zeros, where ours has none
    lost = [k for k in at if k not in names and not k.endswith('penta.weight')]
    if lost: raise Mismatch(f'no parameter for {lost}')
    for what, f in (('train/grad_l2', lambda k, g: (g*g).sum()**.5),
                    ('train/grad_probe', lambda k, g: (g*named_array('probe:' + k, g.shape)).sum())):
        if what not in npz.files: continue
        got = np.array([f(k, own[n].grad.numpy()) for k, n in names.items() if k in at])
        want = npz[what][[at[k] for k in names if k in at]]
        if not np.allclose(got, want, rtol=1e-5, atol=1e-8*np.abs(npz[what]).max()):
            raise Mismatch(f'{what}: {np.abs(got - want).max():.2e}')

def check_module(adapter, kind, name, folder):
    "Output in eval; output, loss, gradients and running statistics after one training step."
    import torch
    case, npz = load_case(kind, name, folder)
    net = (adapter.block if kind == 'ops' else adapter.network)(case, fill_state(case['state']))
    xs = case_inputs(case)
    with torch.no_grad():
        for k, o in outputs(case, net.eval(), xs).items(): assert_golden(o, npz, f'eval/{k}', 1e-8, 1e-9)
    net.train()
    for t in (*xs, *net.parameters()): t.requires_grad_()
    if case.get('norms_in_eval_mode_while_training'): adapter.freeze_norms(case, net)
    outs = outputs(case, net, xs)
    for k, o in outs.items(): assert_golden(o, npz, f'train/{k}', 1e-7, 1e-8)
    loss = loss_of(kind, name, case, outs)
    assert_golden(loss, npz, 'train/loss')
    loss.backward()
    for x, spec in zip(xs, case['inputs']):
        key = 'train/grad_input' + ('' if len(xs) == 1 else f'_{spec}')
        if key in npz.files or f'{key}/slice' in npz.files:
            assert_golden(x.grad, npz, key, 1e-6, 1e-7*float(x.grad.abs().max()))
    names = {k: n for n, k in adapter.published_names(case, net).items()}
    mods = dict(net.named_modules())
    check_gradients(net, names, case, npz)
    if 'train/buffer_l2' in npz.files:
        for k, want in zip(case['buffers'], npz['train/buffer_l2']):
            stem, _, leaf = k.rpartition('.')
            m = mods[names[stem + '.weight'].rpartition('.')[0]]
            if not np.isclose(float(getattr(m, leaf).norm()), want, rtol=1e-7, atol=1e-8):
                raise Mismatch(f'{k} after one step')

QUESTION_NOISE = {'frames', 'start', 'end', 'clip_size'}
ANSWERS = {'uniform_crop': ('top', 'left', 'result_h_w'), 'short_side_scale': ('result_h_w',),
           'key_frame_sequences': ('indices',), 'two_pathway_packing': ('slow_indices', 'fast_indices'),
           'scale': ('result_w_h',), 'multi_scale_crop_pairs': ('crop_pairs_w_h',),
           'crops': ('center_crop', 'three_crop', 'five_crop', 'three_crop_flip', 'ten_crop', 'fixed_offsets_13',
                     'fixed_offsets_5'),
           'corner_crop': ('center', 'tl', 'tr', 'bl', 'br'),
           'validation_center_crop_then_resize': ('result_w_h', 'left_top', 'after_resize_112_w_h'),
           'rows': ('indices', 'samples', 'image_frames', 'flow_frames')}

def table_rows(name, table):
    "(form, question, answers) for each row of a table."
    base = {'seed_system': table['seed_system']}
    if name.startswith('policy_'):
        groups = {p: [g['weight_decay']] for g in table['groups'] for p in g['parameters']}
        yield 'weight_decay', base | {'network': name.removeprefix('policy_corrnet_')}, {'groups': groups}
    if name.startswith('lr_policy'):
        q = base | {'command': table['command']}
        for epoch, *fraction, lr in table['base_lr']:
            yield 'learning_rate', q | {'epoch': epoch, 'fraction': fraction[0] if fraction else 0.}, {'lr': lr}
        groups = {p: [g['lr_mult'], g['decay_mult']]
                  for g in table['groups'] for p in g['parameters'] if not p.endswith('.mask')}
        yield 'parameter_groups', q, {'groups': groups, 'absent': table['parameters_in_no_group']}
    for key, rows in table.items():
        if isinstance(rows, dict) and 'rows' in rows:
            for e, lr in rows['rows']:
                yield ('learning_rate', base | {'schedule': key, 'configuration': rows['configuration'], 'epoch': e},
                       {'lr': lr})
        elif key in ANSWERS and isinstance(rows, list):
            for r in rows:
                if 'error' in r or 'random' in r: continue
                q = {k: v for k, v in r.items()
                     if k not in ANSWERS[key] and not (key == 'rows' and k in QUESTION_NOISE)}
                if 'target_fps' in table: q['target_fps'] = table['target_fps']
                yield ('sampling' if key == 'rows' else key), base | q, {k: r[k] for k in ANSWERS[key] if k in r}

def check_table(adapter, name, folder):
    n = 0
    for form, question, want in table_rows(name, load_table(name, folder)):
        got = adapter.answer(name, form, question)
        n = n + 1
        for k, v in want.items():
            if k == 'absent': same = not set(v) & got['groups'].keys()
            else:
                same = (all(np.allclose(got[k].get(p, np.nan), w, rtol=1e-9, atol=1e-12) for p, w in v.items())
                        if k == 'groups' else np.allclose(got[k], v, rtol=1e-9, atol=1e-12))
            if not same: raise Mismatch(f'{form} {question}: {k}')
    if not n: raise Mismatch('no row was understood')
    return f'{n} rows'

def main(argv=None):
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument('--cases', type=Path, default=GOLDEN, help='folder of fixtures')
    ap.add_argument('--only', default='', help='cases whose kind/name contains this text')
    ap.add_argument('--backend', default='auto', choices=('auto', 'plain', 'triton'),
                    help="version of the correlation; triton on a CPU: set TRITON_INTERPRET=1, and have patience")
    a = ap.parse_args(argv)
    import golden_adapter as adapter
    from corrnet_lib.kernels.correlation_triton import use_correlation
    with use_correlation(a.backend): return check_all(adapter, a.cases, a.only)

def check_all(adapter, cases, only):
    "Every case; 1 where one failed or there was none."
    passed = failed = 0
    for kind in ('ops', 'models', 'tables'):
        for name in case_names(kind, folder=cases):
            if only not in f'{kind}/{name}': continue
            try:
                if kind == 'tables': note = check_table(adapter, name, cases)
                elif name.startswith('corr_op'): note = check_op(adapter, name, cases)
                else: note = check_module(adapter, kind, name, cases)
                passed += 1
                print(f'ok      {kind}/{name}  {note or ""}', flush=True)
            except Exception as e:
                failed += 1
                print(f'FAILED  {kind}/{name}  {type(e).__name__}: {e}', flush=True)
    print(f'{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0

if __name__ == '__main__': sys.exit(main())
