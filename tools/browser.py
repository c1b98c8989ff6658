"""Open notebooks in JupyterLab in a real browser, run them there, and look at what a reader sees.

    python tools/browser.py [NB...]   without names: the tutorials and how clips are sampled

JupyterLab is started as `make lab` does, over a copy of the notebooks. The first page leads to the quickstart by a
click; a wrong folder gives a sentence, and `video_learner?` the parameters. Then each notebook is opened and run by the
menu, without its cells flagged slow, cuda or data. Nothing may be wrong: no error in an output or in the browser's
console, no warning but the library's advice (`UserWarning`), every picture drawn, every player playing, every formula
set, every link inside the project leading somewhere, cells folded that are stored folded. A page with one fault of each
kind is opened too, and all must be found. A report of two runs is opened from the disk without a network, light and
wide as well as dark and narrow: nothing is loaded, nothing scrolls sideways, players play. Pictures of the pages go to
`runs/browser`. Without Chromium or the package playwright nothing is tested, and that is said.
"""
import contextlib, json, os, re, secrets, shutil, socket, subprocess, sys, tempfile, time
from pathlib import Path
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen
import lab, nbformat

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT/'runs'/'browser'
NOTEBOOKS = [*(f'tutorials/{p.stem}' for p in sorted((ROOT/'nbs'/'tutorials').glob('*.ipynb'))), 'explain/01_sampling']
SHARED = ('README.md', 'CONTRIBUTING.md', 'LICENSE', 'results', 'tests', 'tools')  # what notebooks read or link to
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
MANNERS = ("from corrnet_lib.all import *", "video_learner?", "recipes['corrnet_tiny_motion']",
           "video_loaders('no-such-folder', recipes['corrnet_tiny_motion'])")  # cells of a notebook of its own
PLANTS = (  # (cell, what must be said of it)
    ('[a page](gone.ipynb)', 'broken link: /files/nbs/gone.ipynb'),
    ('[a heading](#Gone)', '#Gone'),
    ('![a picture](gone.png)', 'no picture'),
    (r'$\gone$', 'formula'),
    ("print('gone', file=__import__('sys').stderr)", 'stderr'),
    ("from IPython.display import HTML, Javascript\nHTML('<video src=\"data:video/mp4;base64,AAAA\"></video>')",
     'stands still'),
    ("Javascript('console.error(\"gone\")')", 'console: gone'),
    ('1/0', 'ZeroDivisionError'))
REPORT = """
import shutil, sys
from pathlib import Path
from corrnet_lib.predict.report import report
from corrnet_lib.predict.results import write_results
from corrnet_lib.predict.test import test_checkpoint
tmp, pins = map(Path, sys.argv[1:])
shutil.copytree(pins/'run', tmp/'run')
scores, recipe, *_ = test_checkpoint(tmp/'run', pins/'data', device='cpu')
write_results(tmp/'run', scores, recipe, 'validation', device='cpu', weights='checkpoint.pth')
shutil.copytree(pins/'run', tmp/'older')
report([tmp/'run', tmp/'older'], tmp/'report.html', players=2, stage='res3', device='cpu')
"""  # a run with its results, and one of an older version without
LOOKS = (('light', 1200), ('dark', 375))  # theme and width in which the report is opened
FLAG = re.compile(r'^#\|\s*(slow|cuda|data)\b', re.M)
SECONDS = 150  # for one notebook
TALLEST = 16_000  # pixels of a picture, which Chromium can draw in one piece
SETTINGS = {  # of JupyterLab: no questions, nothing from the network
    '@jupyterlab/apputils-extension:notification': {'fetchNews': 'false', 'checkForUpdates': False},
    '@jupyterlab/docmanager-extension:plugin': {'autosave': False},
}

# ---- JupyterLab ----

def without_flagged(path:Path):
    "Leave out the cells that need time, a GPU or real videos."
    nb = json.loads(path.read_text(encoding='utf-8'))
    nb['cells'] = [c for c in nb['cells'] if c['cell_type'] != 'code' or not FLAG.search(''.join(c['source']))]
    path.write_text(json.dumps(nb), encoding='utf-8')

def write_notebook(path:Path, sources):
    "Write cells as a notebook: those that begin as a link, a picture or a formula are text."
    new = nbformat.v4
    cells = [new.new_markdown_cell(s) if s[0] in '[!$' else new.new_code_cell(s) for s in sources]
    kernel = dict(name='python3', display_name='Python 3')
    nbformat.write(new.new_notebook(cells=cells, metadata=dict(kernelspec=kernel)), path)

def copy_project(folder:Path, names):
    "Make a checkout whose notebooks may be changed; everything else is that of this one."
    folder.mkdir()
    shutil.copytree(ROOT/'nbs', folder/'nbs', ignore=shutil.ignore_patterns('.ipynb_checkpoints'))
    for n in SHARED: (folder/n).symlink_to(ROOT/n)
    for n in names: without_flagged(folder/'nbs'/f'{n}.ipynb')
    lab.write_start(folder)
    write_notebook(folder/'work'/'manners.ipynb', MANNERS)
    write_notebook(folder/'nbs'/'plants.ipynb', [cell for cell, _ in PLANTS])

def free_port() -> int:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

def answers(url:str) -> bool:
    "Whether a server answers there."
    try:
        with urlopen(url, timeout=5): return True
    except (URLError, OSError): return False

@contextlib.contextmanager
def jupyter_lab(folder:Path):
    "Serve a folder in JupyterLab, with settings of its own; gives address and token."
    port = free_port()
    token = secrets.token_hex(16)
    (folder/'settings').mkdir()
    (folder/'settings'/'overrides.json').write_text(json.dumps(SETTINGS))
    own = {k: str(folder/k.lower()) for k in ('JUPYTER_CONFIG_DIR', 'JUPYTER_DATA_DIR', 'JUPYTER_RUNTIME_DIR')}
    env = (os.environ | own
           | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1',
                  JUPYTERLAB_WORKSPACES_DIR=str(folder/'workspaces'), JUPYTERLAB_SETTINGS_DIR=str(folder/'user')))
    options = dict(ip='127.0.0.1', port=port, open_browser=False, allow_root=True)
    flags = lab.options(folder/'root') + [f'--ServerApp.{k}={v}' for k, v in options.items()]
    flags += [f'--IdentityProvider.token={token}', f'--LabApp.app_settings_dir={folder/"settings"}',
              '--LabApp.expose_app_in_browser=True', '--LabApp.extension_manager=readonly']
    with open(OUT/'jupyter.log', 'w') as log:
        server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', *flags], env=env, stdout=log, stderr=log)
    try:
        base = f'http://127.0.0.1:{port}'
        end = time.monotonic() + 60
        while not answers(f'{base}/api?token={token}'):
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f'JupyterLab did not start; {OUT/"jupyter.log"} says why')
            time.sleep(.2)
        yield base, token
    finally:
        server.terminate()
        try: server.wait(20)
        except subprocess.TimeoutExpired: server.kill()

# ---- what a reader sees ----

# in the page: is the notebook at rest, and what its cells gave
STATE = """() => {
    const panel = window.jupyterapp.shell.currentWidget, nb = panel.content.model.toJSON()
    const code = nb.cells.filter(c => c.cell_type == 'code')
    return {status: panel.sessionContext.session?.kernel?.status, cells: code.length,
            done: code.filter(c => c.execution_count || !c.source.trim()).length,
            outputs: code.flatMap(c => c.outputs.map(o => ({id: c.id, ...o, data: undefined,
                kinds: Object.keys(o.data || {}), html: o.data?.['text/html'] || ''}))),
            hidden: code.filter(c => c.metadata.jupyter?.source_hidden).length}
}"""
# in the page: pictures, players, formulas, links and folded cells of the notebook that is shown
SEEN = """async () => {
    const panel = window.jupyterapp.shell.currentWidget.node, all = (q) => [...panel.querySelectorAll(q)]
    const wait = (ms) => new Promise(r => setTimeout(r, ms))
    const film = async (v) => {
        v.muted = true
        const before = v.currentTime
        const said = await v.play().then(() => '', e => String(e))
        for (let i = 0; i < 40 && v.currentTime == before; i++) await wait(50)
        return {said, error: v.error?.message || '', ready: v.readyState, moved: v.currentTime != before,
                size: [v.videoWidth, v.videoHeight]}
    }
    const films = []
    for (const v of all('.jp-OutputArea video')) films.push(await film(v))
    return {films, images: all('img').map(i => ({src: i.src.slice(0, 80), ok: i.complete && i.naturalWidth > 0})),
            formulas: all('mjx-container').length,
            bad_formulas: all('mjx-merror, mjx-container [style*="red"]').map(e => e.outerHTML.slice(0, 200)),
            folded: all('.jp-CodeCell .jp-InputPlaceholder').length,
            links: all('.jp-RenderedMarkdown a[href]:not(.jp-InternalAnchorLink)').map(a => a.href),
            anchors: all('[data-jupyter-id], [id]').map(e => e.dataset.jupyterId || e.id),
            height: panel.querySelector('.jp-WindowedPanel-inner').scrollHeight}
}"""

# in the report: what is drawn, whether it scrolls sideways, and whether a player plays
SEEN_REPORT = """async () => {
    const wait = (ms) => new Promise(r => setTimeout(r, ms)), films = [...document.querySelectorAll('.film')]
    for (let i = 0; i < 60 && films.some(f => !f.querySelector('canvas').dataset.frame); i++) await wait(50)
    const seen = []
    for (const film of films) {
        const canvas = film.querySelector('canvas'), frames = new Set()
        film.querySelector('button').click()
        for (let i = 0; i < 60 && frames.size < 3; i++) { frames.add(canvas.dataset.frame); await wait(50) }
        film.querySelector('button').click()
        const dots = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
        seen.push({moved: frames.size > 2, colours: new Set(dots).size, width: canvas.clientWidth})
    }
    const loud = [...document.querySelectorAll('[role=img], img:not([alt])')].filter(e => !e.getAttribute('aria-label'))
    return {films: seen, svgs: document.querySelectorAll('svg').length, silent: loud.length,
            sideways: document.documentElement.scrollWidth - window.innerWidth,
            page: getComputedStyle(document.body).backgroundColor}
}"""

class Page:
    "A browser's page, and what went wrong in it."
    def __init__(self, context):
        self.page = context.new_page()
        self.faults = []
        self.page.on('pageerror', lambda e: self.faults.append(f'error of a script: {e}'))
        self.page.on('console', lambda m: m.type == 'error' and self.faults.append(f'console: {m.text} {m.location}'))
        self.page.on('requestfailed', lambda r: self.faults.append(f'request failed: {r.url[:120]} {r.failure}'))
        self.page.on('response', lambda r: r.status >= 400 and self.faults.append(f'{r.status}: {r.url[:120]}'))
    def open(self, url:str):
        "Open a notebook, and wait for its kernel."
        self.page.goto(url)
        self.page.wait_for_selector('.jp-NotebookPanel .jp-Cell', timeout=SECONDS*1000)
        self.wait_until('the kernel', SECONDS, lambda s: s['status'] == 'idle')
    def run(self) -> dict:
        "Run all cells by the menu; gives what they said."
        self.menu('Run', 'Run All Cells')
        return self.wait_until('running', SECONDS, has_run)
    def menu(self, *names):
        "Choose from JupyterLab's menu as a reader does."
        bar, *rest = names
        self.page.click(f'#jp-MainMenu .lm-MenuBar-item:has-text("{bar}")')
        for name in rest: self.page.click(f'.lm-Menu-item:has(.lm-Menu-itemLabel:text-is("{name}"))')

    def wait_until(self, what:str, seconds:float, ready) -> dict:
        "Look at the notebook until `ready(state)`; gives the state. Raises `TimeoutError`."
        end = time.monotonic() + seconds
        while not ready(state := self.page.evaluate(STATE)):
            if time.monotonic() > end:
                raise TimeoutError(f'{what} took more than {seconds:.0f} s: {state["done"]} of {state["cells"]} cells')
            time.sleep(.25)
        return state
    def link_faults(self, links:list, anchors:list) -> list:
        "Name the links of this project that lead nowhere; those to other sites are not followed."
        said = []
        for url in sorted(set(links)):
            address, _, anchor = url.partition('#')
            if urlsplit(address).netloc != urlsplit(self.page.url).netloc: continue
            if '/files/' not in address: bad = unquote(anchor) not in anchors
            else: bad = not self.page.request.get(address).ok
            if bad: said.append(f'broken link: {urlsplit(url).path}{"#"*bool(anchor)}{anchor}')
        return said
    def picture(self, name:str, height:int):
        "Store what is seen, from top to bottom."
        self.page.set_viewport_size(dict(width=1300, height=min(TALLEST, height + 120)))
        self.page.evaluate("document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer').scrollTop = 0")
        self.page.wait_for_timeout(800)
        self.page.screenshot(path=OUT/f'{name.replace("/", "-")}.png')

def is_advice(text:str) -> bool:
    "Whether text on stderr is what the library says to its user, `UserWarning`, and nothing else."
    return set(re.findall(r'\b(\w*Warning): ', text)) == {'UserWarning'}

def output_faults(state:dict) -> list:
    "Name what the cells said that they should not have."
    said = []
    for o in state['outputs']:
        if o['output_type'] == 'error': said.append(f'cell {o["id"]}: {o["ename"]}: {o["evalue"]}')
        if o.get('name') == 'stderr' and not is_advice(o['text']):
            said.append(f'cell {o["id"]} writes to stderr: {o["text"][:200]}')
    return said

def seen_faults(seen:dict, state:dict) -> list:
    "Name what is not as a reader should see it."
    said = [f'no picture: {i["src"]}' for i in seen['images'] if not i['ok']]
    said += [f'formula: {f}' for f in seen['bad_formulas']]
    films = sum(o['html'].count('<video') for o in state['outputs'])
    if len(seen['films']) != films: said.append(f'{len(seen["films"])} players of {films} are there')
    said += [f'a player stands still: {f}' for f in seen['films'] if not f['moved']]
    if seen['folded'] != state['hidden']: said.append(f'{seen["folded"]} cells of {state["hidden"]} are folded')
    return said

def has_run(state:dict) -> bool:
    "Whether all cells have run, or one has failed, after which none is run."
    failed = any(o['output_type'] == 'error' for o in state['outputs'])
    return state['status'] == 'idle' and (failed or state['done'] == state['cells'])

@contextlib.contextmanager
def a_page(context, name:str, faults:list):
    "Give a page; what goes wrong in it is added to `faults` under a name."
    p = Page(context)
    try: yield p
    except Exception as e: p.faults.append(f'{type(e).__name__}: {str(e).splitlines()[0]}')
    finally: p.page.close()
    faults += [f'{name}: {f}' for f in p.faults]

def try_start(context, base:str, faults:list):
    "Begin where `make lab` does, and go to the quickstart by its link."
    with a_page(context, 'start', faults) as p:
        p.page.goto(f'{base}/')  # JupyterLab leads on to the page that it begins with
        p.page.click('.jp-RenderedMarkdown a:has-text("Quickstart")', timeout=SECONDS*1000)
        p.page.wait_for_selector('.jp-RenderedMarkdown h1:text("Quickstart")', timeout=SECONDS*1000)
        p.page.screenshot(path=OUT/'start.png')

def try_manners(context, base:str, faults:list):
    "Ask for help, look at a recipe, and give a folder that is not there."
    with a_page(context, 'manners', faults) as p:
        p.open(f'{base}/lab/tree/work/manners.ipynb?reset')
        said = p.run()['outputs'][-1]
        lines = '\n'.join(said.get('traceback', ())).splitlines()
        if not 1 <= len(lines) <= 3: p.faults.append(f'a wrong folder gives {len(lines)} lines')
        text = p.page.inner_text('.jp-Notebook')
        for word in ('new_head:bool=False: with `init`', 'no-such-folder: there is no such folder'):
            if word not in text: p.faults.append(f'{word!r} is not to be seen')
        if not p.page.query_selector('.jp-OutputArea table'): p.faults.append('a recipe shows no table')
        p.page.screenshot(path=OUT/'manners.png')

def try_plants(context, base:str, faults:list):
    "Look at a page with one fault of each kind."
    found = []
    try_notebook(context, base, 'plants', found)
    faults += [f'not found: {said} of {cell}' for cell, said in PLANTS if not any(said in f for f in found)]

def try_notebook(context, base:str, name:str, faults:list):
    "Open a notebook, run it, look at it."
    begin = time.monotonic()
    with a_page(context, name, faults) as p:
        p.open(f'{base}/lab/tree/nbs/{name}.ipynb?reset')
        state = p.run()
        seen = p.page.evaluate(SEEN)
        p.picture(name, seen['height'])
        p.faults += output_faults(state) + seen_faults(seen, state) + p.link_faults(seen['links'], seen['anchors'])
        p.menu('Kernel', 'Shut Down Kernel')
        print(f'{name}: {state["cells"]} cells, {len(seen["images"])} pictures, {len(seen["films"])} players, '
              f'{seen["formulas"]} formulas, {len(set(seen["links"]))} links, {seen["folded"]} folded, '
              f'{time.monotonic() - begin:.0f} s', flush=True)

def try_report(browser, folder:Path, faults:list):
    "Write a report of two runs, and open it from the disk without a network."
    begin = time.monotonic()
    (folder/'reports').mkdir()
    env = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    write = [sys.executable, '-W', 'ignore', '-c', REPORT, folder/'reports', ROOT/'tests'/'pins']
    done = subprocess.run(write, env=env, capture_output=True, text=True)
    if done.returncode: return faults.append(f'report: {done.stderr.strip().splitlines()[-1]}')
    file = folder/'reports'/'report.html'
    seen = {theme: look_at_report(browser, file, theme, width, faults) for theme, width in LOOKS}
    pages = {s['page'] for s in seen.values() if s}
    if len(pages) < 2: faults.append(f'report: the page is {pages} in both themes')
    print(f'report: {seen["light"]}, {time.monotonic() - begin:.0f} s', flush=True)

def look_at_report(browser, file:Path, theme:str, width:int, faults:list) -> dict:
    "Open a report as it is read; gives what was seen."
    context = browser.new_context(offline=True, color_scheme=theme, viewport=dict(width=width, height=900))
    seen = {}
    with a_page(context, f'report ({theme}, {width} pixels)', faults) as p:
        p.page.goto(file.as_uri())
        seen = p.page.evaluate(SEEN_REPORT)
        if len(seen['films']) != 2: p.faults.append(f'{len(seen["films"])} players of 2 are there')
        p.faults += [f'a player stands still or is empty: {f}' for f in seen['films']
                     if not f['moved'] or f['colours'] < 20 or f['width'] < 200]
        if seen['svgs'] < 4: p.faults.append(f'{seen["svgs"]} figures, there should be 4')
        if seen['silent']: p.faults.append(f'{seen["silent"]} pictures say nothing to those who cannot see them')
        if seen['sideways'] > 0: p.faults.append(f'it scrolls sideways by {seen["sideways"]} pixels')
        p.page.screenshot(path=OUT/f'report-{theme}-{width}.png', full_page=True)
        before = len(p.faults)
        p.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/'}))")
        p.page.wait_for_timeout(200)
        if not any('Content Security Policy' in f for f in p.faults[before:]):
            p.faults.append('a picture from elsewhere is not refused')
        else: del p.faults[before:]
    context.close()
    return seen

def missing() -> str:
    "Say what is not there to test with; '' where all is."
    if not any(map(shutil.which, BROWSERS)): return f'no browser ({", ".join(BROWSERS)})'
    try: import playwright.sync_api
    except ImportError: return 'no package playwright'
    return ''

def main(argv) -> int:
    if said := missing():
        print(f'skipped: test-browser ({said})')
        return 0
    from playwright.sync_api import sync_playwright
    names = [Path(n).resolve().relative_to(ROOT/'nbs').with_suffix('').as_posix() for n in argv] or NOTEBOOKS
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        copy_project(folder/'root', names)
        with jupyter_lab(folder) as (base, token), sync_playwright() as pw:
            browser = pw.chromium.launch(executable_path=next(filter(None, map(shutil.which, BROWSERS))),
                                         args=['--no-sandbox', '--disable-gpu'])
            context = browser.new_context(viewport=dict(width=1300, height=900),
                                          extra_http_headers=dict(Authorization=f'token {token}'))
            faults = []
            try_start(context, base, faults)
            try_manners(context, base, faults)
            try_plants(context, base, faults)
            for n in names: try_notebook(context, base, n, faults)
            if not argv: try_report(browser, folder, faults)
            browser.close()
    print(*faults, sep='\n', end='\n' if faults else '')
    print(f'{len(names)} notebooks in JupyterLab, {len(faults)} faults; pictures in {OUT.relative_to(ROOT)}')
    return bool(faults)

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
