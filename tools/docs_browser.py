"""Open the built site from the disk in a browser without a network: formulas are drawn, players play, words are found.

    python tools/docs_browser.py [PAGE ...]     all pages, or those named: layers/02_correlation.html
    python tools/docs_browser.py --shots DIR    also a picture of some pages, wide and narrow

Needs `make docs`, chromium, and playwright, which drives it; without them it says so and is content.
"""
import shutil, sys
from pathlib import Path
from urllib.parse import quote
from docs import BROWSERS, HTML, words

SHOTS = ('index', 'layers/02_correlation', 'layers/index', 'tutorials/01_cam_tour', 'explain/00_shapes_and_terms',
         'api/corrnet_lib.train.learner')
WIDTHS = dict(wide=1400, narrow=420)
DRAWN = '''() => window.MathJax === undefined ? Promise.resolve(0)
    : MathJax.startup.promise.then(() => document.querySelectorAll('mjx-merror').length)'''
PLAYS = '''async () => {
    const films = [...document.querySelectorAll('video')]
    for (const f of films) { f.muted = true; await f.play() }
    await new Promise(done => setTimeout(done, 500))
    return [films.length, films.filter(f => f.currentTime > 0 && f.videoWidth > 0).length]
}'''

def address(page:str) -> str: return (HTML/page).as_uri()

def look(tab, page:str) -> list:
    "Sentences about what is wrong with a page."
    said = []
    tab.on('console', note := lambda m: said.append(f'{page}: {m.text}') if m.type == 'error' else None)
    tab.on('requestfailed', lost := lambda r: said.append(f'{page}: {r.url[:120]} was not loaded'))
    tab.goto(address(page))
    if wrong := tab.evaluate(DRAWN): said.append(f'{page}: {wrong} formulas are not drawn')
    films, playing = tab.evaluate(PLAYS)
    if films != playing: said.append(f'{page}: {playing} of {films} players play')
    tab.remove_listener('console', note)
    tab.remove_listener('requestfailed', lost)
    return said

def find(tab, word:str) -> str:
    "The address of the first result of the site's search."
    tab.goto(address('search.html') + f'?q={quote(word)}')
    first = tab.wait_for_selector('#search-results li a', timeout=20_000)
    return first.get_attribute('href')

def main(argv) -> int:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try: from playwright.sync_api import sync_playwright
    except ImportError: program = None
    if program is None:
        print('docs_browser: skipped, it needs chromium and playwright')
        return 0
    shots = Path(argv[1]) if argv[:1] == ['--shots'] else None
    pages = [] if shots else argv or sorted(str(p.relative_to(HTML)) for p in HTML.rglob('*.html'))
    bad = []
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=program, args=['--no-sandbox', '--disable-gpu'])
        tab = browser.new_context(offline=True).new_page()
        for page in pages: bad += look(tab, page)
        terms = [] if argv else words()
        for w in terms:
            if '#word-' not in (href := find(tab, w)): bad.append(f'{w!r}: the search finds {href} first')
        for page in SHOTS if shots else ():
            for name, width in WIDTHS.items():
                tab.set_viewport_size(dict(width=width, height=1400))
                tab.goto(address(f'{page}.html'))
                tab.evaluate(DRAWN)
                shots.mkdir(parents=True, exist_ok=True)
                tab.screenshot(path=shots/f'{page.replace("/", "-")}-{name}.png')
        browser.close()
    print(*bad, sep='\n', end='\n' if bad else '')
    print(f'{len(pages)} pages and {len(terms)} words looked at, {len(bad)} faults')
    return bool(bad)

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
