"""Sample frames as the five original codes do, accidents included: for comparing numbers, not for training.

Where such a code crashes or names a frame that is not there, `clamp=True` (the default) gives the nearest sensible
answer and `clamp=False` the published one. Frames count from 0. `nbs/explain/03_original_sampling.ipynb` tells the
rules and holds each against the tables that the original codes printed.
"""
from collections.abc import Sequence
import numpy as np, torch
from numpy.random import Generator
from corrnet_lib.core import BadInput
from corrnet_lib.video.sampling import segment_clip, segment_positions, window_clip

# of the SlowFast and the two-stream code
METHODS = ('temporal_stride', 'temporal_stride_random', 'uniform', 'random', 'f25')

def original_segments(
    total:int,  # frames in the video
    n_segments:int,  # parts, T
    images:int=1,  # images in a row at each position
    rng:Generator|None=None,  # as in training; None: the middles
    guard:bool=True,  # without `rng`: the first frame T times where there are not more positions than parts
    shift:float=.5,  # without `rng`: where in its part a position lies
) -> np.ndarray:  # positions, (T,) int64
    "Choose a position in each segment, as the TSM family does; the library's own rule is `segment_clip`."
    room = total - images + 1
    if rng is not None and room >= n_segments: return segment_clip(total, n_segments, rng, images)
    if rng is not None and total > n_segments: return np.sort(rng.integers(0, max(room, 1), n_segments))
    if rng is None and (not guard or room > n_segments): return segment_positions(room, n_segments, shift)
    return np.zeros(n_segments, np.int64)

def original_window(
    total:int,  # frames in the video
    n_frames:int,  # frames in the clip, T
    rng:Generator|None=None,  # as in training (and in RNL's validation); None: the middle
    window:int=64,  # frames that the window spans
) -> np.ndarray:  # frame numbers, (T,) int64
    "Choose the TSM family's dense clip; the last window is never drawn."
    free = max(total - window, 0)
    start = free//2
    if rng is not None: start = int(rng.integers(0, free)) if free else 0
    return window_clip(total, n_frames, window//n_frames, start)

def original_windows(
    total:int,  # frames in the video
    n_frames:int,  # frames in each clip, T
    views:int=10,  # clips
    window:int=64,  # frames that a window spans
) -> list[np.ndarray]:  # `views` arrays (T,)
    "Choose the ten windows of the TSM family's dense test."
    starts = np.linspace(0, max(total - window, 0), views, dtype=np.int64)
    return [window_clip(total, n_frames, window//n_frames, s) for s in starts]

def shifted_segments(
    total:int,  # frames in the video
    n_frames:int,  # frames in each clip, T
    images:int=1,  # images in a row at each position
    views:int=4,  # clips
    clamp:bool=True,  # no frame before the first
) -> list[np.ndarray]:  # `views` arrays (T,)
    """Choose the clips of CT-Net's \"dense\" test: segments, shifted by whole frames from the start of their part to
    its end."""
    tick = (total - images + 1)/n_frames
    clips = [(tick*np.arange(n_frames) + s).astype(np.int64) for s in np.linspace(0, tick - 1, views, dtype=np.int64)]
    return [np.maximum(c, 0) for c in clips] if clamp else clips

def even_window(
    total:int,  # frames in the video
    n_frames:int,  # frames in the clip, T
    rng:Generator|None=None,  # as in training; None: the middle
    window:int=80,  # frames that the window spans
) -> np.ndarray:  # frame numbers, (T,) int64
    "Choose CT-Net's other dense clip; segments where the video is shorter."
    step = window//n_frames
    span = (n_frames - 1)*step
    if rng is None:
        start = (total - span)//2
        return start - 1 + step*np.arange(n_frames) if start > 0 else original_segments(total, n_frames)
    if n_frames == 1: return np.array([int(rng.integers(0, max(total - 1, 1)))])
    if span > total - 1: return original_segments(total, n_frames, rng=rng)
    start = rng.uniform(1, total - 1 - span) if total - 1 - span > 1 else 1.
    return np.linspace(start, start + span, n_frames).astype(np.int64) - 1

def even_windows(
    total:int,  # frames in the video
    n_frames:int,  # frames in each clip, T
    views:int=10,  # clips
    window:int=80,  # frames that a window spans
) -> list[np.ndarray]:  # `views` arrays (T,)
    "Choose the test clips that belong to `even_window`: with as little overlap, or as equal gaps, as the video allows."
    step = window//n_frames
    span = (n_frames - 1)*step + 1  # F
    if span > total:
        tick = total/n_frames
        if tick < 1: return [np.zeros(n_frames, np.int64)]*views
        return [(tick*np.arange(n_frames) + s).astype(np.int64)
                for s in np.linspace(0, max(tick - 1, 0), views, dtype=np.int64)]
    rest = total - views*span
    if rest > 0: starts = [int(np.ceil((k + 1)*(span + rest/(views + 1)) - span)) for k in range(views)]
    else: starts = [int(k*(span + rest/max(views - 1, 1))) for k in range(views)]
    return [s + step*np.arange(n_frames) for s in starts]

def _take_run(
    positions:Sequence,  # any number of them
    n:int,  # wanted in a row
    rng:Generator|None=None,  # None: the run in the middle
) -> Sequence:  # n of them, or all where there are fewer
    "Take n neighbours; the last possible run is never drawn."
    free = len(positions) - n
    if free <= 0: return positions[:n]
    start = free//2 if rng is None else int(rng.integers(0, free))
    return positions[start:start + n]

def ucf_positions(
    total:int,  # frames in the video
    n_frames:int=64,  # frames in the clip, n; 'f25' takes 25
    method:str='temporal_stride',  # one of `METHODS`
    stride:int=1,  # of 'temporal_stride'
    rng:Generator|None=None,  # None: no draws, the middle
    clamp:bool=True,  # no frame after the last
) -> np.ndarray:  # frame numbers, int64, rising
    "Choose frames as the SlowFast code does for UCF101."
    if method == 'f25':
        at = np.round(np.linspace(0, total, 25, endpoint=False)).astype(np.int64)
        return np.minimum(at, total - 1) if clamp else at
    if method == 'random': at = np.arange(total) if rng is None else rng.permutation(total)
    elif method == 'uniform': at = np.arange(0, total, max(total//max(1, n_frames - 1), 1))
    else:
        if method == 'temporal_stride_random': stride = 13 if rng is None else int(rng.integers(1, 25))
        at = np.arange(0, total, stride)
        if len(at) < n_frames: at = np.linspace(0, total, n_frames, endpoint=False).astype(np.int64)
    return segment_positions(total, n_frames) if len(at) < n_frames else np.sort(_take_run(at, n_frames, rng))

def _top_up(
    positions:Sequence,  # so far
    n:int,  # wanted
    lo:int,  # the first possible position
    hi:int,  # the last one
    rng:Generator|None=None,  # None: evenly spread positions instead
) -> list:
    "Add positions between the others, one at a time, at most 20."
    at = list(positions)
    for _ in range(20 if rng is not None else 0):
        if len(at) >= n: break
        at.append(np.round(np.linspace(lo, hi, len(at) + 1, endpoint=False))[int(rng.integers(1, len(at) + 1))])
    return sorted(at) if len(at) >= n else list(np.round(np.linspace(lo, hi, n)))

def _two_stream_candidates(lo, hi, n_frames, method, stride, rng):
    "List the positions between `lo` and `hi` that a method steps through."
    if method == 'random':
        drawn = np.arange(lo, hi) if rng is None else rng.permutation(hi - lo) + lo
        return np.sort(_take_run(drawn, n_frames, rng))
    if method == 'uniform': return np.arange(lo, hi + 1, max((hi - lo)//max(n_frames - 1, 1), 1))
    if method == 'temporal_stride_random': stride = 20 if rng is None else int(rng.integers(5, 35))
    at = np.arange(lo, hi + 1, stride)
    return at if len(at) >= n_frames else np.round(np.linspace(lo, hi, n_frames))

def two_stream_positions(
    total:int,  # frames in the video
    n_frames:int=11,  # frames in the clip, n; 'f25' takes 25
    method:str='random',  # one of `METHODS`
    stride:int=5,  # of 'temporal_stride'
    half:int=5,  # flow fields on each side of a frame
    rng:Generator|None=None,  # None: no draws
    clamp:bool=True,  # in order, and with whole stacks
) -> np.ndarray:  # positions, float64: a fraction is cut off when a frame is named
    "Choose frames as the two-stream code does."
    lo = half
    hi = total - half
    if hi <= lo: return np.minimum(lo, total - 1) + np.zeros(25 if method == 'f25' else n_frames)
    if method == 'f25': at = np.linspace(lo, hi, 25)
    else:
        at = _two_stream_candidates(lo, hi, n_frames, method, stride, rng)
        at = _top_up(at, n_frames, lo, hi, rng) if len(at) < n_frames else _take_run(at, n_frames, rng)
    at = np.array(at, np.float64)
    if clamp: return np.minimum(at, hi - 1)
    if at[-1] + half >= total: at[-1] -= 2
    return at

def stacks(
    positions:Sequence,  # of frames
    half:int=5,  # flow fields on each side
    total:int|None=None,  # frames in the video: no field outside it; None: as it comes
) -> np.ndarray:  # numbers of the fields at each position, (n, 2*half) int64
    "List the flow fields that belong to each frame: from five before it to four after it."
    at = np.asarray(positions).astype(np.int64)[:, None] + np.arange(-half, half)
    return at if total is None else at.clip(0, max(total - 2, 0))  # n frames have n-1 fields

def key_frame_sequence(
    center:int,  # number of the key frame
    half:int,  # source frames on each side
    stride:int,  # source frames between two sampled ones
    total:int,  # frames in the video
) -> np.ndarray:  # frame numbers, int64
    "Choose frames from `center - half` up to before `center + half`, clamped to the video."
    return np.clip(np.arange(center - half, center + half, stride), 0, total - 1)

def pack_pathways(
    n_frames:int,  # frames in the clip, T
    alpha:int,  # T over the frames of the slow pathway
) -> tuple[np.ndarray, np.ndarray]:  # positions in the clip of the slow and of the fast pathway, int64
    "Tell which frames of a clip each of two pathways reads; raise `BadInput` where none are left for the slow one."
    if not 1 <= alpha <= n_frames: raise BadInput(f'alpha={alpha}: expected 1 to n_frames={n_frames}.')
    return torch.linspace(0, n_frames - 1, n_frames//alpha).long().numpy(), np.arange(n_frames)
