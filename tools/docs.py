"""The site: the notebooks as they are stored, a chapter for each room, the reference, a search that needs no server.

    python tools/docs.py                     lay out, build and check into _docs/html
    python tools/docs.py check               check what was built: links, anchors, nothing from a network
    python tools/docs.py search WORDS ...    what the site's own search finds, in a browser without a network
"""
import json, re, shutil, subprocess, sys, tempfile, time
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
import docs_api
from rooms import MAY, READING
from settings import settings

ROOT = Path(__file__).resolve().parents[1]
NBS = ROOT/'nbs'
OUT = ROOT/'_docs'
SOURCE, HTML = OUT/'source', OUT/'html'
REPO = f"{settings()['git_url']}/blob/{settings()['branch']}/"
ROOMS = dict(
    kernels='The weighted correlation: its definition, a fast form for CPUs, Triton kernels for GPUs.',
    layers='What networks are built from: convolutions, residual blocks, the correlation, shifts, attention, heads.',
    networks='The five systems, the files of weights that they can read, and the zoo that lists them all.',
    video='A file becomes frames, frames become a clip: decoding, sampling, crops, augmentation, optical flow.',
    datasets='Which videos there are, and what they show: lists, annotations, shards; checking and resizing them.',
    evaluate='How good and how expensive: metrics, several views of a video, parameters, MACs and memory.',
    recipes='The whole plan of an experiment as one value, the published ones, and checkpoints.',
    vis='Frames, class-activation maps, curves: draws what it is handed.',
    predict='A checkpoint becomes a network that predicts, without fastai.',
    bench='How long it takes: operators, networks, decoders, loaders, several processes.',
    train='Loaders, learner, runs and ablations; the only room that knows fastai.',
    cli='The commands.')
BEGIN = dict(tutorials='Learn by doing: from a folder of videos to a trained network, and past it.',
             explain='The words, how clips are sampled, what the papers say and where their code differs, many machines.')
LAST = dict(experiments='What was measured, and what was tried: costs, ablations, odd files, interrupted runs.')
SHARED = dict(shared='What every room uses: the vocabulary, what tests need, names of earlier versions.')
FLAG = re.compile(r'#\|\s*(\S+)\s*(.*)')
HIDE = {'hide', 'default_exp'}  # cells that are not shown
LINK = re.compile(r'(\]\()([^)\s]+)(\))')

# --- laying out ----------------------------------------------------------------------------------------------------

def notebooks(folder:Path) -> list: return sorted(p for p in folder.glob('*.ipynb'))

def read(path:Path) -> dict: return json.loads(path.read_text(encoding='utf-8'))

def source(cell) -> str: return ''.join(cell['source'])

def head(nb:dict) -> tuple:
    "(title, what the notebook is) from its first cell."
    title, _, rest = source(nb['cells'][0]).partition('\n')
    return title.lstrip('# '), ' '.join(l.lstrip('> ') for l in rest.strip().splitlines())

def link(target:str, path:Path) -> str:
    "A link of a page at `path`: to another page as it is, to a file that is no page where the repository shows it."
    place, _, heading = target.partition('#')
    # JupyterLab's anchors are headings with dashes, a page's are those of GitHub: small letters, no signs
    anchor = '#' + re.sub(r'[^\w-]', '', heading.lower()) if heading else ''
    if not place: return anchor
    if place.startswith(REPO): file = ROOT/place.removeprefix(REPO)
    elif re.match(r'[a-z]+:', place): return target
    else: file = (path.parent/place).resolve()
    if file == ROOT/'CONTRIBUTING.md': return '/contributing.md' + anchor
    if file.is_relative_to(NBS) and file.suffix == '.ipynb' and file.exists():
        return f'/{file.relative_to(NBS)}{anchor}'
    if not file.exists(): raise SystemExit(f'{path.relative_to(ROOT)}: ({target}) leads nowhere')
    return REPO + quote(str(file.relative_to(ROOT)))

@cache
def known() -> dict:
    "{name: where the reference has it} of the functions and classes that have a name of their own."
    places = {}
    for path in modules():
        for name in docs_api.objects(path): places.setdefault(name, []).append(docs_api.module_name(path))
    return {n: f'{where[0]}.{n}' for n, where in places.items() if len(where) == 1 and len(n) > 3}

def linked(text:str) -> str:
    "Text in which the first mention of a function or class, in backticks, leads to the reference."
    seen = set()
    def one(m):
        name = m[2]
        if m[1] or name in seen or name not in known(): return m[0]
        seen.add(name)
        return f'{{py:obj}}`{name} <{known()[name]}>`'
    # what is a fence, a heading, mathematics or a link stays as it is
    parts = re.split(r'(^```.*?^```|^#+ .*?$|\$\$.*?\$\$|\[[^\]]*\]\([^)]*\))', text, flags=re.M | re.S)
    return ''.join(p if i % 2 else re.sub(r'(`)?`([A-Za-z_]\w*)`(?!`)', one, p) for i, p in enumerate(parts))

def flags(cell) -> dict:
    "{flag: its value} of a code cell."
    return {m[1].rstrip(':'): m[2] for m in map(FLAG.match, source(cell).splitlines()) if m}

def shown(cell, path:Path) -> dict|None:
    "A cell as the site shows it; None: not at all."
    out = dict(cell_type=cell['cell_type'], id=cell['id'], metadata={}, source=source(cell))
    if cell['cell_type'] == 'markdown':
        text = LINK.sub(lambda m: m[1] + link(m[2], path) + m[3], out['source'])
        return out | dict(source=linked(text))
    said = flags(cell)
    if HIDE & set(said): return None
    code = '\n'.join(l for l in out['source'].splitlines() if not l.startswith('#|')).strip('\n')
    if not code and not cell['outputs']: return None
    tags = ['exported'] if 'export' in said else []
    tags += [f for f in ('slow', 'cuda', 'data') if f in said]
    if said.get('echo') == 'false' or 'hide_input' in said: tags.append('remove-input')
    elif cell['metadata'].get('jupyter', {}).get('source_hidden'): tags.append('hide-input')
    return out | dict(source=code, metadata=dict(tags=tags), outputs=cell['outputs'], execution_count=None)

def markdown(text:str, name:str) -> dict: return dict(cell_type='markdown', id=name, metadata={}, source=text)

def contents(entries, *, caption:str='', hidden:bool=True, depth:int=1) -> str:
    options = [f':caption: {caption}'] if caption else []
    options += [':hidden:'] if hidden else []
    return '\n'.join(['```{toctree}', f':maxdepth: {depth}', *options, '', *entries, '```'])

def write(path:Path, text:str, made:set):
    "Write a page where it differs from what is there, so that Sphinx reads again only what changed."
    made.add(path)
    if path.exists() and path.read_text(encoding='utf-8') == text: return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')

def page(path:Path) -> str:
    "A notebook as a page, as JSON."
    nb = read(path)
    cells = [c for c in (shown(c, path) for c in nb['cells']) if c]
    rel = path.relative_to(NBS)
    foot = [f'This page is the notebook [nbs/{rel}]({REPO}nbs/{quote(str(rel))}).']
    if module := module_of(nb):
        foot.append(f'Cells with a blue edge are the module `{module}`.')
        if (SOURCE/'api'/f'{module}.md').exists(): foot.append(f'Its parts, one by one: [reference](/api/{module}.md).')
    cells.append(markdown('---\n\n' + ' '.join(foot), 'foot'))
    if rel == Path('index.ipynb'): cells.append(markdown(all_contents(), 'contents'))
    return json.dumps(nb | dict(cells=cells), ensure_ascii=False, indent=1)

def module_of(nb:dict) -> str:
    for c in nb['cells']:
        if c['cell_type'] == 'code' and 'default_exp' in (f := flags(c)): return f'{docs_api.LIB}.{f["default_exp"]}'
    return ''

def modules() -> list:
    "The exported modules, in the order of their notebooks."
    paths = [p for p in (ROOT/docs_api.LIB).rglob('*.py') if docs_api.notebook(p.read_text(encoding='utf-8'))]
    return sorted(paths, key=lambda p: docs_api.notebook(p.read_text(encoding='utf-8')))

def all_contents() -> str:
    parts = [contents([f'{c}/index' for c in BEGIN], caption='Begin'),
             contents(['shared/index', *(f'{r}/index' for r in ROOMS)], caption='Rooms'),
             contents([f'{c}/index' for c in LAST], caption='Measured'),
             contents(['api/index', 'contributing'], caption='Look up')]
    return '\n\n'.join(parts)

def chapter(name:str, title:str, said:str, paths:list) -> str:
    "The page of a chapter: what it is, and its notebooks with a line each."
    rows = []
    for p in paths:
        what, line = head(read(p))
        rows.append(f'- [{what}](/{p.relative_to(NBS)}): {line}')
    toc = contents([f'/{p.relative_to(NBS).with_suffix("")}' for p in paths])
    return '\n'.join([f'# {title}', '', said, '', *rows, '', toc, ''])

def lay_out():
    "Write the pages into `_docs/source`."
    made = set()
    api = {r: [] for r in ('shared', *ROOMS)}
    for path in modules():
        name = docs_api.module_name(path)
        if text := docs_api.page(path):
            room = name.split('.')[1] if name.count('.') > 1 else 'shared'
            api[room].append(name)
            write(SOURCE/'api'/f'{name}.md', text, made)
    for path in NBS.rglob('*.ipynb'):
        if '.ipynb_checkpoints' not in path.parts: write(SOURCE/path.relative_to(NBS), page(path), made)
    for name, said in (BEGIN | LAST).items():
        title = dict(explain='Explained').get(name, name.capitalize())
        write(SOURCE/name/'index.md', chapter(name, title, said, notebooks(NBS/name)), made)
    top = [p for p in notebooks(NBS) if p.name != 'index.ipynb']
    write(SOURCE/'shared/index.md', chapter('shared', 'Shared', SHARED['shared'], top), made)
    for name, said in ROOMS.items():
        others = ', '.join(r for r in READING if r in MAY[name])
        said += f' Imports from: {others}. Reference: [{name}](/api/{name}.md).'
        write(SOURCE/name/'index.md', chapter(name, name, said, notebooks(NBS/name)), made)
    for room, names in api.items():
        rows = '\n'.join(f'- [{n}]({n}.md)' for n in names)
        write(SOURCE/'api'/f'{room}.md', f'# {room}\n\n{rows}\n\n{contents(names)}\n', made)
    said = 'Each function and class with its parameters, from the comments beside them in the notebooks.'
    write(SOURCE/'api/index.md', f'# Reference\n\n{said}\n\n{contents(api, hidden=False, depth=2)}\n', made)
    text = (ROOT/'CONTRIBUTING.md').read_text(encoding='utf-8')
    write(SOURCE/'contributing.md', LINK.sub(lambda m: m[1] + link(m[2], ROOT/'CONTRIBUTING.md') + m[3], text), made)
    for path in SOURCE.rglob('*'):
        if path.is_file() and path not in made: path.unlink()

def build() -> int:
    "Run Sphinx; every warning is an error."
    return subprocess.run([sys.executable, '-W', 'ignore', '-m', 'sphinx', '-b', 'html', '-j', 'auto', '-q', '-W',
                           '--keep-going', '-c', ROOT/'docs', '-d', OUT/'doctrees', SOURCE, HTML]).returncode

def preprocess() -> int:
    "Let nbdev prepare the notebooks for Quarto, the part of `nbdev_docs` that is Python; pages are written to `_proc`."
    code = 'from nbdev.serve import proc_nbs; proc_nbs(force=True)'
    run = [sys.executable, '-W', 'ignore', '-c', code]
    if subprocess.run(run, cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        print('nbdev cannot prepare the notebooks for Quarto')
        return 1
    # Quarto would take such a cell's line for options
    bad = [p for p in (ROOT/'_proc').rglob('*.ipynb')
           if any(re.fullmatch(r'#\|\s*default_exp .*', source(c).strip()) for c in read(p)['cells'])]
    for p in bad: print(f'{p.relative_to(ROOT/"_proc")}: the cell of `#| default_exp` needs a line `#| hide`')
    if not bad: print('nbdev prepares the notebooks for Quarto')
    return bool(bad)

# --- checking ------------------------------------------------------------------------------------------------------

class Page(HTMLParser):
    "The anchors of a page, where its links lead, and what it loads."
    def __init__(self, path:Path):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.ids |= {a[k] for k in ('id', 'name') if a.get(k)}
        if tag == 'a' and a.get('href'): self.links.append(a['href'])
        if tag == 'link' and a.get('rel') not in ('index', 'search', 'next', 'prev', 'canonical'):
            self.loads.append(a.get('href', ''))
        if tag in ('img', 'script', 'video', 'audio', 'source', 'iframe') and a.get('src'): self.loads.append(a['src'])

def faults(root:Path=HTML) -> list:
    "Sentences about links that lead nowhere, and about what a page would fetch from a network."
    root = root.resolve()
    pages = {p: Page(p) for p in sorted(root.rglob('*.html'))}
    bad = []
    for path, got in pages.items():
        where = path.relative_to(root)
        for url in (*got.links, *got.loads):
            parts = urlsplit(url)
            if parts.scheme in ('http', 'https') or url.startswith('//'):
                if url in got.loads: bad.append(f'{where} loads {url}')
                if url.startswith(REPO) and not (ROOT/unquote(url.removeprefix(REPO)).partition('#')[0]).exists():
                    bad.append(f'{where} leads to {url}, which the repository does not have')
            elif parts.scheme in ('data', 'mailto'): continue
            else:
                target = (path.parent/unquote(parts.path)).resolve() if parts.path else path
                if not target.is_file(): bad.append(f'{where}: {url} leads nowhere')
                elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                    bad.append(f'{where}: {url} has no such anchor')
    for css in root.rglob('*.css'):
        for url in re.findall(r'url\(["\']?([^)"\']+)', css.read_text(encoding='utf-8')):
            if url.startswith(('http', '//')): bad.append(f'{css.relative_to(root)} loads {url}')
            elif not url.startswith(('data:', '#')) and not (css.parent/re.split('[?#]', url)[0]).exists():
                bad.append(f'{css.relative_to(root)}: {url} leads nowhere')
    return sorted(set(bad))

def self_test() -> int:
    "Plant a fault of each kind in two small pages; each must be found, and what is right must not."
    planted = {'b.html#there': '', 'c.html': 'leads nowhere', 'b.html#not-there': 'no such anchor', '#top': '',
               f'{REPO}settings.ini': '', f'{REPO}no/such.file': 'the repository does not have',
               'https://arxiv.org/abs/1906.03349': ''}
    with tempfile.TemporaryDirectory() as tmp:
        links = ''.join(f'<a href="{url}">x</a>' for url in planted)
        loads = '<img src="https://example.org/a.png"><img src="data:image/png;base64,AA=="><img src="no.png">'
        Path(tmp, 'a.html').write_text(f'<h1 id="top">a</h1>{links}{loads}', encoding='utf-8')
        Path(tmp, 'b.html').write_text('<h1 id="there">b</h1>', encoding='utf-8')
        Path(tmp, 'a.css').write_text('@font-face { src: url(https://example.org/font.woff) }', encoding='utf-8')
        found = faults(Path(tmp))
    want = [v for v in planted.values() if v] + ['loads https://example.org/a.png', 'no.png', 'font.woff']
    missed = [w for w in want if not any(w in f for f in found)]
    if missed or len(found) != len(want): raise SystemExit(f'self-test: missed {missed}, found {found}')
    print(f'{len(found)} planted faults are found')
    return 0

def words() -> list:
    "The terms of the glossary, as the search's index has them."
    index = json.loads((HTML/'searchindex.js').read_text(encoding='utf-8').removeprefix('Search.setIndex(')[:-1])
    return sorted(w for w, places in index['indexentries'].items() for p in places if p[1].startswith('word-'))

def check() -> int:
    bad = faults()
    if not words(): bad.append('the search has no words of the glossary')
    print(*bad, sep='\n', end='\n' if bad else '')
    pages = len(list(HTML.rglob('*.html')))
    size = sum(p.stat().st_size for p in HTML.rglob('*') if p.is_file())
    print(f'{pages} pages, {size/1e6:.0f} MB, {len(words())} words in the glossary, {len(bad)} faults')
    return bool(bad)

# --- searching -----------------------------------------------------------------------------------------------------

BROWSERS = 'chromium', 'chromium-browser', 'google-chrome', 'chrome'

def browser() -> str:
    found = [p for p in map(shutil.which, BROWSERS) if p]
    if not found: raise SystemExit('search needs chromium: apt-get install chromium')
    return found[0]

def dom(url:str) -> str:
    "A page after its scripts have run, in a browser that reaches no network."
    run = [browser(), '--headless=new', '--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND',
           '--virtual-time-budget=8000', '--dump-dom', url]
    return subprocess.run(run, capture_output=True, text=True, timeout=60).stdout

def search(what:str) -> list:
    "[(title, address)] of what the site's search finds for some words, best first."
    html = dom(f'file://{HTML/"search.html"}?q={quote(what)}')
    _, _, found = html.partition('<div id="search-results">')
    items = re.findall(r'<li class="kind-[^>]*><a href="([^"]+)"[^>]*>(.*?)</a>', found, re.S)
    return [(re.sub(r'<[^>]+>', '', t), re.sub(r'\?[^#]*', '', h)) for h, t in items]

def main(argv) -> int:
    verb, *given = argv or ['build']
    if verb == 'search':
        for what in given:
            found = search(what)
            print(f'{what}: {len(found)} found', *(f'    {t}  {h}' for t, h in found[:3]), sep='\n')
        return 0
    if verb == 'check': return self_test() or check()
    if verb != 'build':
        print(__doc__)
        return 2
    began = time.perf_counter()
    lay_out()
    status = build()
    if not status: status = self_test() or check() or preprocess()
    print(f'{time.perf_counter() - began:.0f} s; open {HTML.relative_to(ROOT)}/index.html')
    return status

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
