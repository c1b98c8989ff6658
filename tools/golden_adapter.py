"""How the golden fixtures' questions are put to corrnet_lib: each function only calls what any user could call."""
import torch
from corrnet_lib.core import ClipSpec
from corrnet_lib.data.sampling import key_frame_sequence, original_segments, pack_pathways, view_clips
from corrnet_lib.data.transforms import short_side_size, uniform_window
from corrnet_lib.kernels.correlation import weighted_correlation
from corrnet_lib.layers.correlation import CorrelationBlock
from corrnet_lib.networks.corrnet import corrnet26, corrnet50, corrnet101
from corrnet_lib.networks.weights import load_weights
from corrnet_lib.networks.weights import published_names as names_of

CORRNETS = dict(corr_26=corrnet26, corr_50=corrnet50, corr_101=corrnet101)

def correlation(x, filter_weight, groups, dilation): return weighted_correlation(x, filter_weight, groups, dilation)

def loaded(net, state, layout=None):
    "`net` in float64 with weights {published name: array}."
    if layout: net.layout = layout
    return load_weights(net.double(), {k: torch.from_numpy(v).clone() for k, v in state.items()})

def corrnet_block(c): return CorrelationBlock(c['channels'], c['frames'], c['filter_size'], c['groups'], c['dilation'], c['mode'])

def corrnet(c):
    corr = c.get('correlation', {})
    own = {k: corr[k] for k in ('dilation', 'groups', 'mode') if k in corr} | ({'ks': corr['filter_size']} if 'filter_size' in corr else {})
    return CORRNETS[c['type']](c['num_classes'], c['num_frames'], **own)

BLOCKS = dict(mode=(corrnet_block, 'corrnet'))  # a key that only this block's configuration has: how it is built, its layout
NETWORKS = {'CorrNet': corrnet}  # what a system's name begins with: how its network is built

def block(case, state):
    c = case['configuration']
    for key, (make, layout) in BLOCKS.items():
        if key in c: return loaded(make(c), state, layout)
    raise NotImplementedError(case['seed_system'])

def network(case, state):
    for system, make in NETWORKS.items():
        if case['seed_system'].startswith(system): return loaded(make(case['configuration']), state)
    raise NotImplementedError(case['seed_system'])

def published_names(case, module):
    names, own = names_of(module), dict(module.named_parameters())
    return {k: v for k, v in names.items() if k in own}

def learning_rate(q):
    from corrnet_lib.train.callbacks import lr_at
    c = q['configuration']
    sched = ('cosine', c['COSINE_END_LR']) if c['LR_POLICY'] == 'cosine' else ('steps', c['STEPS'], c['LRS'])
    return lr_at(q['epoch'], c['BASE_LR'], c['MAX_EPOCH'], sched, c['WARMUP_EPOCHS'], c['WARMUP_START_LR'])

def weight_decay(q):
    from corrnet_lib.train.callbacks import weight_decays
    net = CORRNETS[q['network']](10, 8)
    names = names_of(net)
    return {names[k]: [wd] for k, wd in weight_decays(net, 'original', 1e-4, 0.).items()}

def segment_sampling(q):
    "Frame numbers from 1, by the rule of the TSM family; one of its codes tests as it validates."
    kw = dict(total=q['num_frames'], n_segments=q['num_segments'], images=q['new_length'])
    if q['mode'] == 'test_twice': return [i + 1 for s in (.5, 0) for i in original_segments(**kw, guard=False, shift=s)]
    return original_segments(**kw, guard=q['mode'] == 'val_uniform' or q['seed_system'] == 'CT-Net') + 1

def answer(table, form, q):
    if form == 'sampling' and q.get('mode') in ('val_uniform', 'test_uniform', 'test_twice'): return dict(indices=segment_sampling(q))
    if not q['seed_system'].startswith('CorrNet'): raise NotImplementedError(q['seed_system'])
    if form == 'sampling':
        spec = ClipSpec(n_frames=q['num_samples'], stride=q['sampling_rate'], target_fps=q['target_fps'])
        return dict(indices=view_clips(q['num_frames_in_video'], q['fps'], spec, q['num_clips'])[q['clip_idx']])
    if form == 'key_frame_sequences': return dict(indices=key_frame_sequence(q['center'], q['half_length'], q['rate'], q['num_frames']))
    if form == 'two_pathway_packing': return dict(zip(('slow_indices', 'fast_indices'), pack_pathways(q['frames'], q['alpha'])))
    if form == 'uniform_crop':
        w = uniform_window(*q['image_h_w'], q['crop'], q['spatial_idx'])
        return dict(top=w.top, left=w.left, result_h_w=(w.size, w.size))
    if form == 'short_side_scale': return dict(result_h_w=short_side_size(*q['image_h_w'], q['short_side']))
    if form == 'learning_rate': return dict(lr=learning_rate(q))
    if form == 'weight_decay': return dict(groups=weight_decay(q))
    raise NotImplementedError(form)
