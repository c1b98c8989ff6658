"""How code and prose read, as far as it can be counted: lines, assignments, functions, cells, openings, words, types.

    python tools/style.py [ROOT]       check the exported modules and the notebooks; where a limit is passed, each place
    python tools/style.py --self-test  plant one offence of each kind in a small tree of its own; all must be found
"""
import ast, io, json, re, sys, tempfile, tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = 'corrnet_lib'
WIDTH = 120  # columns of a line
HARD_WIDTH = 160  # columns that no line has
BODY = 40  # lines of a function, without signature and docstring
CELL = 45  # lines of an exported cell, without signatures and docstrings
OPENING = 150  # words before the first code of a notebook

LIMITS = {  # largest value of each figure: a share, a number, or words per thousand
    'module lines over 120 columns': .01,
    'cell lines over 120 columns': .015,
    'lines over 160 columns': 0,
    'packed assignments': .04,
    'joined statements': 0,
    'functions over 40 lines': 0,
    'exported cells over 45 lines': .02,
    'text below 8 points': 0,
    'late first code': .25,
    'private words per 1000': 1.5,  # goes to 0.2
    'untyped parameters': .62,  # goes to 0.30
}
COUNTED = {k for k, v in LIMITS.items() if v == 0}  # figures that are numbers; the others are shares
WORDS = {  # a phrase of this project's early days: what the field says
    r'halves': 'half precision',
    r'pass(es)?(?= of| over the (data|videos|training))': 'epoch',
    r'is asked for': 'is requested',
    r'is (said|to be known|to be had) of': 'say it with the subject first',
    r'whoever': 'who',
    r'knobs?|turn(s|ed)? (a|one|the) knob': 'option',
    r'of which there': 'say how many',
    r'belongs into': 'belongs in',
    r'nobody knows': 'unknown',
    r'lie singly': 'single files',
    r'stamps of time': 'timestamps',
    r'in one sentence': 'an error message',
    r'the answers?(?= of (the )?(frames|correlation|op))': 'output',
    r'weighed by': 'weighted by',
    r'draws?(?= (the|a) (videos?|clips?|frames?))': 'samples',
    r'go(es)? on with': 'continue',
}
SMALL_TEXT = re.compile(r"(?:font|label|title)_?size\s*(?:=|\()\s*(?:[0-7](?:\.\d*)?(?!\d)|'x+-small')")  # of a figure
DEF = (ast.FunctionDef, ast.AsyncFunctionDef)
Found = tuple[int, list[str]]  # how many were looked at, and the places of those that offend
Cells = list[tuple[str, str]]  # (kind, source)

@dataclass
class Code:
    "A module or a code cell."
    where: str  # path, with the cell's number behind a notebook's
    src: str  # without magics
    cell: bool = False
    exported: bool = False
    tree: ast.Module = None

@dataclass
class Figure:
    "How many there are, and where it is not as it should be."
    total: int = 0
    places: list = field(default_factory=list)
    def add(self, total: int, places: list):
        self.total += total
        self.places += places

def read(where: str, src: str, **kw) -> Code:
    "`Code` of a source; magics and directives become empty lines, what does not parse has no code."
    lines = ['' if l.lstrip().startswith(('%', '!', '#|')) else l.rstrip() for l in src.split('\n')]
    src = '\n'.join(lines)
    try: return Code(where, src, tree=ast.parse(src), **kw)
    except SyntaxError: return Code(where, '', tree=ast.parse(''), **kw)

def docstring(node: ast.AST) -> ast.Expr | None:
    "The statement that is the node's docstring, or None."
    first = node.body[0] if getattr(node, 'body', None) else None
    return first if isinstance(first, ast.Expr) and isinstance(getattr(first.value, 'value', None), str) else None

def own_lines(node: ast.AST) -> range: return range(node.lineno, node.end_lineno + 1)

def generated(code: Code) -> set[int]:
    "Lines that the export writes: the module's docstring, which is the notebook's second line, and `__all__`."
    doc = None if code.cell else docstring(code.tree)
    names = [n for n in code.tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], 'id', '') == '__all__']
    return {l for n in [*names, *filter(None, [doc])] for l in own_lines(n)}

def long_lines(code: Code, width: int) -> Found:
    "(lines that are not empty, places of those over `width` columns)"
    skip = generated(code)
    lines = [(i, l) for i, l in enumerate(code.src.split('\n'), 1) if l.strip() and i not in skip]
    return len(lines), [f'{code.where}:{i}: {len(l)} columns' for i, l in lines if len(l) > width]

def is_packed(node: ast.Assign) -> bool:
    "Whether several values that do not belong together are assigned at once; swaps and pairs of plain values may be."
    target, value = node.targets[0], node.value
    if not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)): return False
    if len(target.elts) != len(value.elts): return False
    if len(target.elts) > 2: return True
    names = {e.id for e in target.elts if isinstance(e, ast.Name)}
    swapped = names & {e.id for e in value.elts if isinstance(e, ast.Name)}
    return not swapped and not all(isinstance(e, (ast.Constant, ast.Subscript, ast.Attribute)) for e in value.elts)

def packed(code: Code) -> Found:
    "(assignments, places of packed ones)"
    nodes = [n for n in ast.walk(code.tree) if isinstance(n, ast.Assign)]
    return len(nodes), [f'{code.where}:{n.lineno}: {ast.unparse(n)[:80]}' for n in nodes if is_packed(n)]

def joined(code: Code) -> Found:
    "(lines, places where a semicolon joins two statements)"
    tokens = list(tokenize.generate_tokens(io.StringIO(code.src).readline))
    ends = (tokenize.NEWLINE, tokenize.COMMENT)
    lines = [a.start[0] for a, b in zip(tokens, tokens[1:])
             if a.string == ';' and a.type == tokenize.OP and b.type not in ends]
    return code.src.count('\n') + 1, [f'{code.where}:{l}: statements joined by ;' for l in lines]

def small_text(code: Code) -> Found:
    "(lines, places where a figure gets text that is hard to read)"
    lines = code.src.split('\n')
    return len(lines), [f'{code.where}:{i}: {m[0]}' for i, l in enumerate(lines, 1) for m in SMALL_TEXT.finditer(l)]

def body_lines(func: ast.FunctionDef) -> int:
    body = func.body[1:] if docstring(func) else func.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0

def long_functions(code: Code) -> Found:
    "(functions, places of long ones)"
    funcs = [n for n in ast.walk(code.tree) if isinstance(n, DEF)]
    long = [f for f in funcs if body_lines(f) > BODY]
    return len(funcs), [f'{code.where}:{f.lineno}: {f.name} has {body_lines(f)} lines' for f in long]

def long_cells(code: Code) -> Found:
    "(1, the cell's place where it is long)"
    skip = set()
    for n in ast.walk(code.tree):
        if not isinstance(n, (*DEF, ast.ClassDef)): continue
        skip |= set(range(n.lineno, n.body[0].lineno))
        if docstring(n): skip |= set(own_lines(docstring(n)))
    count = sum(bool(l.strip()) and i not in skip for i, l in enumerate(code.src.split('\n'), 1))
    return 1, [f'{code.where}: {count} lines'] if count > CELL else []

def parameters(func: ast.FunctionDef, method: bool) -> list[ast.arg]:
    "Parameters that a caller sees."
    args = [*func.args.posonlyargs, *func.args.args, *func.args.kwonlyargs]
    static = any(getattr(d, 'id', '') == 'staticmethod' for d in func.decorator_list)
    return args[1:] if method and not static else args

def public_functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, bool]]:
    "(name, function, whether its first parameter is the object) of what others call; patches count as methods."
    for n in tree.body:
        if isinstance(n, DEF) and not n.name.startswith('_'):
            yield n.name, n, any('patch' in ast.unparse(d) for d in n.decorator_list)
        if not isinstance(n, ast.ClassDef) or n.name.startswith('_'): continue
        for f in n.body:
            if not isinstance(f, DEF) or f.name.startswith('_') and f.name != '__init__': continue
            yield f'{n.name}.{f.name}', f, True

def untyped(code: Code) -> Found:
    "(public parameters, places of those without a type)"
    found = [(name, f, p) for name, f, method in public_functions(code.tree) for p in parameters(f, method)]
    return len(found), [f'{code.where}:{p.lineno}: {name}({p.arg})' for name, f, p in found if p.annotation is None]

def prose(text: str) -> str: return re.sub(r'\$\$.*?\$\$|\]\([^)]*\)', ' ', text, flags=re.S)

def starts_late(where: str, cells: Cells) -> Found:
    "(1, the notebook where its first code, apart from imports and what is hidden, comes late)"
    words = 0
    for kind, src in cells:
        if kind == 'markdown': words += len(prose(src).split())
        elif kind == 'code' and not re.match(r'\s*#\|\s*(default_exp|hide)', src):
            body = read(where, src).tree.body
            if body and not isinstance(body[0], (ast.Import, ast.ImportFrom)): break
    return 1, [f'{where}: {words} words'] if words > OPENING else []

def private_words(where: str, cells: Cells) -> Found:
    "(words, places of phrases that the field does not use)"
    texts = [(i, src) for i, (kind, src) in enumerate(cells) if kind == 'markdown']
    places = [f'{where}[{i}]: "{m[0]}": {better}' for i, src in texts for word, better in WORDS.items()
              for m in re.finditer(rf'\b(?:{word})', src, re.I)]
    return sum(len(src.split()) for _, src in texts), places

def notebooks(root: Path) -> Iterator[tuple[str, Cells]]:
    "(path from the root, [(kind, source) of each cell])"
    for path in sorted((root/'nbs').rglob('*.ipynb')):
        if '.ipynb_checkpoints' in path.parts: continue
        cells = json.loads(path.read_text())['cells']
        yield path.relative_to(root).as_posix(), [(c['cell_type'], ''.join(c['source'])) for c in cells]

def count_code(figures: dict[str, Figure], code: Code):
    what = 'cell' if code.cell else 'module'
    figures[f'{what} lines over 120 columns'].add(*long_lines(code, WIDTH))
    figures['lines over 160 columns'].add(*long_lines(code, HARD_WIDTH))
    figures['packed assignments'].add(*packed(code))
    figures['functions over 40 lines'].add(*long_functions(code))
    if code.cell: figures['text below 8 points'].add(*small_text(code))
    if code.exported: figures['exported cells over 45 lines'].add(*long_cells(code))
    if code.cell: return
    figures['joined statements'].add(*joined(code))
    figures['untyped parameters'].add(*untyped(code))

def count(root: Path) -> dict[str, Figure]:
    "{name of a limit: its `Figure`} of a tree."
    figures = {k: Figure() for k in LIMITS}
    for path in sorted((root/LIB).rglob('*.py')):
        if path.name != '_modidx.py': count_code(figures, read(path.relative_to(root).as_posix(), path.read_text()))
    for where, cells in notebooks(root):
        for i, (kind, src) in enumerate(cells):
            if kind != 'code': continue
            exported = bool(re.search(r'^\s*#\|\s*export', src, re.M))
            count_code(figures, read(f'{where}[{i}]', src, cell=True, exported=exported))
        figures['late first code'].add(*starts_late(where, cells))
        figures['private words per 1000'].add(*private_words(where, cells))
    return figures

def value(name: str, figure: Figure) -> float:
    "The figure that is held against the limit."
    n = len(figure.places)
    if name in COUNTED: return n
    return (1000 if 'per 1000' in name else 1)*n/max(figure.total, 1)

def shown(name: str, x: float) -> str:
    if name in COUNTED: return str(x)
    return f'{x:.2f}' if 'per 1000' in name else f'{100*x:.1f} %'

def passed(figures: dict[str, Figure]) -> list[str]: return [k for k, f in figures.items() if value(k, f) > LIMITS[k]]

def check(root: Path) -> bool:
    "Print the figures, before them the places of each limit that is passed; whether there is one."
    figures = count(root)
    over = passed(figures)
    for k in over:
        print(f'{k}: {shown(k, value(k, figures[k]))}, at most {shown(k, LIMITS[k])}')
        print(*(f'  {p}' for p in figures[k].places), sep='\n')
    print('; '.join(f'{k} {shown(k, value(k, f))}{" (limit passed)" if k in over else ""}' for k, f in figures.items()))
    return bool(over)

# ---- the check checked ----

LONG_TITLE = 'The first line of a module is that of its notebook, ' + 'whatever its length, '*5
GOOD_MODULE = f'"""{LONG_TITLE}"""' + '''
__all__ = ['area', 'Box']
def area(height: int, width: int) -> int:
    "Pixels of a box."
    height, width = width, height
    top, left = 0, 0
    rows, columns = size.rows, size[1]
    return height*width
class Box:
    def __init__(self, side: int): self.side = side
    def _grow(self, by): self.side += by
'''
GOOD_CELLS = [('markdown', '# Boxes\n\n> Boxes.'), ('code', '#| export\nimport torch'),
              ('markdown', 'A box has an area.'), ('code', '#| export\ndef area(height, width): return height*width'),
              ('code', '%matplotlib inline\nplt.plot(x);')]
WIDE = 'x = "' + 'a'*WIDTH + '"'
LINES = '\n'.join(f'    x += {i}' for i in range(BODY + 1))
CONSTANTS = '\n'.join(f'x{i} = {i}' for i in range(CELL + 1))
PLANTS = {  # what a limit must catch: text behind the module, cells behind the notebook's, or cells before them
    'module lines over 120 columns': dict(module=WIDE),
    'cell lines over 120 columns': dict(after=[('code', WIDE)]),
    'lines over 160 columns': dict(after=[('code', WIDE + '+"' + 'b'*HARD_WIDTH + '"')]),
    'packed assignments': dict(after=[('code', 'a, b = f(1), g(2)')]),
    'joined statements': dict(module='a = 1; b = 2'),
    'functions over 40 lines': dict(after=[('code', f'def f(x):\n    "Add."\n{LINES}')]),
    'exported cells over 45 lines': dict(after=[('code', f'#| export\n{CONSTANTS}')]),
    'text below 8 points': dict(after=[('code', 'ax.legend(fontsize=7.5)')]),
    'late first code': dict(before=[('markdown', 'word '*(OPENING + 1))]),
    'private words per 1000': dict(after=[('markdown', 'Whoever turns the knob knows.')]),
    'untyped parameters': dict(module='def free(a, b, c, d): return a\nclass Open:\n    def go(self, a, b): return a'),
}

def write_tree(root: Path, module: str = '', before: Cells = (), after: Cells = ()):
    "A package of one module and one notebook."
    for d in (LIB, 'nbs'): (root/d).mkdir(parents=True, exist_ok=True)
    (root/LIB/'boxes.py').write_text(GOOD_MODULE + module + '\n')
    cells = [dict(cell_type=kind, source=src.splitlines(keepends=True)) for kind, src in (*before, *GOOD_CELLS, *after)]
    (root/'nbs'/'00_boxes.ipynb').write_text(json.dumps(dict(cells=cells)))

def self_test() -> bool:
    "Whether a good tree is found bad or a planted offence is missed."
    with tempfile.TemporaryDirectory() as tmp:
        write_tree(Path(tmp)/'good')
        alarms = [p for f in count(Path(tmp)/'good').values() for p in f.places]
        missed = []
        for k, plant in PLANTS.items():
            write_tree(Path(tmp)/'bad', **plant)
            if k not in passed(count(Path(tmp)/'bad')): missed.append(k)
    missed += [k for k in LIMITS if k not in PLANTS]
    print(*(f'false alarm: {p}' for p in alarms), *(f'not caught: {k}' for k in missed), sep='\n', end='')
    if not alarms and not missed: print(f'{len(PLANTS)} planted offences are caught')
    return bool(alarms or missed)

if __name__ == '__main__':
    args = sys.argv[1:]
    sys.exit(self_test() if '--self-test' in args else check(Path(args[0]) if args else ROOT))
