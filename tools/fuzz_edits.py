"""How good files are damaged: bytes, words of a text, values of json, boxes of an mp4,
elements of a Matroska file, members of an archive.

Everything here is a hypothesis strategy, or a function that takes hypothesis' `draw` first.
"""
import copy, json, re, struct, tarfile, zlib
from hypothesis import strategies as st

ODD_INTS = [0, 1, 2, 3, -1, 7, 255, 256, 1000, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32,
            2**63 - 1, 2**63, 10**9, 10**12, 10**30]
ODD_WORDS = ['', ' ', '0', '1', '-1', '+1', '1.5', '-0.5', '1e3', '1e308', '1e999', 'nan', 'inf', '-inf', 'None',
             'null', 'true', '²', '٣', '1_000', '0x10', '007', '9'*25, '9'*5000, 'x', 'train', 'val', 'test', 'path',
             'label', 'split', 'a.mp4', '../a.mp4', '/a.mp4', './a.mp4', 'a/b', '~', '~root/x', '.', '..', '/', '\\',
             '"', '""', "'", '"a', 'a"b', 'a,b', ',', ';', '\t', '|', '#', '# x', '=1+1', '@x', '$x$', '%s', '{}',
             '{n:05d}', '{0}', 'img_{:05d}.jpg', '[x]', '\0', 'a\0b', '\x1b[31m', '\x85', '\u2028', '\ufeff', 'é',
             'e\u0301', '名', '\U0001f600', 'x'*300, 'x'*5000, 'a\nb', 'a\rb', '\x0c', '00:00:01', '1,5',
             'http://x/a.mp4', 'file:a.mp4', 'a:b.mp4', '-a.mp4']
ODD_JSON = [None, True, False, 0, 1, -1, 2, 3.5, -.5, 1e308, float('nan'), float('inf'), 10**6, 10**9, 10**30, '', 'x',
            '\x1b[31m', 'a\nb', '$x$', '../x', 'x'*3000, '\ud800', [], [0], [1, 2], ['x', 'y'], [[]], [None], {},
            {'x': 0}, {'0': 'x'}, {'': ''}, [-1, -1], [1e308]*3, [0]*1000, [[[[[[[['x']]]]]]]]]

odd_ints = st.one_of(st.sampled_from(ODD_INTS), st.integers(0, 40))
odd_words = st.one_of(st.sampled_from(ODD_WORDS), st.text(max_size=6), st.integers(-3, 300).map(str))
odd_json = st.sampled_from(ODD_JSON)

def pick(draw, some): return draw(st.sampled_from(list(some)))
def below(draw, n): return draw(st.integers(0, max(n - 1, 0)))

# --- bytes ---

def damage(draw, data, most=3):
    "Change a few bytes, cut off the end, or move a piece."
    data = bytearray(data)
    for _ in range(draw(st.integers(1, most))):
        if not data: break
        at = below(draw, len(data))
        how = pick(draw, ('flip', 'set', 'cut', 'drop', 'copy', 'insert', 'word'))
        if how == 'flip': data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == 'set': data[at] = draw(st.integers(0, 255))
        elif how == 'cut': del data[at:]
        elif how == 'drop': del data[at:at + draw(st.integers(1, 64))]
        elif how == 'copy':
            to = below(draw, len(data))
            n = draw(st.integers(1, 64))
            data[to:to + n] = data[at:at + n]
        elif how == 'insert': data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else: data[at:at + 4] = struct.pack('>I', draw(odd_ints) % 2**32)
    return bytes(data)

# --- texts ---

def edit_text(draw, text, most=3):
    "Change a few words of a text, its lines, what stands between fields, its line ends, or its encoding; gives bytes."
    for _ in range(draw(st.integers(1, most))):
        how = pick(draw, ('word', 'word', 'word', 'word', 'drop', 'double', 'swap', 'insert', 'sep', 'append', 'quote',
                          'ragged'))
        lines = text.split('\n')
        k = below(draw, len(lines))
        if how == 'word':
            words = list(re.finditer(r'[^\s,;\t]+', text))
            if words:
                m = words[below(draw, len(words))]
                text = text[:m.start()] + draw(odd_words) + text[m.end():]
            continue
        if how == 'sep':
            a = pick(draw, ',;\t ')
            b = pick(draw, [',', ';', '\t', ' ', ', ', '|', ''])
            text = text.replace(a, b)
            continue
        if how == 'drop': del lines[k]
        elif how == 'double': lines.insert(k, lines[k])
        elif how == 'swap' and lines: lines[k], lines[-1] = lines[-1], lines[k]
        elif how == 'insert': lines.insert(k, draw(odd_words))
        elif how == 'append': lines[k:k + 1] = [lines[k] + pick(draw, ',;\t ') + draw(odd_words)]
        elif how == 'quote': lines[k:k + 1] = [f'"{lines[k]}"']
        elif how == 'ragged': lines[k:k + 1] = [re.split(r'[,;\t ]', lines[k])[0]]
        text = '\n'.join(lines)
    ends = pick(draw, ['\n']*6 + ['\r\n', '\r'])
    code = pick(draw, ['utf-8']*8 + ['utf-8-sig', 'utf-16', 'latin-1', 'utf-7'])
    data = text.replace('\n', ends).encode(code, 'replace')
    return damage(draw, data, 1) if draw(st.integers(0, 9)) == 9 else data

# --- json ---

def edit_json(draw, value, most=3):
    "Change a few values of a structure: others, without one, under another name, one level deeper."
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, most))):
        holder, key = None, None
        at = value
        while isinstance(at, (dict, list)) and at and (holder is None or draw(st.booleans())):
            holder = at
            key = pick(draw, sorted(at, key=str)) if isinstance(at, dict) else below(draw, len(at))
            at = holder[key]
        how = pick(draw, ('set', 'set', 'set', 'number', 'drop', 'wrap', 'rename', 'add'))
        new = draw(odd_ints) if how == 'number' else copy.deepcopy(draw(odd_json))
        if holder is None: value = new
        elif how in ('set', 'number'): holder[key] = new
        elif how == 'drop': del holder[key]
        elif how == 'wrap': holder[key] = [at]
        elif isinstance(holder, list): holder.append(new)
        elif how == 'rename': holder[draw(odd_words)] = holder.pop(key)
        else: holder[draw(odd_words)] = new
    return value

def edit_json_text(draw, value):
    "Write a changed structure as bytes; at times the text is changed instead."
    how = pick(draw, ['values']*8 + ['deep', 'long', 'text', 'bytes', 'twice'])
    text = json.dumps(edit_json(draw, value) if how == 'values' else value)
    if how == 'deep': text = '['*draw(st.sampled_from([50, 900, 5000, 100_000])) + text
    if how == 'long': text = re.sub(r'\d+', '9'*draw(st.sampled_from([30, 5000])), text, count=1)
    if how == 'text': return edit_text(draw, text)
    if how == 'bytes': return damage(draw, text.encode())
    if how == 'twice': text = text + text
    return text.encode('utf-8', 'surrogatepass')

# --- mp4 ---

HOLDERS = {b'moov', b'trak', b'mdia', b'minf', b'stbl', b'edts', b'moof', b'traf', b'mvex'}
TIMES = ('mvhd', 'mdhd', 'stts', 'ctts', 'stss', 'tfhd', 'tfdt', 'trex')  # when frames are shown, not which there are

def boxes(data):
    "Parse a file into [name, bytes or boxes]."
    out = []
    at = 0
    while at + 8 <= len(data):
        n, name = struct.unpack_from('>I4s', data, at)
        n = n if 8 <= n <= len(data) - at else len(data) - at
        body = data[at + 8:at + n]
        out.append([name, boxes(body) if name in HOLDERS else body])
        at += n
    return out

def pack(tree):
    def one(name, body):
        body = pack(body) if isinstance(body, list) else body
        return struct.pack('>I4s', len(body) + 8, name) + body
    return b''.join(one(*b) for b in tree)

def all_boxes(tree): return [b for box in tree for b in [box, *(all_boxes(box[1]) if isinstance(box[1], list) else [])]]
def name_of(box): return box[0].decode('latin-1')

def _table(draw, name, n):
    "Draw the body of a table of times of `n` frames."
    few = st.integers(0, 5)
    rows = draw(st.lists(st.tuples(few, odd_ints), max_size=4))
    if name == 'stss':
        return struct.pack('>II', 0, len(rows)) + b''.join(struct.pack('>I', a + 12*(b % 2)) for a, b in rows)
    if name == 'elst':
        return (struct.pack('>II', 0, len(rows))
                + b''.join(struct.pack('>IIHH', b % 2**32, a*512 if b % 3 else 2**32 - 1, 1, 0) for a, b in rows))
    rows.append((max(n - sum(a for a, _ in rows), 0), draw(odd_ints)))
    return struct.pack('>II', 0, len(rows)) + b''.join(struct.pack('>II', a, b % 2**32) for a, b in rows)

def edit_mp4(draw, data, n, most=2):
    "Change boxes: a word, a table, their order or size. Gives (bytes, what was done)."
    tree = boxes(data)
    done = []
    for _ in range(draw(st.integers(1, most))):
        some = [b for b in all_boxes(tree) if name_of(b) not in ('mdat', 'free', 'udta')]
        box = pick(draw, some)
        name = name_of(box)
        how = pick(draw,
                   ('word', 'word', 'word', 'half', 'table', 'table', 'drop', 'double', 'rename', 'cut', 'matrix'))
        if how == 'table' or how == 'matrix':
            wanted = ('tkhd',) if how == 'matrix' else ('stts', 'ctts', 'stss', 'elst')
            box = next((b for b in some if name_of(b) == pick(draw, wanted)), box)
            name = name_of(box)
        if isinstance(box[1], list) and how not in ('drop', 'double', 'rename'): continue
        done.append(f'{name} {how}')
        if how in ('word', 'half'):
            step, form = (4, '>I') if how == 'word' else (2, '>H')
            if len(box[1]) < step: continue
            at = step*below(draw, len(box[1])//step)
            old, = struct.unpack_from(form, box[1], at)
            new = (old + draw(st.sampled_from([-1, 1, old])) if draw(st.booleans()) else draw(odd_ints)) % 256**step
            box[1] = box[1][:at] + struct.pack(form, new) + box[1][at + step:]
            done[-1] = f'{name}[{at}] {old} -> {new}'
        elif how == 'matrix' and name == 'tkhd':
            m = [draw(st.sampled_from([0, 0x10000, -0x10000, 0x40000000, 1, -1, 0x8000])) for _ in range(9)]
            box[1] = box[1][:40] + struct.pack('>9i', *m) + box[1][76:]
        elif how == 'table' and name in ('stts', 'ctts', 'stss', 'elst'): box[1] = _table(draw, name, n)
        elif how == 'drop': _remove(tree, box)
        elif how == 'double': tree.append(copy.deepcopy(box)) if box in tree else _double(tree, box)
        elif how == 'rename': box[0] = pick(draw, [b[0] for b in some])
        elif how == 'cut': box[1] = box[1][:below(draw, len(box[1]) + 1)]
    return pack(tree), done

def _remove(tree, box):
    for i, b in enumerate(tree):
        if b is box: return tree.pop(i)
        if isinstance(b[1], list): _remove(b[1], box)

def _double(tree, box):
    for b in tree:
        if isinstance(b[1], list):
            if any(c is box for c in b[1]): return b[1].append(copy.deepcopy(box))
            _double(b[1], box)

# --- Matroska ---

MASTERS = {0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675, 0xA0, 0x1C53BB6B, 0xBB, 0xB7, 0x1A45DFA3}

def elements(data, start=0, end=None):
    "List the leaves: (id, begin of its bytes, end)."
    end = len(data) if end is None else end
    out = []
    at = start
    while at < end:
        n = 9 - data[at].bit_length()
        name = int.from_bytes(data[at:at + n])
        at += n
        if at >= end or n > 4: break
        n = 9 - data[at].bit_length()
        size = int.from_bytes(data[at:at + n]) & ((1 << 7*n) - 1)
        unknown = size == (1 << 7*n) - 1
        at += n
        stop = end if unknown else min(at + size, end)
        if name in MASTERS: out += elements(data, at, stop)
        else: out.append((name, at, stop))
        at = stop
    return out

def edit_matroska(draw, data, most=2):
    "Change numbers in leaves, the stamps of blocks among them."
    data = bytearray(data)
    leaves = [l for l in elements(bytes(data)) if l[0] not in (0xEC, 0x4D80, 0x5741, 0x73A4, 0x114D9B74)]
    for _ in range(draw(st.integers(1, most))):
        name, a, b = pick(draw, leaves)
        if name in (0xA3, 0xA1):  # a block: track, stamp, flags
            data[a + 1:a + 3] = struct.pack('>h', draw(st.sampled_from([0, 1, -1, 33, 66, 32767, -32768])))
            if draw(st.booleans()): data[a + 3] ^= 0x80
        elif b > a:
            n = min(b - a, 8)
            data[a:a + n] = (draw(odd_ints) % 256**n).to_bytes(n)
    return bytes(data)

# --- png and tar ---

def edit_png(draw, data):
    "Change a number of the header or a chunk, with its checksum right again."
    chunks = []
    at = 8
    while at + 12 <= len(data):
        n, name = struct.unpack_from('>I4s', data, at)
        chunks.append([name, data[at + 8:at + 8 + n]])
        at += 12 + n
    how = pick(draw, ('header', 'header', 'drop', 'double', 'cut', 'text', 'frames'))
    c = chunks[0] if how == 'header' else pick(draw, chunks)
    if how == 'header':
        if draw(st.booleans()): c[1] = struct.pack('>II', draw(odd_ints) % 2**32, draw(odd_ints) % 2**32) + c[1][8:]
        else: c[1] = c[1][:8] + bytes(draw(st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16])) for _ in range(5))
    elif how == 'drop': chunks.remove(c)
    elif how == 'double': chunks.append(list(c))
    elif how == 'cut': c[1] = c[1][:below(draw, len(c[1]) + 1)]
    elif how == 'text':
        chunks.insert(1, [b'zTXt', b'k\0\0' + zlib.compress(bytes(draw(st.sampled_from([10, 10**6, 10**8]))))])
    else: chunks.insert(1, [b'acTL', struct.pack('>II', draw(odd_ints) % 2**32, 0)])
    one = lambda name, body: struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))
    return data[:8] + b''.join(one(*c) for c in chunks)

def edit_tar(draw, data, most=2):
    "Change fields of the headers of a tar, with the checksum right again."
    data = bytearray(data)
    heads = []
    at = 0
    while at + 512 <= len(data) and data[at]:
        heads.append(at)
        size = int(data[at + 124:at + 135].split(b'\0')[0] or b'0', 8)
        at += 512 + (size + 511)//512*512
    for _ in range(draw(st.integers(1, most))):
        if not heads: break
        h = pick(draw, heads)
        how = pick(draw, ('size', 'name', 'type', 'swap', 'sum'))
        if how == 'size': data[h + 124:h + 136] = b'%011o\0' % (draw(odd_ints) % 8**11)
        elif how == 'name': data[h:h + 100] = draw(odd_words).encode('utf-8', 'replace')[:99].ljust(100, b'\0')
        elif how == 'type': data[h + 156] = ord(pick(draw, '01234567xgLKS'))
        elif how == 'swap':
            o = pick(draw, heads)
            data[h:h + 100], data[o:o + 100] = data[o:o + 100], data[h:h + 100]
        if how != 'sum':
            data[h + 148:h + 156] = b' '*8
            data[h + 148:h + 156] = b'%06o\0 ' % sum(data[h:h + 512])
        else: data[h + 148] ^= 1
    return bytes(data)
