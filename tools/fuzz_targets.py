"""What `tools/fuzz.py` damages, what it does with it, and what it holds against the answer.

A target has `cases()`, a hypothesis strategy of cases, and `run(folder, about)`, which uses the library on the files as
somebody would, gives a few words, and raises `Wrong` where the answer is not right.
"""
import csv, functools, io, json, os, pickle, pickletools, struct, tempfile, zipfile
from itertools import islice
from pathlib import Path
from typing import NamedTuple
import numpy as np, torch
from hypothesis import strategies as st
from fuzz_cases import Case, Wrong
from fuzz_edits import *
from corrnet_lib.core import BadInput, ClipSpec
from corrnet_lib.datasets.dataset import VideoDataset, clip_views
from corrnet_lib.datasets.detect import find_records
from corrnet_lib.datasets.find import limit_records, records_digest
from corrnet_lib.datasets.records import class_names, split_records
from corrnet_lib.datasets.shards import ShardDataset, records_from_shards, shard_loader, write_shards
from corrnet_lib.datasets.verify import check_video, find_videos, verify
from corrnet_lib.networks.array_files import read_array_pickle, read_safetensors, write_safetensors
from corrnet_lib.networks.base import VideoNet, trunk_stages
from corrnet_lib.networks.matconvnet import load_matconvnet, save_matconvnet
from corrnet_lib.networks.weights import load_weights, read_checkpoint
from corrnet_lib.predict.load import load_network
from corrnet_lib.predict.predict import parse_views, predict_each
from corrnet_lib.recipes.build import build_network
from corrnet_lib.recipes.checkpoint import is_own, load_checkpoint, pack_network
from corrnet_lib.recipes.recipe import Recipe
from corrnet_lib.recipes.table import recipes
from corrnet_lib.video.decode import open_video, write_video
from corrnet_lib.video.flow import FlowReader, write_flow
from corrnet_lib.vis.plots import plot_ablation, plot_cost, plot_history, read_rows

torch.set_num_threads(1)

class Target:
    def __init__(self, name, cases, run, memory=1.5e9, prepare=lambda: None):
        self.name = name
        self._cases = cases
        self.run = run
        self.memory = memory  # bytes that a case may take
        self.prepare = prepare  # called once before the process is forked that runs cases
    def cases(self): return st.composite(self._cases)()

def needed(ok, what):
    if not ok: raise Wrong(what)

SMALL = ClipSpec(n_frames=2, stride=1, short_train=(16, 16), size_train=16, short_test=16, size_test=16)

# --- good files ---

def frames(n=24, h=32, w=32):
    "Frames of a square that moves over a slope; no two are alike."
    out = np.zeros((n, h, w, 3), np.uint8)
    out[..., 0] = np.arange(w)*5 % 256
    for i in range(n):
        out[i, :, :, 1] = 10*i
        out[i, 4:14, i % (w - 10):i % (w - 10) + 10, 2] = 230
    return out

def _encoded(suffix, n=24, options=(), **kw):
    with tempfile.TemporaryDirectory() as d:
        return write_video(f'{d}/a{suffix}', frames(n), **kw).read_bytes()

def _muxed(form, codec, n=12, bf='0', **options):
    "Encode with B-frames and options of the container that `write_video` does not have."
    import av
    with tempfile.TemporaryDirectory() as d:
        with av.open(f'{d}/a', 'w', format=form, options={'fflags': '+bitexact', **options}) as out:
            s = out.add_stream(codec, rate=30, options=dict(g='6', bf=bf))
            s.width = s.height = 32
            s.pix_fmt = 'rgb8' if codec == 'gif' else 'yuv420p'
            s.thread_count = 1
            for f in frames(n): out.mux(s.encode(av.VideoFrame.from_ndarray(f, format='rgb24')))
            out.mux(s.encode())
        return Path(d, 'a').read_bytes()

@functools.cache
def good_video(kind):
    "(bytes, frames) of a good file."
    if kind == 'mp4': return _encoded('.mp4', crf=35), 24
    if kind == 'mpeg4': return _encoded('.mp4', 12, codec='mpeg4'), 12
    if kind == 'fragments': return _muxed('mp4', 'libx264', 12, bf='2', movflags='frag_keyframe+empty_moov'), 12
    if kind == 'mov': return _muxed('mov', 'mpeg4', 12, bf='2'), 12
    if kind == 'mkv': return _encoded('.mkv', 12, crf=35), 12
    if kind == 'webm': return _encoded('.webm', 12, codec='libvpx'), 12
    if kind == 'avi': return _encoded('.avi', 12, codec='mpeg4'), 12
    return _muxed(dict(ts='mpegts').get(kind, kind), dict(ts='mpeg2video', gif='gif', flv='flv').get(kind, 'mpeg4'),
                  12), 12

# --- videos ---

class Decoded(NamedTuple):
    "A frame, its time stamp, and whether it is to be turned."
    rgb:np.ndarray
    pts:int
    turned:bool

def plain_decode(path, hold=False):
    """Decode from the first packet to the last; (frames, '' or what went wrong). What comes before the first picture
    that the decoder itself calls a key frame cannot be right, and does not count (unless an edit list hides that
    picture). With `hold`
    the decoder's buffers are not used again: what it does not fill of a damaged picture is then something else."""
    import av
    got = []
    early = []  # before the first key frame: garbage, but all there is where the decoder calls none a key frame
    begun = False
    held = []
    turned = None
    try:
        with av.open(str(path), metadata_errors='replace') as c:
            s = c.streams.best('video')
            if s.codec_context is None: return None, 'there is no decoder'
            s.codec_context.thread_count = 1
            size = s.width, s.height
            for p in c.demux(s):
                begun = begun or (p.is_discard and p.is_keyframe)
                if not p.size and p.pts is not None: continue  # an empty packet is no frame
                try: new = list(p.decode())
                except av.error.FFmpegError:
                    if begun: raise
                    continue
                if hold: held += new
                for f in new:
                    begun = begun or (f.key_frame and not f.is_corrupt)
                    if f.is_corrupt and begun: return got, f'frame {len(got)} is corrupt'
                    rgb = f.reformat(*size, format='rgb24').to_ndarray()
                    # looking at it keeps a frame's buffers
                    if turned is None: turned = f.side_data.get('DISPLAYMATRIX') is not None
                    (got if begun else early).append(Decoded(rgb, f.pts, turned))
    except av.error.FFmpegError as e: return got, str(e)
    return got or early, ''

def run_video(folder, about):
    """Read all frames, and some by themselves. An accepted file must give what plain decoding gives, frame for frame;
    where that stumbles, the library must have said so. Where stamps give another order than the decoder, either order
    is right.
    `frames`: the damage concerns when frames are shown, so that all must be there unless an edit list hides them."""
    path = folder/about['name']
    with open_video(path) as v:
        n, fps = v.n_frames, v.fps
        needed(fps is None or 0 < fps < 100_000, f'rate: {fps} frames a second')
        block = [f for i in range(0, min(n, 200), 8) for f in v.read(np.arange(i, min(i + 8, n)))]
        alone = {i: v.read([i])[0] for i in {n - 1, n//2, 0, n//3} & {*range(len(block))}}
    want, why = plain_decode(path)
    if want is None: return f'{n} frames by another decoder'
    if why and _noticed_late(path): return f'{n} frames, damage that decoding from a key frame on does not show'
    needed(not why, f'unnoticed: {n} frames are accepted, plain decoding stumbles after {len(want)} ({why})')
    needed(n == len(want), f'count: {n} frames, plain decoding gives {len(want)}')
    if about.get('frames') and n != about['frames']:
        needed(not _zero_scale(path), f'time scale: it is 0, {n} of {about["frames"]} frames are read')
    row = check_video(path)
    needed(row['status'] == 'ok' and row['frames'] == n, f'verify: {row["status"]}, {row["frames"]} frames')
    stamps = [f.pts for f in want]
    if None not in stamps and len({*stamps}) == n and stamps != sorted(stamps): return f'{n} frames in another order'
    for i, f in enumerate(want[:len(block)]):
        if f.turned or f.rgb.shape != block[i].shape or (block[i] == f.rgb).all(): continue
        made_up = (plain_decode(path, hold=True)[0][i].rgb != f.rgb).any()
        needed(made_up, f'pixels: frame {i} of {n} is not that of plain decoding')
    for i, f in alone.items():
        if (f == block[i]).all(): continue
        # what a decoder makes up for damaged pictures may depend on what it decoded before
        with open_video(path) as fresh:
            needed((fresh.read([i])[0] == block[i]).all(), f'random access: frame {i} is another one by itself')
    return f'{n} frames'

def _noticed_late(path):
    """Does the decoder call the first damaged picture damaged only because of what it learned from the ones before, as
    FFmpeg learns from mpeg4 how its encoder ends a picture? It decodes from the key frame on like a sound one."""
    import av
    def opened():
        c = av.open(str(path), metadata_errors='replace')
        s = c.streams.best('video')
        s.codec_context.thread_count = 1
        return c, s
    try:
        c, s = opened()
        with c: stamp = next((f.pts for f in c.decode(s) if f.is_corrupt), None)
        c, s = opened()
        with c:
            if stamp is None or s.codec_context.name != 'mpeg4': return False
            c.seek(stamp, stream=s)
            return any(f.pts == stamp and not f.is_corrupt for f in c.decode(s))
    except av.error.FFmpegError: return False

def _zero_scale(path):
    "Has a header of the film or of a track a time scale of 0?"
    def scale(b):
        at = 20 if b[1][:1] == b'\1' else 12
        return int.from_bytes(b[1][at:at + 4]) if len(b[1]) >= at + 4 else 1
    return any(scale(b) == 0 for b in all_boxes(boxes(path.read_bytes())) if b[0] in (b'mvhd', b'mdhd'))

def mp4_cases(draw):
    kind = pick(draw, ('mp4', 'mp4', 'mp4', 'fragments', 'mpeg4', 'mov'))
    data, n = good_video(kind)
    about = dict(name='a.mov' if kind == 'mov' else 'a.mp4')
    if draw(st.integers(0, 3)):
        data, about['edits'] = edit_mp4(draw, data, n)
        if all(e.split('[')[0].split(' ')[0] in TIMES for e in about['edits']): about['frames'] = n
    else: data = damage(draw, data)
    return Case('mp4', {about['name']: data}, about)

def other_cases(draw):
    kind = pick(draw, ('mkv', 'webm', 'mkv', 'webm', 'avi', 'ts', 'flv', 'gif'))
    data, n = good_video(kind)
    data = edit_matroska(draw, data) if kind in ('mkv', 'webm') and draw(st.integers(0, 3)) else damage(draw, data)
    return Case('containers', {f'a.{kind}': data}, dict(name=f'a.{kind}'))

# --- frames as images ---

@functools.cache
def good_image(kind):
    from PIL import Image
    f = io.BytesIO()
    a = frames(2, 24, 32)[1]
    if kind == 'I;16': Image.fromarray((a[..., 0].astype(np.uint16)*257)).save(f, 'png')
    elif kind == 'P': Image.fromarray(a).quantize(16).save(f, 'png')
    else: Image.fromarray(a if kind != 'L' else a[..., 0]).save(f, 'jpeg' if kind == 'jpeg' else 'png')
    return f.getvalue()

@functools.cache
def good_tar():
    f = io.BytesIO()
    with tarfile.open(fileobj=f, mode='w') as t:
        for i in range(3):
            data = good_image('jpeg')
            info = tarfile.TarInfo(f'img_{i:05d}.jpg')
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return f.getvalue()

def run_frames(folder, about):
    "Read a folder or tar of images. 8-bit images must be what PIL makes of them."
    from PIL import Image, ImageOps
    path = folder/about['name']
    with open_video(path, template=about.get('template')) as v:
        got = v.read(np.arange(min(v.n_frames, 20)))
        n = v.n_frames
    if path.is_dir() and about.get('pixels'):
        for a, p in zip(got, sorted(path.iterdir())):
            image = Image.open(p)
            if image.mode not in ('RGB', 'L'): continue
            needed((a == np.asarray(ImageOps.exif_transpose(image).convert('RGB'))).all(),
                   f'pixels: {p.name} is another picture')
    row = check_video(path)
    needed(row['status'] != 'ok' or row['frames'] == n or about.get('template'),
           f'verify: {row["frames"]} frames, not {n}')
    return f'{n} frames of {got.shape[1:]}'

def frame_cases(draw):
    how = pick(draw, ('png', 'png', 'bytes', 'names', 'tar', 'template'))
    if how == 'tar':
        data = edit_tar(draw, good_tar()) if draw(st.booleans()) else damage(draw, good_tar())
        return Case('frames', {'a.tar': data}, dict(name='a.tar'))
    kind = pick(draw, ('RGB', 'I;16', 'P', 'L', 'jpeg') if how != 'png' else ('RGB', 'I;16', 'P', 'L'))
    data = good_image(kind)
    ending = 'jpg' if kind == 'jpeg' else 'png'
    files = {f'v/{i:04d}.{ending}': data for i in range(3)}
    about = dict(name='v', pixels=how in ('png', 'bytes'))
    if how == 'png': files['v/0001.png'] = edit_png(draw, data)
    elif how == 'bytes': files[f'v/0001.{ending}'] = damage(draw, data)
    elif how == 'template': about['template'] = draw(odd_words)
    else: files |= {f'v/{name}': data for name in draw(st.lists(file_names, max_size=3))}
    return Case('frames', files, about)

# --- lists and folders ---

def _legal(name): return name.strip('.') and '/' not in name and '\0' not in name and len(os.fsencode(name)) < 200
file_names = st.one_of(st.sampled_from(['0.png', '1.jpg', '1.JPG', '0001.png.jpg', '²1.png', '٣.jpg',
                                        '99999999999999999999999.png', 'a-1.png', '1 .png', '.1.png', '3.webp',
                                        '1.5.png']),
                       st.text(st.characters(exclude_categories=('Cs',), exclude_characters='/\0'), min_size=1,
                               max_size=5).map(lambda s: f'{s}.png')).filter(_legal)
VIDEO_NAMES = ['a.mp4', 'b.mp4', 'c d.mp4', 'e, f.mp4', 'sub/g.mp4', 'h.MP4', "i'j.mp4", 'k.mkv', 'l.webm', 'm;n.mp4',
               'é.mp4', 'ids.txt.mp4']

def _table(rows, sep=','): return '\n'.join(sep.join(r) for r in rows) + '\n'

def list_kinds():
    "{name: (what `find_records` is given, {file: good text or structure}, further files)}."
    stub = b'x'
    videos = {n: good_video('mpeg4')[0] if n == 'a.mp4' else stub for n in VIDEO_NAMES[:6]}
    v2 = [dict(id=str(i), label='x', template='Doing [something]', placeholders=['x']) for i in range(4)]
    dives = [dict(vid_name=f'd{i}', label=i % 2, start_frame=0, end_frame=10 + i) for i in range(4)]
    clips = {f'v_A_g01_c0{i}': dict(set='training', label=1, nframes=9) for i in range(3)}
    images = {f'f{i}/img_{k:05d}.jpg': stub for i in range(4) for k in (1, 2, 3)}
    return {
        'csv': ('list.csv',
                {'list.csv': _table([('path', 'label', 'split', 'fps', 'start', 'end'),
                                     ('a.mp4', 'x', 'train', '30', '0', '1.5'), ('b.mp4', 'y', 'train', '25', '', ''),
                                     ('c d.mp4', 'x', 'val', '', '1', '2'), ('"e, f.mp4"', 'y', 'test', '', '', '')])},
                videos),
        'bare': ('list.txt', {'list.txt': 'a.mp4 0\nb.mp4 1\nc d.mp4 0\nsub/g.mp4 1\n'}, videos),
        'columns': ('list.csv',
                    {'list.csv': _table([('video', 'class', 'num_frames', 'first', 'set'),
                                         ('a.mp4', '0', '9', '0', 'train'), ('b.mp4', '1', '9', '3', 'train'),
                                         ('sub/g.mp4', '1', '5', '1', 'test'), ('h.MP4', '0', '', '', 'test')])},
                    videos),
        'two lists': ('', {'train.csv': _table([('a.mp4', 'x'), ('b.mp4', 'y')]),
                           'val.csv': _table([('c d.mp4', 'x'), ('sub/g.mp4', 'y')])}, videos),
        'pyslowfast': ('', {'train.csv': 'a.mp4 0\nb.mp4 1\n', 'val.csv': 'sub/g.mp4 0\nh.MP4 1\n'}, videos),
        'tsm': ('', {'train_videofolder.txt': 'f0 9 0\nf1 9 1\n', 'val_videofolder.txt': 'f2 9 0\nf3 8 1\n'}, images),
        'kinetics': ('', {'train.csv': _table([('label', 'youtube_id', 'time_start', 'time_end', 'split'),
                                               ('x', 'a', '0', '10', 'train'), ('y', 'b', '3', '13', 'train')]),
                          'validate.csv': _table([('label', 'youtube_id', 'time_start', 'time_end', 'split'),
                                                  ('x', 'h', '0', '10', 'validate')])}, videos),
        'something2': ('',
                       {'something-something-v2-train.json': v2[:2], 'something-something-v2-validation.json': v2[2:],
                        'something-something-v2-labels.json': {'Doing something': '0', 'Other': '1'}},
                       {f'{i}.webm': stub for i in range(4)}),
        'something1': ('', {'something-something-v1-train.csv': '1;Doing\n2;Other\n',
                            'something-something-v1-validation.csv': '3;Doing\n',
                            'something-something-v1-labels.csv': 'Doing\nOther\n'},
                       {f'{i}/00001.jpg': stub for i in (1, 2, 3)}),
        'ucf': ('', {'classInd.txt': '1 A\n2 B\n', 'trainlist01.txt': 'A/v_A_g01_c01.avi 1\nB/v_B_g01_c01.avi 2\n',
                     'testlist01.txt': 'A/v_A_g02_c01.avi\n'},
                {'A/v_A_g01_c01.avi': stub, 'B/v_B_g01_c01.avi': stub, 'A/v_A_g02_c01.avi': stub}),
        'hmdb': ('', {'a_test_split1.txt': 'm1.avi 1\nm2.avi 2\n', 'b_test_split1.txt': 'm3.avi 1\nm4.avi 0\n'},
                 {f'm{i}.avi': stub for i in (1, 2, 3, 4)}),
        'diving': ('', {'Diving48_V2_train.json': dives[:3], 'Diving48_V2_test.json': dives[3:],
                        'Diving48_vocab.json': [['A', 'B'], ['C', 'D']]},
                   {f'd{i}.mp4': stub for i in range(4)}),
        'two-stream': (
            'annotations/annot01.json',
            {'annotations/annot01.json': dict(labels={'1': 'A', '2': 'B'}, training=clips,
                                              validation={'v_B_g01_c01': dict(set='validation', label=2, nframes=9)})},
            {f'images/{v}/frame000001.jpg': stub for v in (*clips, 'v_B_g01_c01')}
        ),
        'tars': ('', {'train_seq.csv': 'a.tar 0 30 9 0.3\nb.tar 1 25 9 0.36\n', 'val_seq.csv': 'c.tar 1 30 9 0.3\n'},
                 {f'{c}.tar': stub for c in 'abc'}),
        'json': ('list.json', {'list.json': [dict(path='a.mp4', label='x'), dict(path='b.mp4', label='y')]}, videos)
    }

FOLDER_NAMES = ['train', 'val', 'valid', 'test', 'Test', 'eval', 'dev', 'a', 'b', 'walk', '10', '²', '٣', 'annotations',
                'labels', '.hidden', '$x$', 'a b', 'é', 'x\ny', '\udce9', '-1', 'images']

def folder_case(draw):
    "Class folders, with stray files, links and odd names."
    files = {}
    names = st.sampled_from(FOLDER_NAMES)
    for _ in range(draw(st.integers(1, 8))):
        parts = draw(st.lists(names, min_size=0, max_size=3))
        leaf = pick(draw, ['1.mp4', '2.mp4', '1.MTS', '1.webp', '0001.jpg', '0001.bmp', 'x.txt', 'labels.json',
                           'train.csv', 'test_results.csv', '1.tar', 'a.mp4/', '\udce9.mp4', '1.mp4\n'])
        files['/'.join([*parts, leaf])] = pick(draw, (b'x', b'x', b'', b'a,b\n1,2\n', b'{"a": 0}'))
    if draw(st.booleans()):
        files['/'.join([*draw(st.lists(names, max_size=2)),
                        'link'])] = pick(draw, ['a', '.', '..', 'link', '../a', '/nowhere', 'train'])
    return files

def list_cases(draw):
    how = pick(draw, ('edit', 'edit', 'edit', 'exact', 'folders'))
    if how == 'folders': return Case('lists', _compatible(folder_case(draw)), dict(path=''))
    if how == 'exact': return exact_case(draw)
    kinds = list_kinds()
    kind = pick(draw, kinds)
    path, texts, files = kinds[kind]
    changed = pick(draw, texts)
    def data(name):
        good = texts[name]
        if name != changed: return (good if isinstance(good, str) else json.dumps(good)).encode()
        return edit_text(draw, good) if isinstance(good, str) else edit_json_text(draw, good)
    return Case('lists', {**files, **{n: data(n) for n in texts}}, dict(path=path, kind=kind))

def _compatible(files):
    "Leave out what would lie inside of a file."
    out = {}
    for name in sorted(files, key=lambda n: (n.count('/'), n)):
        ups = ['/'.join(name.split('/')[:k]) for k in range(1, name.count('/') + 1)]
        if (name.rstrip('/') not in out and not any(u in out for u in ups)
            and not any(o.startswith(f'{name}/') for o in out)):
            out[name] = files[name]
    return out

def exact_case(draw):
    "A csv as a program writes it: it must be read as it was meant."
    text = (st.text(st.characters(exclude_categories=('Cs', 'Cc', 'Zl', 'Zp')), min_size=1, max_size=6).map(str.strip)
            .filter(bool))
    labels = draw(st.lists(text, min_size=1, max_size=3, unique=True))
    rows = [(n, pick(draw, labels), pick(draw, ('train', 'test')))
            for n in draw(st.lists(st.sampled_from(VIDEO_NAMES), min_size=1, max_size=5, unique=True))]
    head = pick(draw, (('path', 'label', 'split'), ('video', 'class', 'subset'), ('filename', 'label', 'set'),
                       ('file', 'class_name', 'partition')))
    more = pick(draw, ('', '', 'note', 'id'))
    out = io.StringIO()
    w = csv.writer(out, delimiter=pick(draw, ',;\t'), lineterminator=pick(draw, ('\n', '\r\n')),
                   quoting=pick(draw, (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))
    w.writerow([*head, *([more] if more else [])])
    for i, r in enumerate(rows): w.writerow([*r, *([f'n{i}'] if more else [])])
    return Case('lists', {'list.csv': out.getvalue().encode(), **{r[0]: b'x' for r in rows}},
                dict(path='list.csv', rows=[list(r) for r in rows]))

def run_lists(folder, about):
    "Find records and videos as training and `corrnet_verify` do; a list in plain form must be read as it was written."
    path = folder/about['path'] if about['path'] else folder
    try: found = find_videos(path)
    except BadInput: found = None
    records = find_records(path)
    names = class_names(records)
    for r in records: needed(r.split in ('', 'train', 'valid', 'test'), f'split: {r.split!r}')
    repr(records)
    records_digest(records)
    limit_records(records, 2)
    if 'rows' in about:
        got = [[os.path.relpath(r.path, folder), r.label, r.split] for r in records]
        want = [list(r) for r in about['rows']]
        needed(got == want, f'rows: read as {got}, written as {want}')
    if about['path'] == '' and not about.get('kind'):
        real = lambda paths: {os.path.realpath(p) for p in paths if os.path.exists(p)}
        needed(found is None or real(r.path for r in records) <= real(found),
               f'verify: it looks at {len(found or ())} videos, training at {len(records)}')
    train, _ = split_records(records)
    ds = VideoDataset(train, SMALL, names, train=True)
    for i in range(min(len(ds), 4)):
        try: ds[i]
        except BadInput: pass
    return f'{len(records)} records'

# --- recipes ---

BASES = ('corrnet_tiny_motion', 'corrnet_tiny_motion', 'corrnet_tiny_motion', 'corrnet50_k600', 'slowfast')

@functools.cache
def good_recipe(name):
    r = recipes[name] if name in recipes else recipes[next(n for n in recipes if n.startswith(name))]
    d = json.loads(r.to_json())
    if name == 'corrnet_tiny_motion':
        d |= dict(arch_kw=dict(width=4),
                  clip=d['clip'] | dict(n_frames=4, short_train=[32, 32], size_train=32, short_test=32, size_test=32))
    return d

def recipe_cases(draw):
    base = good_recipe(pick(draw, BASES))
    return Case('recipe', {'r.json': edit_json_text(draw, base), 'a.mp4': good_video('mpeg4')[0]}, {})

def run_recipe(folder, about):
    "Read a recipe, use each of its parts, and build a small network by it."
    r = Recipe.load(folder/'r.json')
    needed(Recipe.from_dict(json.loads(r.to_json())) == r, 'json: written and read it is another recipe')
    r.digest, r.summary(), r.with_epochs(3), [r.lr_at(e) for e in (0, .5, min(r.epochs - 1, 100))]
    parse_views(r)
    r.save(folder/'again.json')
    needed(Recipe.load(folder/'again.json').digest == r.digest, 'digest: written and read it is another one')
    if r.arch != 'corrnet_tiny' or r.init: return f'{r.name!r}, not built'
    net = build_network(r, 3).eval()
    spec = net.clip if hasattr(net, 'clip') else r.clip
    if r.clip.modality == 'rgb' and not r.clip.flow:
        views = clip_views(folder/'a.mp4', r.clip, 1, 1)
        needed(views.isfinite().all(), 'clip: its numbers are not finite')
        with torch.no_grad(): net(views)
    return f'{r.name!r}, built'

# --- checkpoints ---

@functools.cache
def good_checkpoint():
    torch.manual_seed(0)
    r = Recipe.from_dict(good_recipe('corrnet_tiny_motion')).replace(views=(1, 1))
    return pack_network(build_network(r, 2), r, ['x', 'y'], history=[dict(epoch=0, train_loss=1.)], run=dict(seed=1))

ODD_VALUES = dict(
    none=lambda v: None, empty=lambda v: '', word=lambda v: 'x', escape=lambda v: '\x1b[31m\n', zero=lambda v: 0,
    minus=lambda v: -1, half=lambda v: .5, nan=lambda v: float('nan'), inf=lambda v: float('inf'), huge=lambda v: 10**9,
    digits=lambda v: 10**30, list=lambda v: [], dict=lambda v: {}, nested=lambda v: [[v]], bytes=lambda v: b'x',
    true=lambda v: True, words=lambda v: ['x', 'x'], many=lambda v: ['c%d' % i for i in range(100_000)],
    twins=lambda v: ['x', 'y', 'z'], tuple=lambda v: (1, 2), set=lambda v: {1, 2}, no_tensor=lambda v: torch.zeros(0),
    scalar=lambda v: torch.tensor(1.), bool=lambda v: torch.ones(3, dtype=torch.bool),
    bomb=lambda v: torch.zeros(1).expand(100_000, 100_000),
    nans=lambda v: v*float('nan') if isinstance(v, torch.Tensor) and v.is_floating_point() else float('nan'),
    int8=lambda v: v.to(torch.int8) if isinstance(v, torch.Tensor) else 1,
    complex=lambda v: v.to(torch.complex64) if isinstance(v, torch.Tensor) else 1j,
    half_t=lambda v: v.half() if isinstance(v, torch.Tensor) else 1,
    double=lambda v: v.double() if isinstance(v, torch.Tensor) else 1,
    sparse=lambda v: v.to_sparse() if isinstance(v, torch.Tensor) else 1,
    grow=lambda v: torch.cat([v, v]) if isinstance(v, torch.Tensor) and v.ndim else v,
    turned=lambda v: v[None] if isinstance(v, torch.Tensor) else [v],
    quant=lambda v: torch.quantize_per_tensor(torch.zeros(3), .1, 0, torch.quint8),
    param=lambda v: torch.nn.Parameter(torch.zeros(3)), deep=lambda v: functools.reduce(lambda a, _: [a], range(300), v)
)

def _put(ck, path, odd):
    *front, last = path
    at = ck
    for k in front: at = at[k] if isinstance(at, dict) and k in at else {}
    if not isinstance(at, dict): return
    if odd == 'drop': at.pop(last, None)
    elif odd == 'rename': at[f'{last}x'] = at.pop(last, None)
    else: at[last] = ODD_VALUES[odd](at.get(last))

def make_checkpoint(about):
    """Write the checkpoint that `about` describes: values changed, its recipe's json edited, members or bytes of the
    archive damaged."""
    ck = dict(good_checkpoint())
    ck['model'] = dict(ck['model'])
    if 'recipe' in about: ck['recipe'] = about['recipe']
    for path, odd in about.get('values', ()): _put(ck, path, odd)
    f = io.BytesIO()
    torch.save(ck, f)
    data = f.getvalue()
    if about.get('members'): data = _edit_members(data, about['members'])
    data = bytearray(data)
    for at, value in about.get('bytes', ()): data[at % len(data)] ^= value
    return bytes(data[:about.get('length', len(data))])

def _edit_members(data, edits):
    "Change members of the archive: (number, what, where, value); the archive itself is whole, its checksums are right."
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as z: members = [[i.filename, z.read(i)] for i in z.infolist()]
    for k, what, at, value in edits:
        m = members[k % len(members)]
        b = bytearray(m[1])
        if what == 'byte' and b: b[at % len(b)] = value
        elif what == 'cut': del b[at % (len(b) + 1):]
        elif what == 'grow': b += bytes(1000)
        elif what == 'name': m[0] = f'{m[0]}x'
        elif what == 'drop' and len(members) > 1: members.remove(m)
        elif what == 'zip': m[0] = m[0].replace('archive', '..')
        m[1] = bytes(b)
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as z:
        for name, b in members: z.writestr(name, b)
    return out.getvalue()

def checkpoint_cases(draw):
    how = pick(draw, ('values', 'values', 'values', 'pickle', 'members', 'bytes', 'recipe', 'recipe'))
    about = {}
    ck = good_checkpoint()
    if how == 'values':
        top = pick(draw, [*ck, 'model', 'model', 'loader'])
        path = [top, pick(draw, ck['model'])] if top == 'model' and draw(st.booleans()) else [top]
        about['values'] = [[path, pick(draw, [*ODD_VALUES, 'drop', 'rename'])]
                           for path in [path]*draw(st.integers(1, 1))]
    elif how == 'recipe':
        text = edit_json_text(draw, json.loads(ck['recipe'])).decode('utf-8', 'replace')
        about['recipe'] = text
    elif how == 'pickle':
        about['members'] = [[0, 'byte', draw(st.integers(0, 12000)), draw(st.integers(0, 255))]
                            for _ in range(draw(st.integers(1, 2)))]
    elif how == 'members':
        about['members'] = [[draw(st.integers(0, 60)), pick(draw, ('byte', 'cut', 'grow', 'name', 'drop', 'zip')),
                             draw(st.integers(0, 3000)), draw(st.integers(0, 255))]]
    elif draw(st.booleans()):
        about |= dict(same=True, bytes=[[draw(st.integers(0, 400_000)), 1 << draw(st.integers(0, 7))]
                                        for _ in range(draw(st.integers(1, 2)))])
    else: about |= dict(same=True, length=draw(st.integers(0, 400_000)))
    return Case('checkpoint', {'a.mp4': good_video('mpeg4')[0]}, about)

def run_checkpoint(folder, about):
    "Load a checkpoint and predict with it, as `corrnet_predict` does; flipped bits must be noticed or do nothing."
    path = folder/'checkpoint.pth'
    path.write_bytes(make_checkpoint(about))
    ck = load_checkpoint(path)
    if about.get('same'):
        good = good_checkpoint()['model']
        needed(all(torch.equal(good[k], v) for k, v in ck['model'].items() if k in good),
               'weights: they are not those that were saved')
    net, recipe, vocab = load_network(path)
    views = parse_views(recipe, 1, 1, None)
    for _, probs in predict_each(net, [str(folder/'a.mp4')], recipe.clip, vocab, views):
        if isinstance(probs, BadInput): raise probs
        needed(len(probs) == len(vocab) and abs(float(probs.sum()) - 1) < 1e-3 or views.average == 'sigmoid',
               f'probabilities: {probs[:5].tolist()}')
    return 'predicted'

# --- runs that are resumed ---

def prepare_resume():
    "Import what trains, and leave a run after the first of its two epochs."
    import fastai.basics, corrnet_lib.train.run
    good_run()

def _train(folder, **kw):
    from corrnet_lib.train.run import train_run
    train_run(folder/'run/recipe.json' if kw.get('resume')
              else Recipe.from_dict(good_recipe('corrnet_tiny_motion')).replace(epochs=2, bs=2),
              folder/'data', folder/'run', workers=0, device='cpu', **kw)

@functools.cache
def good_run():
    "{file: bytes} of a data set and of its run."
    from fastai.callback.core import Callback
    class Stop(Callback):
        order = 99
        def after_epoch(self): os._exit(0)
    with tempfile.TemporaryDirectory() as d:
        for c in 'xy':
            for i in range(4):
                p = Path(d, 'data', 'val' if i == 3 else 'train', c, f'{i}.mp4')
                p.parent.mkdir(parents=True, exist_ok=True)
                p.write_bytes(good_video('mpeg4')[0])
        pid = os.fork()
        if not pid:
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                _train(Path(d), cbs=[Stop()])
            finally: os._exit(1)
        needed(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, 'the good run failed')
        return {str(p.relative_to(d)): p.read_bytes() for p in sorted(Path(d).rglob('*')) if p.is_file()}

def resume_cases(draw):
    how = pick(draw, ('values', 'values', 'values', 'inside', 'history', 'recipe'))
    about = {}
    if how == 'values':
        about['values'] = [[[pick(draw, ('history', 'run', 'within', 'random', 'optimiser', 'loader', 'n_pass', 'epoch',
                                         'vocab', 'n_frames', 'recipe', 'format', 'model', 'steps', 'best',
                                         'keeping'))],
                            pick(draw, [*ODD_VALUES, 'drop'])]]
    elif how == 'inside':
        outer, inner = pick(draw,
                            [('run', k) for k in ('seed', 'videos', 'trained_on', 'recipe', 'valid', 'limit', 'amp')]
                            + [('random', k) for k in ('python', 'numpy', 'torch', 'cuda')]
                            + [('optimiser', k) for k in ('state', 'hypers')]
                            + [('loader', k) for k in ('n_pass', 'first_iter', 'epoch', 'batch')])
        about['values'] = [[[outer, inner], pick(draw, [*ODD_VALUES, 'drop'])]]
    elif how == 'history': about['history'] = edit_text(draw, HISTORY).decode('latin-1')
    else: about['recipe'] = edit_json_text(draw, good_recipe('corrnet_tiny_motion')).decode('utf-8', 'replace')
    return Case('resume', {}, about)

def run_resume(folder, about):
    "Go on with a run whose files are damaged: it goes on to its second epoch, or refuses."
    files = dict(good_run())
    ck = torch.load(io.BytesIO(files['run/checkpoint.pth']), weights_only=False)
    for path, odd in about.get('values', ()):
        for k in path[:-1]: ck[k] = dict(ck[k]) if isinstance(ck.get(k), dict) else ck.get(k)
        _put(ck, path, odd)
    f = io.BytesIO()
    torch.save(ck, f)
    files['run/checkpoint.pth'] = f.getvalue()
    if 'history' in about: files['run/history.csv'] = about['history'].encode('latin-1')
    if 'recipe' in about: files['run/recipe.json'] = about['recipe'].encode()
    for name, data in files.items():
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_bytes(data)
    _train(folder, resume=True)
    after = load_checkpoint(folder/'run')
    needed(all(v.isfinite().all() for v in after['model'].values()), 'weights: they are not finite after resuming')
    return f'epoch {after["epoch"]}, {len(read_rows(folder/"run"))} rows'

# --- .mat files ---

class Tiny(VideoNet):
    "A stream in its smallest form."
    def __init__(self):
        from collections import OrderedDict
        from corrnet_lib.layers.conv import ConvNormAct, conv_2d
        from corrnet_lib.layers.heads import PoolHead
        super().__init__()
        self.clip = ClipSpec(n_frames=3)
        self.num_classes = 3
        self.stem = torch.nn.Sequential(OrderedDict(conv=ConvNormAct(3, 2, (1, 3, 3), bias=True)))
        for name, blocks in trunk_stages(2, (1, 1, 1, 1), (1, 1, 1, 1), ((1, 1, 1),) + ((1, 2, 2),)*3,
                                         conv=conv_2d).items():
            setattr(self, name, torch.nn.Sequential(*blocks))
        self.head = PoolHead(4, 3)

@functools.cache
def good_mat():
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as d:
        save_matconvnet(Tiny(), f'{d}/a.mat')
        return Path(d, 'a.mat').read_bytes()

def _structured_mat(draw):
    "A file with the structure of a network in which something is odd."
    from scipy.io import loadmat, savemat
    net = loadmat(io.BytesIO(good_mat()))['net'][0, 0]
    layers = net['layers'].copy()
    params = net['params'].copy()
    odd = lambda: pick(draw, [np.zeros(0), np.zeros((2, 2)), np.array('x'), np.array([['a', 'b']], object), np.array(5),
                              np.array(np.nan), np.zeros((1, 1), object), np.array(1j), np.zeros((3, 2), bool),
                              np.array(['x'*3000]), np.zeros((1, 1), [('name', object)]), np.full((2, 2), np.inf)])
    what = pick(draw, ('value', 'value', 'field', 'fewer', 'none', 'extra', 'net'))
    table = pick(draw, (layers, params))
    if what == 'value':
        for _ in range(draw(st.integers(1, 2))):
            table[0, below(draw, table.shape[1])][pick(draw, table.dtype.names)] = odd()
    elif what == 'field': keep = [n for n in table.dtype.names if n != pick(draw, table.dtype.names)]
    own = {'layers': layers, 'params': params}
    if what == 'field':
        own[pick(draw, list(own))] = (table[list(keep)].astype([(k, object) for k in keep]) if keep
                                      else np.zeros((1, 1), object))
    elif what == 'fewer': own[pick(draw, list(own))] = table[:, :draw(st.integers(0, 3))]
    elif what == 'none': own.pop(pick(draw, list(own)))
    elif what == 'extra': own['layers'] = odd()
    f = io.BytesIO()
    savemat(f, {'net': odd() if what == 'net' else own}, do_compression=draw(st.booleans()))
    return f.getvalue()

def mat_cases(draw):
    data = good_mat()
    if draw(st.integers(0, 2)):
        b = bytearray(data)
        for _ in range(draw(st.integers(1, 3))):  # words of tags: types, sizes, dimensions
            at = 128 + 4*below(draw, (len(b) - 128)//4)
            b[at:at + 4] = (struct.pack('<I', draw(odd_ints) % 2**32) if draw(st.booleans())
                            else bytes([draw(st.integers(0, 255)), *b[at + 1:at + 4]]))
        data = bytes(b)
    elif draw(st.booleans()): data = damage(draw, data)
    else: data = _structured_mat(draw)
    return Case('mat', {'a.mat': data}, {})

def run_mat(folder, about):
    load_matconvnet(Tiny(), folder/'a.mat')
    return 'loaded'

# --- weights of other programs ---

ARRAYS = dict(conv1_w=np.arange(24, dtype='<f4').reshape(2, 3, 4), bn_s=np.arange(4.), count=np.array(7),
              columns=np.asfortranarray(np.arange(6, dtype='<i2').reshape(2, 3)), big=np.arange(3, dtype='>i4'))
ODD_ARRAYS = [np.zeros(0), np.zeros((0, 3)), np.array('x'), np.array([{}], object), np.array(1j), np.ones(3, bool),
              np.full((2, 2), np.inf), np.zeros((1, 1, 1, 1, 1, 1, 1)), np.zeros(2, [('a', 'f4')]), np.array(5, '>f8'),
              np.arange(4, dtype='u2'), np.zeros(3, 'f2'), np.array(['x'*3000]), np.array(0, 'M8[s]')]

@functools.cache
def good_weights():
    "{name: tensor} of a small network, with words and numbers beside them for its own file."
    ck = good_checkpoint()
    return ck['model'], {k: ck[k] for k in ('format', 'recipe', 'vocab', 'n_frames') if k in ck}

def good_pickle(kind, protocol):
    "Pickle a few arrays, or the weights of a network, as Caffe2 did."
    arrays = ARRAYS if kind == 'few' else {k: v.numpy() for k, v in good_weights()[0].items()}
    return pickle.dumps(dict(blobs=arrays), protocol)

def _edit_ops(draw, data, most=2):
    "Change instructions of a pickle: without one, one twice, two exchanged, or another number in its place."
    for _ in range(draw(st.integers(1, most))):
        try: starts = [at for _, _, at in pickletools.genops(data)]
        except Exception: return data  # damaged before
        ops = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)])]
        k = below(draw, len(ops))
        how = pick(draw, ('drop', 'double', 'swap', 'op', 'number', 'name'))
        if how == 'drop': del ops[k]
        elif how == 'double': ops.insert(k, ops[k])
        elif how == 'swap':
            j = below(draw, len(ops))
            ops[k], ops[j] = ops[j], ops[k]
        elif how == 'op': ops[k] = bytes([ord(pick(draw, pickletools.opcodes).code)]) + ops[k][1:]
        elif how == 'number': ops[k] = b'J' + struct.pack('<I', draw(odd_ints) % 2**32)
        else: ops[k] = pick(draw, (b'cnumpy\nndarray\n', b'cnumpy\ndtype\n', b'c_codecs\nencode\n', b'cos\nsystem\n',
                                   b'cnumpy.core.multiarray\nscalar\n', b'ccollections\nOrderedDict\n', b'R', b'b', b'N',
                                   b'cnumpy.core.multiarray\n_reconstruct\n', b'h\0', b'}', b')', b'e', b'u', b'\x81'))
        data = b''.join(ops)
    return data

def pkl_cases(draw):
    how = pick(draw, ('ops', 'ops', 'bytes', 'values', 'exact'))
    protocol = draw(st.integers(0, 4))
    kind = pick(draw, ('few', 'few', 'few', 'network'))
    if how == 'exact': return Case('pkl', {'a.pkl': good_pickle(kind, protocol)}, dict(kind=kind, same=True))
    if how == 'values':
        held = edit_json(draw, dict(blobs={k: k for k in ARRAYS}, lr=.1))
        arrays = ARRAYS | {pick(draw, ARRAYS): pick(draw, ODD_ARRAYS)}
        def put(v):
            if isinstance(v, dict): return {k: put(w) for k, w in v.items()}
            return [put(w) for w in v] if isinstance(v, list) else arrays.get(v, v) if isinstance(v, str) else v
        return Case('pkl', {'a.pkl': pickle.dumps(put(held), protocol)}, dict(kind=kind))
    data = good_pickle(kind, protocol)
    return Case('pkl', {'a.pkl': _edit_ops(draw, data) if how == 'ops' else damage(draw, data)}, dict(kind=kind))

def _load_into_network(path, same):
    "Load a file into a network, which it changes as a whole or not at all."
    net = build_network(Recipe.from_dict(good_recipe('corrnet_tiny_motion')), 2)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    try: load_weights(net, path)
    except BadInput:
        needed(all(torch.equal(v, before[k]) for k, v in net.state_dict().items()), 'weights: changed by a refused file')
        raise
    good = good_weights()[0]
    needed(not same or all(torch.equal(v, good[k]) for k, v in net.state_dict().items()),
           'weights: they are not those that were saved')
    needed(all(v.isfinite().all() for v in net.state_dict().values()), 'weights: they are not finite')

def _check_size(path, tensors):
    n = sum(v.numel()*v.element_size() for v in tensors.values() if isinstance(v, torch.Tensor))
    needed(n <= 4*path.stat().st_size, f'size: {n} bytes of tensors from {path.stat().st_size}')

def run_pkl(folder, about):
    "Read a pickle of arrays, and load it as the weights of a network; whole files must give what was saved."
    path = folder/'a.pkl'
    held = read_array_pickle(path)
    blobs = held.get('blobs', {})
    if isinstance(blobs, dict): _check_size(path, blobs)
    if about.get('same') and about['kind'] == 'few':
        needed(all((blobs[k].numpy() == v).all() and blobs[k].shape == v.shape for k, v in ARRAYS.items()),
               'arrays: they are not those that were saved')
    read_checkpoint(path)
    if about['kind'] == 'network': _load_into_network(path, about.get('same'))
    return f'{len(held)} entries'

@functools.cache
def good_safetensors(own):
    "A file of this library, or of another program."
    with tempfile.TemporaryDirectory() as d:
        tensors, notes = good_weights()
        write_safetensors(Path(d, 'a.safetensors'), tensors, notes if own else {})
        return Path(d, 'a.safetensors').read_bytes()

def _with_header(data, header:bytes):
    "Put another header in front of the numbers."
    n, = struct.unpack_from('<Q', data)
    return struct.pack('<Q', len(header)) + header + data[8 + n:]

def safetensors_cases(draw):
    own = draw(st.booleans())
    data = good_safetensors(own)
    n, = struct.unpack_from('<Q', data)
    head = json.loads(data[8:8 + n])
    how = pick(draw, ('header', 'header', 'one', 'one', 'notes', 'notes', 'bytes', 'front', 'length', 'exact'))
    about = dict(own=own, same=how == 'exact')
    if how == 'header': data = _with_header(data, edit_json_text(draw, head))
    elif how == 'one':
        k = pick(draw, [k for k in head if k != '__metadata__'])
        data = _with_header(data, json.dumps(head | {k: edit_json(draw, head[k], 2)}).encode('utf-8', 'surrogatepass'))
    elif how == 'notes' and own:
        notes = edit_json_text(draw, good_weights()[1]).decode('utf-8', 'replace')
        words = head['__metadata__'] | dict(corrnet_lib=notes)
        data = _with_header(data, json.dumps(head | dict(__metadata__=words)).encode('utf-8', 'surrogatepass'))
    elif how == 'front': data = damage(draw, data[:8 + n]) + data[8 + n:]
    elif how == 'length': data = struct.pack('<Q', draw(odd_ints) % 2**64) + data[8:]
    elif how != 'exact': data = damage(draw, data)
    return Case('safetensors', {'a.safetensors': data, 'a.mp4': good_video('mpeg4')[0]}, about)

def run_safetensors(folder, about):
    "Read a file of safetensors, load it into a network, and, where it is ours, predict with what it says of itself."
    path = folder/'a.safetensors'
    tensors, notes = read_safetensors(path)
    _check_size(path, tensors)
    needed(not about['own'] or not about['same'] or notes == good_weights()[1], 'notes: they are not those that were saved')
    _load_into_network(path, about['same'])
    if not is_own(path): return f'{len(tensors)} tensors'
    load_checkpoint(path)
    net, recipe, vocab = load_network(path)
    for _, probs in predict_each(net, [str(folder/'a.mp4')], recipe.clip, vocab, parse_views(recipe, 1, 1, None)):
        if isinstance(probs, BadInput): raise probs
        needed(len(probs) == len(vocab), f'probabilities: {len(probs)} for {len(vocab)} classes')
    return f'{len(tensors)} tensors, predicted'

# --- shards ---

@functools.cache
def good_shards():
    "{file: bytes} of a folder of two shards."
    with tempfile.TemporaryDirectory() as d:
        for c in 'xy':
            for i in range(3):
                p = Path(d, 'in', c, f'{i}.mp4')
                p.parent.mkdir(parents=True, exist_ok=True)
                p.write_bytes(good_video('mpeg4')[0])
        write_shards(find_records(Path(d, 'in')), Path(d, 'out'), max_count=4, seed=0)
        Path(d, 'out/classes.json').write_text('["x", "y"]')
        return {p.name: p.read_bytes() for p in sorted(Path(d, 'out').iterdir()) if not p.name.startswith('.')}

def shard_cases(draw):
    files = dict(good_shards())
    name = pick(draw, ['shards.csv']*3 + ['classes.json', *(n for n in files if n.endswith('.tar'))])
    about = {}
    if name == 'shards.csv': files[name] = edit_text(draw, files[name].decode().replace('\r\n', '\n'))
    elif name == 'classes.json': files[name] = edit_json_text(draw, ['x', 'y'])
    elif draw(st.booleans()): files[name] = edit_tar(draw, files[name])
    elif draw(st.booleans()): files[name] = files[name][:512*draw(st.integers(0, len(files[name])//512))]
    else: files[name] = damage(draw, files[name])
    return Case('shards', files, about)

def run_shards(folder, about):
    "Read every video by its place and in the stream; the stream gives as many as the index names, or a sentence."
    records = find_records(folder)
    names = class_names(records)
    bad = None
    n = 0
    try:
        for clips, labels in shard_loader(folder, SMALL, bs=2, vocab=names): n += len(labels)
        needed(n == len(records), f'stream: {n} of {len(records)} videos, without a word')
    except BadInput as e: bad = e
    ds = ShardDataset(records, SMALL, names)
    for i in range(min(len(ds), 10)):
        try: ds[i]
        except BadInput as e: bad = e
    if bad: raise bad
    return f'{n} videos'

# --- tables ---

HISTORY = _table([('epoch', 'train_loss', 'valid_loss', 'top1', 'lr', 'seconds', 'recipe'),
                  ('0', '1.5', '1.25', '50.0', '0.1', '1.5', '0123456789'),
                  ('1', '1.0', '1.125', '75.0', '0.05', '1.25', '0123456789'),
                  ('2', '0.5', '', '75.0', '0.0', '1.25', '0123456789')])
COSTS = _table([('name', 'family', 'gmacs', 'top1', 'params_m', 'views'), ('a', 'x', '1.5', '50', '3', '10 x 3'),
                ('b', 'x', '3', '60', '6', ''), ('c', 'y', '10', '70', '', '1 x 1')])

def history_cases(draw):
    plot = pick(draw, ('run', 'run', 'runs', 'ablation', 'cost'))
    return Case('history', {'history.csv': edit_text(draw, COSTS if plot == 'cost' else HISTORY)}, dict(plot=plot))

def run_history(folder, about):
    "Draw what stands in a table, into a file."
    rows = read_rows(folder)
    draws = dict(run=lambda: plot_history(folder), runs=lambda: plot_history({'a': rows, '$b$': rows}),
                 ablation=lambda: plot_ablation(rows, 'lr', 'top1'), cost=lambda: plot_cost(folder/'history.csv'))
    fig = draws[about['plot']]()
    fig.dpi = 20
    fig.canvas.draw()
    return f'{len(rows)} rows'

def _verify_rows():
    size = len(good_video('mpeg4')[0])
    rows = [('path', 'status', 'frames', 'fps', 'height', 'width', 'bytes', 'mtime', 'said')]
    rows += [(f'{n}.mp4', 'ok', '12', '30.000', '32', '32', str(size), '1000000000.000', '') for n in 'ab']
    return rows + [('/elsewhere/c.mp4', 'broken', '', '', '', '', '9', '1000000000.000',
                    '"/elsewhere/c.mp4: it is, well, broken."')]

def verify_cases(draw):
    text = edit_text(draw, _table(_verify_rows()))
    return Case('verify', {'verify.csv': text, 'a.mp4': good_video('mpeg4')[0], 'b.mp4': good_video('mpeg4')[0]},
                dict(touch=1_000_000_000))

def run_verify(folder, about):
    "Go on with a table: both videos are whole whatever it says, rows of others stay, and a second run changes nothing."
    for n in 'ab': os.utime(folder/f'{n}.mp4', (about['touch'],)*2)
    table = folder/'verify.csv'
    rows = verify(folder, table, workers=0)
    needed(len(rows) == 2, f'rows: {len(rows)} for two videos')
    for r in rows: needed(str(r['status']) in ('ok', 'short', 'broken', 'audio'), f'status: {r["status"]!r}')
    once = table.read_text(encoding='utf-8', errors='surrogateescape')
    again = verify(folder, table, workers=0)
    twice = table.read_text(encoding='utf-8', errors='surrogateescape')
    needed([r['path'] for r in again] == [r['path'] for r in rows], 'again: other videos')
    needed(once == twice, f'again: the table had {once.count(chr(10))} lines, then {twice.count(chr(10))}')
    return f'{once.count(chr(10))} lines'

# --- flow ---

@functools.cache
def good_flow():
    with tempfile.TemporaryDirectory() as d:
        return write_flow('a.mp4', np.full((3, 8, 8, 2), 127, np.uint8), 30, file=f'{d}/a.npz').read_bytes()

def flow_cases(draw):
    if draw(st.booleans()): return Case('flow', {'a.flow.npz': damage(draw, good_flow())}, {})
    with zipfile.ZipFile(io.BytesIO(good_flow())) as z: arrays = {n: z.read(n) for n in z.namelist()}
    name = pick(draw, arrays)
    odd = [np.zeros(0), np.array(-1), np.array(10**9), np.array(np.nan), np.array(np.inf), np.array('x'),
           np.zeros((2, 3, 8, 8), np.uint8), np.zeros((3, 8, 8)), np.array(0), np.zeros((2, 3, 0, 0), np.uint8),
           np.zeros((2, 1, 8, 8), np.float32)]
    f = io.BytesIO()
    np.save(f, pick(draw, odd))
    arrays[name] = damage(draw, arrays[name]) if draw(st.booleans()) else f.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z:
        for n, b in arrays.items(): z.writestr(n, b)
    return Case('flow', {'a.flow.npz': out.getvalue()}, {})

def run_flow(folder, about):
    with FlowReader(folder/'a.mp4', None) as f: got = f.read(np.arange(min(f.n_frames, 40)))
    needed(got.ndim == 4 and got.shape[-1] == 2 and got.dtype == np.uint8, f'fields: {got.dtype} {got.shape}')
    return f'{len(got)} fields'

TARGETS = {t.name: t
           for t in (Target('mp4', mp4_cases, run_video, 2.5e9), Target('containers', other_cases, run_video, 2.5e9),
                     Target('frames', frame_cases, run_frames), Target('lists', list_cases, run_lists),
                     Target('recipe', recipe_cases, run_recipe), Target('checkpoint', checkpoint_cases, run_checkpoint),
                     Target('resume', resume_cases, run_resume, prepare=prepare_resume),
                     Target('mat', mat_cases, run_mat), Target('pkl', pkl_cases, run_pkl),
                     Target('safetensors', safetensors_cases, run_safetensors), Target('shards', shard_cases, run_shards),
                     Target('history', history_cases, run_history), Target('verify', verify_cases, run_verify),
                     Target('flow', flow_cases, run_flow))}
