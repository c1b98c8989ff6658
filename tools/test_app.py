"""Use the page of `corrnet_app`, and `explore` in JupyterLab, as somebody in front of a browser does.

    python tools/test_app.py page      with Gradio: videos are dropped, chosen, recorded; broken, large, two at once
    python tools/test_app.py explore   with ipywidgets: the controls in JupyterLab, in a light and a dark theme

The page must answer, play the map in step with the clip, say in a sentence what it cannot read, forget the videos,
ask nothing of another machine, and tell nobody where files lie. Pictures go to `runs/app`. Where Chromium, playwright,
Gradio or ipywidgets is missing nothing is tested, and that is said.
"""
import contextlib, http.client, importlib.util, json, os, re, signal, subprocess, sys, tempfile, time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/'tools')]
import browser

OUT = ROOT/'runs'/'app'
browser.OUT = OUT  # JupyterLab's log
PINS = ROOT/'tests'/'pins'
SECONDS = 400  # for one answer, also on a busy machine
MOMENT = 'number input for moment, seconds'
SIZES = (1200, 390)  # pixels: a screen and a phone
# the command in a process without fastai, which writes down where it connects to
SERVER = '''import socket, sys
sys.modules['fastai'] = sys.modules['fastcore'] = None
plain = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ('127.0.0.1', '::1', 'localhost'):
        with open({seen!r}, 'a') as f: print(address, file=f)
    return plain(self, address)
socket.socket.connect = connect
from corrnet_lib.cli.app import main
sys.exit(main({argv!r}))'''

def ends_well(faults:list, what:str, test):
    "Run a test; what goes wrong is added to `faults`."
    begin = time.monotonic()
    n = len(faults)
    try: test()
    except Exception as e: faults.append(f'{what}: {type(e).__name__}: {str(e).strip()[:600]}')
    print(f'{what}: {time.monotonic() - begin:.0f} s', *faults[n:], flush=True)

def check(ok, said:str):
    if not ok: raise AssertionError(said)

def wait_for(what:str, ready, seconds:float=SECONDS):
    "Wait until `ready()`; gives what it gives."
    end = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > end: raise TimeoutError(f'{what}: not within {seconds:.0f} s')
        time.sleep(.1)
    return found

# ---- the server ----

class Server:
    "A page of `corrnet_app` in a process of its own."
    def __init__(self, folder:Path, checkpoint, *argv):
        self.folder = folder
        folder.mkdir()
        argv = [str(checkpoint), '--port', '0', '--device', 'cpu', *map(str, argv)]
        code = SERVER.format(seen=str(folder/'connected'), argv=argv)
        env = os.environ | dict(PYTHONPATH=str(ROOT), TMPDIR=str(folder), OMP_NUM_THREADS='1')
        self.log = open(folder/'log', 'w')
        self.process = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', code], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=env)
        said = self.process.stdout.readline()
        check('http' in said, f'the server did not start: {(folder/"log").read_text()[-800:]}')
        self.base = said.split()[-1]
    def videos(self) -> list: return [p for d in self.folder.glob('corrnet_app_*') for p in d.iterdir()]
    def close(self) -> list:
        "End it; gives what it did that it should not have done."
        self.process.send_signal(signal.SIGINT)
        try: self.process.wait(120)
        except subprocess.TimeoutExpired: self.process.kill()
        self.log.close()
        seen = self.folder/'connected'
        said = [f'the server connects to {l}' for l in seen.read_text().splitlines()] if seen.exists() else []
        said += [f'{d.name} is left behind' for d in self.folder.glob('corrnet_app_*')]
        log = (self.folder/'log').read_text()
        return said + ([f'the server says: {log[-600:]}'] if 'Traceback' in log else [])

# in the page, before its own scripts: keep each answer to a script
TELL = '''window.told = []
const plain = window.fetch
window.fetch = async (...what) => {
    const answer = await plain(...what)
    answer.clone().text().then(text => window.told.push([answer.url, text]), () => {})
    return answer
}'''

class AppPage:
    "The page in a browser, and all that went over the wire."
    def __init__(self, context, server:Server):
        self.server = server
        self.page = context.new_page()
        self.texts = []  # (address, answer)
        self.faults = []
        self.page.on('pageerror', lambda e: self.faults.append(f'error of a script: {e}'))
        self.page.on('console', lambda m: m.type == 'error' and self.faults.append(f'console: {m.text}'))
        self.page.on('request', self._see_request)
        self.page.add_init_script(TELL)
        self.page.goto(server.base)
        self.page.wait_for_selector('.drop', timeout=SECONDS*1000)
    def _see_request(self, r):
        where = urlsplit(r.url)
        if where.scheme not in ('data', 'blob') and where.hostname != '127.0.0.1':
            self.faults.append(f'a request leaves the machine: {r.url[:120]}')
    def give(self, path):
        self.read()
        self.page.set_input_files('.drop input', str(path))
    def read(self): self.texts += self.page.evaluate('window.told.splice(0)')
    def text(self, part:str) -> str: return self.page.inner_text(f'#{part}')
    def answered(self) -> bool:
        return '%' in self.text('bars') and self.page.query_selector('#curves svg') is not None
    def end(self) -> str: return self.page.get_by_label(MOMENT).get_attribute('max')  # of the video, seconds
    def sentence(self) -> str:
        "Wait for a sentence about something that went wrong."
        found = lambda: [t for a in self.page.query_selector_all('[role=alert]') if (t := a.inner_text().strip())
                         and t != 'sending ...']
        return wait_for('a sentence', found)[0]
    def choose(self, label:str, option:str):
        "Choose from a list as a user does."
        self.page.get_by_label(label).click()
        self.page.get_by_role('option', name=option, exact=True).click()
    def picture(self, name:str):
        "Store the page on a screen and on a phone, light and dark."
        for scheme in ('light', 'dark'):
            self.page.emulate_media(color_scheme=scheme)
            for width in SIZES:
                self.page.set_viewport_size(dict(width=width, height=900))
                # what is far away is not drawn
                self.page.evaluate("document.querySelector('#player').scrollIntoView()")
                self.page.wait_for_timeout(700)
                wide = self.page.evaluate('document.documentElement.scrollWidth')
                check(wide <= width, f'{name} is {wide} pixels wide on {width}')
                self.page.screenshot(path=OUT/f'{name}_{width}_{scheme}.png', full_page=True)
    def secrets(self) -> list:
        "Name the places of this machine that the page or an answer tells."
        places = {str(ROOT), str(self.server.folder), str(Path.home()), sys.prefix, str(Path(sys.prefix).resolve()),
                  'corrnet_app_', '/tmp/'} - {'/'}
        self.read()
        check(any('/videos' in where for where, _ in self.texts), 'no answer was read')
        texts = [('the page', self.page.content()), *self.texts]
        for path in ('/', '/config', '/theme.css'):
            texts.append((path, self.page.request.get(f'{self.server.base}{path}').text()))
        return [f'{where} tells {p}' for where, text in texts for p in places if p in text]
    def close(self) -> list:
        said = self.faults + self.secrets()
        self.page.close()
        return said

# ---- what the page must do ----

STEP = """c => { const gap = 6, w = (c.width - gap)/2, read = x => c.getContext('2d').getImageData(x, 0, w, c.height).data
    const a = read(0), b = read(w + gap)
    let d = 0
    for (let i = 0; i < a.length; i++) d += Math.abs(a[i] - b[i])
    return [+c.dataset.frame, d/a.length] }"""
SHARE = """(e, v) => { e.value = v; e.dispatchEvent(new Event('input')) }"""

def map_plays(page, player:str):
    "Look at the canvas for a while: it moves; without the map both halves are the same frame, with it they differ."
    def seen():
        found = []
        for _ in range(40):
            found.append(canvas.evaluate(STEP))
            time.sleep(.05)
        return found
    canvas, share = (page.frame_locator(player).locator(q) for q in ('canvas', '.film-strength'))
    canvas.wait_for(timeout=SECONDS*1000)
    page.locator(player).evaluate('e => e.scrollIntoView()')  # a browser draws no frame that nobody sees
    share.evaluate(SHARE, '0')
    plain = seen()
    check(len({i for i, _ in plain}) > 2, f'the player stands still: {plain[:5]}')
    check(all(d == 0 for _, d in plain), f'clip and map are not in step: {plain[:5]}')
    share.evaluate(SHARE, '60')
    check(all(d > 1 for _, d in seen()), 'no map is drawn over the clip')

def try_upload(context, server, videos, faults):
    p = AppPage(context, server)
    p.picture('empty')
    p.give(videos['longer.mp4'])
    wait_for('an answer', p.answered)
    check('left' in p.text('bars') and 'right' in p.text('bars'), f'the classes are {p.text("bars")}')
    frames = len(p.page.query_selector_all('#sheet img'))
    check(frames == 8, f'{frames} frames of 8 are shown')
    map_plays(p.page, '#player iframe')
    p.picture('answer')
    names = lambda: p.page.frame_locator('#player iframe').locator('.film-labels').inner_text(timeout=SECONDS*1000)
    other = 'left' if 'right' in names() else 'right'
    p.choose('class of the map', other)
    wait_for('the other class', lambda: other in names())
    p.choose('stage of the map', 'res3')
    wait_for('the other stage', lambda: other in names() and 'res3' in names())
    before = p.page.inner_html('#sheet')
    field = p.page.get_by_label(MOMENT)
    field.fill('0.4')
    field.press('Enter')
    wait_for('the other moment', lambda: p.page.inner_html('#sheet') != before)
    check(len(server.videos()) == 1, f'{len(server.videos())} videos are kept of 1')
    p.give(videos['right'])
    wait_for('the first video to be deleted', lambda: len(server.videos()) == 1)
    wait_for('an answer to the second', lambda: p.end() == '0.53' and p.answered())
    faults += p.close()
    wait_for('the video to be deleted after the page is left', lambda: not server.videos())

def try_bad(context, server, videos, faults):
    p = AppPage(context, server)
    p.give(videos['left'])
    wait_for('an answer', p.answered)
    for name, says in (('broken.mp4', 'broken.mp4: it is cut off'), ('one.mp4', 'one.mp4: it has a single frame'),
                       ('notes.mp4', 'notes.mp4'), ('long.mp4', 'long.mp4: it lasts 70 seconds; expected 60 or less.'),
                       ('huge.mp4', 'huge.mp4: it has 500 MB; expected 100 MB or less.')):
        p.give(videos[name])
        said = p.sentence()
        print(f'  {said}')
        check(says in said and said.endswith('.'), f'{name} gives {said!r}')
        wait_for(f'the old answer to go before {name}', lambda: not p.page.query_selector('#player iframe'))
        if name == 'broken.mp4': p.picture('sentence')
        p.give(videos['left'])
        wait_for('an answer after the sentence', p.answered)
        check(not p.page.query_selector('#said [role=alert]'), 'the sentence stays')
    faults += p.close()

def try_two(context, server, videos, faults):
    pages = [AppPage(context, server) for _ in range(2)]
    for p, name in zip(pages, ('right', 'longer.mp4')): p.give(videos[name])
    for p in pages: wait_for('both answers', p.answered)
    ends = [p.end() for p in pages]
    check(ends[0] != ends[1], f'both pages show the same video: {ends}')
    for p in pages: faults += p.close()

def try_webcam(context, server, videos, faults):
    p = AppPage(context, server)
    p.page.click('.webcam')
    p.page.wait_for_timeout(2500)
    check(p.page.inner_text('.webcam') == 'stop', p.page.inner_text('.drop'))
    p.page.click('.webcam')
    wait_for('an answer to the webcam', p.answered)
    p.picture('webcam')
    faults += p.close()

def try_wire(server):
    "Ask the server what no page asks."
    where = urlsplit(server.base)
    def ask(method, path, body=None, **headers):
        c = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        c.putrequest(method, path, skip_host='host' in headers)
        for k, v in headers.items(): c.putheader(k.replace('_', '-'), v)
        c.endheaders()
        for part in body or ():
            try: c.send(part)
            except (BrokenPipeError, ConnectionResetError): break
        answer = c.getresponse()
        return answer.status, answer.read().decode()
    before = server.videos()
    status, said = ask('POST', '/videos', content_length=str(500_000_000), x_name='huge.mp4')
    check(status == 413 and json.loads(said)['error'] == 'huge.mp4: it has 500 MB; expected 100 MB or less.', said)
    part = b'100000\r\n' + bytes(1 << 20) + b'\r\n'
    status, said = ask('POST', '/videos', [part]*120, transfer_encoding='chunked', x_name='liar.mp4')
    check(status == 413 and 'liar.mp4' in said, f'{status}: {said}')
    check(server.videos() == before, 'a piece of a refused video is left')
    for method, path, headers in (('GET', '/gradio_api/file=/etc/hostname', {}), ('POST', '/gradio_api/upload', {}),
                                  ('GET', '/monitoring', {}), ('GET', '/', dict(host='elsewhere.example')),
                                  ('POST', '/videos', dict(origin='http://elsewhere.example'))):
        status, said = ask(method, path, **headers)
        check(status == 404, f'{path}: {status}')

def make_videos(folder:Path) -> dict:
    "Write what is dropped on the page, good and bad."
    from corrnet_lib.testing import moving_square
    from corrnet_lib.video.decode import write_video
    good = {p.parent.name: p for p in sorted((PINS/'data'/'valid').rglob('*.mp4'))}
    write_video(folder/'one.mp4', moving_square(1, 64, 64))
    write_video(folder/'longer.mp4', moving_square(80, 240, 320, speed=3), 16)
    write_video(folder/'long.mp4', moving_square(140, 32, 32), 2)
    (folder/'broken.mp4').write_bytes(good['left'].read_bytes()[:400])
    (folder/'notes.mp4').write_text('Not a video, whatever its name says.')
    with open(folder/'huge.mp4', 'wb') as f: f.truncate(500_000_000)  # takes no room on the disk
    return good | {p.name: p for p in folder.glob('*.mp4')}

def save_two_streams(path:Path):
    "A network that needs flow, as a checkpoint."
    from corrnet_lib.recipes.build import build_network
    from corrnet_lib.recipes.checkpoint import pack_network, save_checkpoint
    from corrnet_lib.recipes.table import recipes
    recipe = recipes['stmulnet_tiny_motion']
    save_checkpoint(path, pack_network(build_network(recipe, 2), recipe, ['left', 'right']))

def try_flow(context, tmp, videos, faults):
    save_two_streams(tmp/'two.pth')
    server = Server(tmp/'flow', tmp/'two.pth')
    try:
        p = AppPage(context, server)
        p.give(videos['left'])
        said = p.sentence()
        print(f'  {said}')
        check('optical flow' in said, said)
        faults += p.close()
    finally: faults += server.close()

def a_browser(pw):
    return pw.chromium.launch(
        executable_path=next(filter(None, map(browser.shutil.which, browser.BROWSERS))),
        args=['--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])

def test_page() -> list:
    faults = []
    from playwright.sync_api import sync_playwright
    with tempfile.TemporaryDirectory() as d, sync_playwright() as pw:
        tmp = Path(d)
        (tmp/'videos').mkdir()
        videos = make_videos(tmp/'videos')
        server = Server(tmp/'server', PINS/'model.pth', '--max-mb', 100, '--max-seconds', 60)
        context = a_browser(pw).new_context(viewport=dict(width=1200, height=900))
        try:
            for what, test in (('upload', try_upload), ('bad videos', try_bad), ('two at once', try_two),
                               ('webcam', try_webcam)):
                ends_well(faults, what, partial(test, context, server, videos, faults))
            ends_well(faults, 'wire', partial(try_wire, server))
            AppPage(context, server)  # a page is open when the server ends
        finally: faults += server.close()
        ends_well(faults, 'two streams', partial(try_flow, context, tmp, videos, faults))
    return faults

# ---- explore ----

CELL = f'''import torch
from corrnet_lib.predict.explore import explore
from corrnet_lib.predict.load import load_network
torch.set_num_threads(1)
net, recipe, vocab = load_network({str(PINS/'model.pth')!r})
explore(net, {str(PINS/'data/valid')!r}, vocab, recipe.clip)'''

def try_explore(context, base, theme, faults):
    with browser.a_page(context, theme, faults) as p:
        p.open(f'{base}/lab/tree/explore.ipynb?reset')
        p.faults += browser.output_faults(p.run())
        map_plays(p.page, '.corrnet-explore iframe')
        names = lambda: p.page.frame_locator('.corrnet-explore iframe').locator('.film-labels').inner_text()
        for label, option, shown in (('class', 'right', 'right'), ('stage', 'res3', 'res3')):
            row = p.page.locator(f'.corrnet-explore .widget-dropdown:has(label:text-is("{label}"))')
            row.locator('select').select_option(label=option)
            wait_for(f'the other {label}', lambda: shown in names())
        before = p.page.inner_html('.corrnet-explore')
        row = p.page.locator('.corrnet-explore .widget-dropdown:has(label:text-is("video"))')
        row.locator('select').select_option(index=3)
        def other():
            now = p.page.inner_html('.corrnet-explore')
            return 'svg' in now and now != before
        wait_for('the other video', other)
        p.page.wait_for_timeout(1500)
        p.page.set_viewport_size(dict(width=1300, height=1300))
        p.page.wait_for_timeout(800)
        p.page.screenshot(path=OUT/f'explore_{theme}.png')
        p.menu('Kernel', 'Shut Down Kernel')

def test_explore() -> list:
    faults = []
    from playwright.sync_api import sync_playwright
    for theme, name in (('light', 'JupyterLab Light'), ('dark', 'JupyterLab Dark')):
        with tempfile.TemporaryDirectory() as d, sync_playwright() as pw:
            folder = Path(d)
            (folder/'root'/'work').mkdir(parents=True)
            browser.write_notebook(folder/'root'/'explore.ipynb', [CELL])
            browser.SETTINGS['@jupyterlab/apputils-extension:themes'] = dict(theme=name)
            with browser.jupyter_lab(folder) as (base, token):
                own = dict(Authorization=f'token {token}')
                context = a_browser(pw).new_context(viewport=dict(width=1300, height=900), extra_http_headers=own)
                ends_well(faults, f'explore, {theme}', partial(try_explore, context, base, theme, faults))
    return faults

TESTS = dict(page=(test_page, 'gradio'), explore=(test_explore, 'ipywidgets'))

def main(argv) -> int:
    name, = argv or ['page']
    test, package = TESTS[name]
    missing = browser.missing() or ('' if importlib.util.find_spec(package) else f'no package {package}')
    if missing:
        print(f'skipped: test-app {name} ({missing})')
        return 0
    OUT.mkdir(parents=True, exist_ok=True)
    faults = test()
    print(*faults, sep='\n', end='\n' if faults else '')
    print(f'{name}: {len(faults)} faults; pictures in {OUT.relative_to(ROOT)}')
    return bool(faults)

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
