"""README.md from nbs/index.ipynb: its text, its visible code and what that printed or drew.

    python tools/readme.py [--check]
"""
import base64, re, sys
from pathlib import Path
import nbformat

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = ('#| hide', '#|hide', '#| export', '#| default_exp')

def _from_root(text):
    "Links as they are from the folder above the notebooks."
    return re.sub(r'\]\((?!https?:|#)', '](nbs/', text)

def render():
    "(text of the README, {path of a figure: bytes})"
    parts = []
    figures = {}
    for c in nbformat.read(ROOT/'nbs'/'index.ipynb', nbformat.NO_CONVERT).cells:
        if c.cell_type == 'markdown':
            parts.append(_from_root(c.source))
            continue
        if c.cell_type != 'code' or not c.source or c.source.startswith(HIDDEN): continue
        lines = c.source.splitlines()
        echo = not any(l.replace(' ', '') == '#|echo:false' for l in lines)
        if echo: parts.append('```python\n' + '\n'.join(l for l in lines if not l.startswith('#|')) + '\n```')
        for o in c.outputs:
            data = o.get('data', {})
            if 'image/png' in data:
                path = f'nbs/images/index-{c.id}.png'
                figures[path] = base64.b64decode(data['image/png'])
                parts.append(f'![]({path})')
            elif 'text/markdown' in data: parts.append(_from_root(data['text/markdown']))
            else:
                text = (o.get('text') or data.get('text/plain', '')).rstrip()
                if text: parts.append('```\n' + text + '\n```')
    note = '<!-- made from nbs/index.ipynb by `make readme` -->'
    return '\n\n'.join([note, *parts]) + '\n', figures

def main(argv):
    text, figures = render()
    want = {'README.md': text.encode()} | figures
    if '--check' in argv:
        stale = [p for p, b in want.items() if not (ROOT/p).exists() or (ROOT/p).read_bytes() != b]
        print(*([f'{p} is not what nbs/index.ipynb says (make readme)' for p in stale] or ['README.md is fresh']),
              sep='\n')
        return bool(stale)
    for p, b in want.items():
        (ROOT/p).parent.mkdir(parents=True, exist_ok=True)
        (ROOT/p).write_bytes(b)
    return 0

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
