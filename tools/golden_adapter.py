"""How the golden fixtures' questions are put to corrnet_lib: each function only calls what any user could call."""
from dataclasses import replace
import numpy as np, torch
from corrnet_lib.core import ClipSpec
from corrnet_lib.video.sampling import view_clips
from corrnet_lib.video.transforms import apply_window
from corrnet_lib.video.crops import (CORNERS, CROPS, centre_box, corner_place, grid_places, scale_pairs, scaled_size,
                                     short_side_size, thirteen_places, uniform_window)
from corrnet_lib.kernels.correlation import weighted_correlation
from corrnet_lib.layers.correlation import CorrelationBlock
from corrnet_lib.networks.corrnet import corrnet26, corrnet50, corrnet101
from corrnet_lib.networks.ctnet import ctnet50, ctnet101
from corrnet_lib.layers.non_local import GlobalContext, RegionNonLocal
from corrnet_lib.networks.rnl import rnl_tsm50, rnl_tsm101, rnl_tsn50
from corrnet_lib.networks.tsn import DEPTHS, tsm50, tsm101, tsn50, tsn101
from corrnet_lib.networks.slowfast import SLOWFAST_AUTHORS, Slow, slowfast50, slowfast101
from corrnet_lib.networks.stmulnet import stmulnet50, stmulnet101, stmulnet152
from corrnet_lib.networks.weights import load_weights
from corrnet_lib.networks.zoo import LAYOUTS
from corrnet_lib.networks.weights import published_names as names_of
from original_sampling import (key_frame_sequence, original_segments, original_window, original_windows, pack_pathways,
                               shifted_segments, stacks, two_stream_positions, ucf_positions)

CORRNETS = dict(corr_26=corrnet26, corr_50=corrnet50, corr_101=corrnet101)

def correlation(x, filter_weight, groups, dilation): return weighted_correlation(x, filter_weight, groups, dilation)

def loaded(net, state, layout=None):
    "`net` in float64 with weights {published name: array}."
    if layout: net.layout = LAYOUTS[layout]
    return load_weights(net.double(), {k: torch.from_numpy(v).clone() for k, v in state.items()})

def corrnet_block(c):
    return CorrelationBlock(c['channels'], c['frames'], c['filter_size'], c['groups'], c['dilation'], c['mode'])

def corrnet(c):
    corr = c.get('correlation', {})
    own = ({k: corr[k] for k in ('dilation', 'groups', 'mode') if k in corr}
           | ({'ks': corr['filter_size']} if 'filter_size' in corr else {}))
    return CORRNETS[c['type']](c['num_classes'], c['num_frames'], **own)

def segments(c):
    "What the segment networks share: modality and length of stacks."
    return dict(modality=dict(RGB='rgb', Flow='flow', RGBDiff='diff')[c.get('modality', 'RGB')],
                flow_len=c.get('new_length'), pool_time=c.get('temporal_pool', False))

def ctnet(c):
    from corrnet_lib.networks.tsn import tsm50, tsm101, tsn50, tsn101
    at = int('101' in c['backbone'])
    args = (c['num_classes'], c['num_segments'])
    if c['model'] == 'CT_Net': return (ctnet50, ctnet101)[at](*args, num_total=c['num_total'], **segments(c))
    if c['model'] == 'TSN': return (tsn50, tsn101)[at](*args, **segments(c))
    place = c.get('shift_place', 'blockres')
    return (tsm50, tsm101)[at](*args, n_div=c.get('shift_div', 8), place=place, in_place=place == 'blockres',
                               **segments(c))

def segment_net(c):
    "TSN, TSM and RNL; flow and differences as stacked channels."
    depth = int(c['backbone'].removeprefix('resnet'))
    modality = {'RGB': 'rgb', 'Flow': 'flow', 'RGBDiff': 'diff'}[c['modality']]
    own = dict(modality=modality, flow_len=c.get('new_length')) if modality != 'rgb' else {}
    shift = c.get('temporal_shift', c.get('model') == 'TSM')
    if shift:
        own |= dict(n_div=c.get('shift_div', 8), place=c.get('shift_place', 'blockres'),
                    in_place=c.get('model') == 'TSM')
    if c.get('temporal_pool'): own['pool_time'] = True
    if c.get('region_non_local'):
        make = {50: rnl_tsm50, 101: rnl_tsm101}[depth]
        own |= {} if shift else dict(shift=False)
    else: make = {(50, True): tsm50, (101, True): tsm101, (50, False): tsn50, (101, False): tsn101}[depth, bool(shift)]
    return make(c['num_classes'], c['num_segments'], **own)

def non_local(c): return RegionNonLocal(c['channels'], c['region'], c['ratio'], c['sub_sample'])
def channel_gate(c): return GlobalContext(c['channels'], c['reduction'])

def slowfast(c):
    names = dict(alpha='alpha', tau='tau', fast_to_slow_multiplier='lateral_mult')
    return {50: slowfast50, 101: slowfast101}[c.get('depth', 50)](c['num_classes'], c['frames'],
                                                                  **{ours: c[k] for k, ours in names.items() if k in c})

def first_kernels(shapes, stage, fast=0):
    "Kernel sizes in time of the first convolution of each block of a stage, from the entries of a published file."
    blocks = (f's{stage}.pathway{fast}_res{{}}.branch2.a.weight',
              f'blocks.{stage-1}.multipathway_blocks.{fast}.res_blocks.{{}}.branch2.conv_a.weight',
              f'blocks.{stage-1}.res_blocks.{{}}.branch2.conv_a.weight')
    return [shapes[k][2] for i in range(99) for b in blocks if (k := b.format(i)) in shapes]

def published_slowfast(case):
    "A network of the authors' code: its input holds the frames of the fast pathway, or of the slow one alone."
    c = case['configuration']
    if c.get('stride_in_1x1'): raise NotImplementedError('a stride in the 1x1 convolution')
    shapes = dict(map(tuple, case['state']))
    kernels = [first_kernels(shapes, s) for s in (2, 3, 4, 5)]
    slow_ks = tuple(ks[0] for ks in kernels)
    if c['network'] == 'slow':
        return Slow(DEPTHS[c['depth']], c['num_classes'], c['frames'], tau=1, slow_ks=slow_ks)
    long = sum(k > 1 for k in kernels[2])
    own = dict(alpha=c['alpha'], tau=c['alpha'], lateral_ks=c['fusion_kernel'], slow_ks=slow_ks,
               fast_ks=tuple(first_kernels(shapes, s, 1)[0] for s in (2, 3, 4, 5)),
               temporal_blocks=None if long == len(kernels[2]) else long)
    make = {50: slowfast50, 101: slowfast101}[c['depth']]
    return make(c['num_classes'], c['fast_frames'], **(SLOWFAST_AUTHORS | own))

def layout_of(case):
    "The layout of a case that is not of the code which the network reproduces first; None: that one."
    c = case['configuration']
    name = c.get('layout')
    return LAYOUTS[f'pytorchvideo_{c["network"]}' if name == 'pytorchvideo' else name] if name else None

def two_streams(c):
    names = dict(cross_stream_block_index='gate_at', temporal_conv_block_index='temporal_at')
    return {50: stmulnet50, 101: stmulnet101, 152: stmulnet152}[c.get('depth', 50)](
        c['num_classes'], c['frames'], flow_len=c.get('flow_channels', 20)//2,
        **{ours: c[k] for k, ours in names.items() if k in c}
    )

# a key that only this block's configuration has: how it is built, its layout
BLOCKS = dict(region=(non_local, 'rnl_region'), reduction=(channel_gate, 'rnl_gate'), mode=(corrnet_block, 'corrnet'))
# what a system's name begins with: how its network is built
NETWORKS = {'CorrNet': corrnet, 'region-based': segment_net, 'slowfast': slowfast, 'CT-Net': ctnet,
            'spatiotemporal': two_streams}

def block(case, state):
    c = case['configuration']
    for key, (make, layout) in BLOCKS.items():
        if key in c: return loaded(make(c), state, layout)
    raise NotImplementedError(case['seed_system'])

def network(case, state):
    if 'layout' in case['configuration']: return loaded(published_slowfast(case), state)
    for system, make in NETWORKS.items():
        if case['seed_system'].startswith(system): return loaded(make(case['configuration']), state)
    raise NotImplementedError(case['seed_system'])

def published_names(case, module):
    names = names_of(module, layout_of(case))
    own = dict(module.named_parameters())
    # built without dropout
    if 'base_model.fc.weight' in case['parameters']:
        names = {k: v.replace('new_fc.', 'base_model.fc.') for k, v in names.items()}
    # ours has no zeros, so another shape
    return {k: v for k, v in names.items() if k in own and not v.endswith('penta.weight')}

def freeze_norms(case, module):
    from corrnet_lib.recipes.param_groups import eval_mode_norms
    for m in eval_mode_norms(module, 'partial'): m.eval()

COMMANDS = {'CT-Net': 'ctnet', 'region-based-non-local-network': 'rnl'}
COMMAND_NETS = {f.__name__: f
                for f in (ctnet50, ctnet101, rnl_tsm50, rnl_tsm101, rnl_tsn50, tsm50, tsm101, tsn50, tsn101)}

def epochwise_sched(c):
    "The schedules of the two codes that step once an epoch, before it or after it."
    from corrnet_lib.recipes.schedules import milestones
    if c['type'] == 'lambda': return 'steps', (0, *[e for e, _ in c['factors'][:-1]]), tuple(f for _, f in c['factors'])
    if c['type'] == 'multi': return milestones(c['milestones'], c['gamma'])
    return 'drops', c['step_size'], c['gamma'], *([c['restart_size']] if c['type'] == 'step_restart' else [])

def learning_rate(q):
    from corrnet_lib.recipes.original_commands import recipe_from_command
    from corrnet_lib.recipes.schedules import lr_at
    if 'command' in q:
        first = int(q['seed_system'].startswith('region'))  # the number of the first epoch
        return recipe_from_command(COMMANDS[q['seed_system']], q['command']).lr_at(q['epoch'] - first + q['fraction'])
    c = q['configuration']
    if 'type' in c:
        return lr_at(q['epoch'], c['base_lr'], 1, epochwise_sched(c),
                     by='next_epoch' if c['stepped'].startswith('before') else 'epoch')
    sched = ('cosine', c['COSINE_END_LR']) if c['LR_POLICY'] == 'cosine' else ('steps', c['STEPS'], c['LRS'])
    return lr_at(q['epoch'], c['BASE_LR'], c['MAX_EPOCH'], sched, c['WARMUP_EPOCHS'], c['WARMUP_START_LR'])

def parameter_groups(q):
    from corrnet_lib.recipes.original_commands import recipe_from_command
    from corrnet_lib.recipes.build import build_network
    from corrnet_lib.recipes.param_groups import lr_and_decay_multipliers
    r = recipe_from_command(COMMANDS[q['seed_system']], q['command'])
    with torch.device('meta'): net = build_network(r, 10, COMMAND_NETS[r.arch], start=False)
    names = names_of(net)
    if not r.arch_kw['dropout']: names = {k: v.replace('new_fc.', 'base_model.fc.') for k, v in names.items()}
    return {names[k]: list(v) for k, v in lr_and_decay_multipliers(net, r.groups, r.bn).items()}

def weight_decay(q):
    from corrnet_lib.train.callbacks import weight_decays
    net = CORRNETS[q['network']](10, 8)
    names = names_of(net)
    return {names[k]: [wd] for k, wd in weight_decays(net, 'original', 1e-4, 0.).items()}

def segment_sampling(q):
    "Frame numbers from 1, by the rule of the TSM family; one of its codes tests as it validates."
    n = q['num_frames']
    t = q['num_segments']
    images = q['new_length']
    ct = q['seed_system'] == 'CT-Net'
    mode = q['mode']
    if mode == 'val_dense': return original_window(n, t) + 1
    if mode == 'test_dense':
        return np.concatenate(shifted_segments(n, t, images, clamp=False) if ct else original_windows(n, t)) + 1
    if mode == 'test_twice':
        return np.concatenate([original_segments(n, t, images, guard=False, shift=s) for s in (.5, 0)]) + 1
    if mode in ('val_uniform', 'test_uniform'):
        return original_segments(n, t, images, guard=mode == 'val_uniform' or ct) + 1
    raise NotImplementedError(mode)

def sampling(q):
    system = q['seed_system']
    if system in COMMANDS: return dict(indices=segment_sampling(q))
    if system.startswith('slowfast'):
        return dict(indices=ucf_positions(q['num_frames'], q['frames_per_video'], q['method'], q['stride'],
                                          clamp=False))
    if system.startswith('spatiotemporal'):
        half = q['flow_channels']//4
        at = two_stream_positions(q['num_frames'], q['frames_per_video'], q['method'], q['stride'], half, clamp=False)
        return dict(samples=at, image_frames=at.astype(int) + 1, flow_frames=stacks(at, half) + 1)
    spec = ClipSpec(n_frames=q['num_samples'], stride=q['sampling_rate'], target_fps=q['target_fps'])
    return dict(indices=view_clips(q['num_frames_in_video'], q['fps'], spec, q['num_clips'])[q['clip_idx']])

def spatial(form, q):
    "Crops as [left, top, width, height, ...], sizes as (width, height)."
    w, h = q['image_w_h']
    if form == 'scale': return dict(result_w_h=scaled_size(h, w, q['short_side'])[::-1])
    if form == 'multi_scale_crop_pairs':
        return dict(crop_pairs_w_h=[p[::-1] for p in scale_pairs(h, w, q['input_size'], q['scales'])])
    c = q['crop']
    if form == 'corner_crop':
        return {k: [*corner_place(h, w, c, k, tuple(q['border_w_h'][::-1]))[::-1], c, c] for k in CORNERS}
    if form == 'validation_center_crop_then_resize':
        b = centre_box(h, w, ClipSpec(crop='corner', short_test=min(h, w), size_test=c))
        return dict(result_w_h=(b.width, b.height), left_top=(b.left, b.top),
                    after_resize_112_w_h=apply_window(torch.zeros(1, 3, h, w), replace(b, size=112)).shape[:1:-1])
    places = [(left, top) for top, left in thirteen_places(h, w, c, c)]
    names = ('center_crop', 'three_crop', 'five_crop', 'three_crop_flip', 'ten_crop')
    return dict({k: [[left, top, c, c, f] for top, left, f in grid_places(h, w, c, n)] for k, n in zip(names, CROPS)},
                fixed_offsets_13=places, fixed_offsets_5=places[:5])

def answer(table, form, q):
    if form == 'sampling': return sampling(q)
    if 'image_w_h' in q: return spatial(form, q)
    if form == 'learning_rate': return dict(lr=learning_rate(q))
    if form == 'parameter_groups': return dict(groups=parameter_groups(q))
    if not q['seed_system'].startswith('CorrNet'): raise NotImplementedError(q['seed_system'])
    if form == 'key_frame_sequences':
        return dict(indices=key_frame_sequence(q['center'], q['half_length'], q['rate'], q['num_frames']))
    if form == 'two_pathway_packing':
        return dict(zip(('slow_indices', 'fast_indices'), pack_pathways(q['frames'], q['alpha'])))
    if form == 'uniform_crop':
        w = uniform_window(*q['image_h_w'], q['crop'], q['spatial_idx'])
        return dict(top=w.top, left=w.left, result_h_w=(w.size, w.size))
    if form == 'short_side_scale': return dict(result_h_w=short_side_size(*q['image_h_w'], q['short_side']))
    if form == 'weight_decay': return dict(groups=weight_decay(q))
    raise NotImplementedError(form)
