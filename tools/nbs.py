"""Run notebooks and keep their stored outputs clean.

    python tools/nbs.py run NB...      run each from top to bottom and store what it shows, figures in 128 colours
    python tools/nbs.py clean [NB...]  remove counts, metadata, warnings and progress bars
    python tools/nbs.py check [NB...]  fail where a notebook is not clean

Cells flagged `slow`, `cuda` or `data` are run where SLOW=1, a GPU, or CORRNET_CLIPS is there, and keep their stored
outputs elsewhere. A cell whose source is folded (`jupyter.source_hidden`) stays so; in the tutorials those flagged
`hide` are folded: they hold imports and tests, and a reader can open them.
"""
import base64, io, os, re, sys
from pathlib import Path
import nbformat

ROOT = Path(__file__).resolve().parents[1]
METADATA = {'kernelspec': {'display_name': 'python3', 'language': 'python', 'name': 'python3'}}
FOLDED = {'jupyter': {'source_hidden': True}}  # of a cell
HIDE = re.compile(r'#\|\s*hide\b')
FLAG = re.compile(r'^#\|\s*(slow|cuda|data)\b', re.M)
PLACES = re.compile(r'(/home/|/root/|/work/|/Users/|/tmp/|site-packages|[A-Z]:\\\\Users)')
BAR = re.compile(r'\d+%\|.*it/s|\r|class="progress|<progress|^\s*<style>\s*progress', re.M)
MOST, FIGURE = 500_000, 140_000  # bytes: a notebook, and a base64 figure (100 KB)

def has(flag):
    if flag == 'slow': return os.environ.get('SLOW') == '1'
    if flag == 'data': return 'CORRNET_CLIPS' in os.environ
    import torch
    return torch.cuda.is_available()

def said(o):
    "The text of an output."
    if o['output_type'] == 'stream': return o['text']
    if o['output_type'] == 'error': return '\n'.join(o['traceback'])
    return '\n'.join(v for k, v in o['data'].items() if k.startswith('text/'))

def is_empty(o):
    "Tell whether an output is the page that a finished progress bar leaves."
    return o['output_type'] == 'display_data' and o['data'].get('text/html', 'something') == ''

def merged(outputs):
    "Printed text in one piece, however many the kernel sent it in."
    out = []
    for o in outputs:
        if out and o['output_type'] == 'stream' and out[-1]['output_type'] == 'stream' and out[-1]['name'] == o['name']:
            out[-1]['text'] += o['text']
        else: out.append(o)
    return out

def clean(nb, tutorial=False):
    nb.metadata = nbformat.from_dict(METADATA)
    for c in nb.cells:
        code = c.cell_type == 'code'
        folded = code and (c.metadata.get('jupyter', {}).get('source_hidden') or tutorial and HIDE.match(c.source))
        c.metadata = nbformat.from_dict(FOLDED if folded else {})
        if c.cell_type != 'code': continue
        c.execution_count = None
        c.outputs = [o for o in c.outputs if not (o.get('name') == 'stderr' or BAR.search(said(o)) or is_empty(o))]
        c.outputs = merged(c.outputs)
        for o in c.outputs:
            if 'execution_count' in o: o.execution_count = None
            if 'metadata' in o: o.metadata = nbformat.from_dict({})
            if o.output_type == 'stream': o.text = re.sub(r'\x1b\[[0-9;]*m', '', o.text)
    return nb

def is_tutorial(path): return path.parent.name == 'tutorials'

def reduced(png):
    "A base64 figure in 128 colours, where that is smaller."
    from PIL import Image
    b = io.BytesIO()
    figure = Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')
    figure.quantize(128, dither=Image.Dither.NONE).save(b, 'PNG', optimize=True)
    return min(base64.b64encode(b.getvalue()).decode(), png.replace('\n', ''), key=len)

def reduce_figures(nb):
    for c in nb.cells:
        for o in c.get('outputs', ()):
            if 'image/png' in o.get('data', {}): o.data['image/png'] = reduced(o.data['image/png'])

def write(nb, path):
    path.write_text(nbformat.writes(nb, version=nbformat.NO_CONVERT, indent=1, sort_keys=True,
                                    ensure_ascii=False).rstrip('\n') + '\n', encoding='utf-8')

def run(path):
    from nbclient import NotebookClient
    nb = nbformat.read(path, nbformat.NO_CONVERT)
    kept = {}
    os.environ['PYTHONWARNINGS'] = 'ignore'
    # this checkout's package
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
    for c in nb.cells:
        flags = FLAG.findall(c.source) if c.cell_type == 'code' else ()
        if not all(map(has, flags)):
            kept[c.id] = (c.source, c.outputs)
            c.source = 'pass'
            c.outputs = []
    NotebookClient(nb, timeout=1200, startup_timeout=300, kernel_name='python3', extra_arguments=['--log-level=ERROR'],
                   resources={'metadata': {'path': str(path.parent)}}).execute()
    reduce_figures(nb)
    for c in nb.cells:
        if c.id in kept: c.source, c.outputs = kept[c.id]
    write(clean(nb, is_tutorial(path)), path)

def faults(path):
    text = path.read_text(encoding='utf-8')
    nb = nbformat.reads(text, nbformat.NO_CONVERT)
    for c in nb.cells:
        if c.cell_type != 'code': continue
        for o in c.outputs:
            if m := PLACES.search(said(o)): yield f'cell {c.id} shows a path of a machine ({m[0]})'
            if 'Warning:' in said(o): yield f'cell {c.id} shows a warning'
            if o['output_type'] == 'error': yield f'cell {c.id} shows an error'
            if any(len(v) > FIGURE for k, v in o.get('data', {}).items() if k.startswith('image/')):
                yield f'cell {c.id} has a figure over 100 KB'
    if len(text) > MOST: yield f'{len(text)//1000} KB, over {MOST//1000}'
    before = nbformat.reads(text, nbformat.NO_CONVERT)
    if clean(nb, is_tutorial(path)) != before: yield 'has counts, metadata, warnings or progress bars (make clean)'
    if not nb.cells or not re.match(r'# .+\n+> .+', nb.cells[0].source):
        yield 'does not begin with a title and a line that says what it is'

def main(argv):
    verb, *given = argv or ['']
    paths = ([Path(p) for p in given]
             or sorted(p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts))
    if verb == 'run':
        for p in paths:
            run(p)
            print(f'ran {p}')
        verb = 'check'
    if verb == 'clean':
        for p in paths: write(clean(nbformat.read(p, nbformat.NO_CONVERT), is_tutorial(p)), p)
        verb = 'check'
    if verb != 'check':
        print(__doc__)
        return 2
    bad = [f'{p}: {f}' for p in paths for f in faults(p)]
    print(*(bad or [f'{len(paths)} notebooks are clean']), sep='\n')
    return bool(bad)

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
