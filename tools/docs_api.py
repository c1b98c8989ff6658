"""The reference: a page in MyST Markdown for each module, from its source alone: signatures, docstrings and docments.

    python tools/docs_api.py corrnet_lib/core.py      print the page of a module
"""
import ast, io, re, sys, tokenize
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIB = 'corrnet_lib'
DEF = (ast.FunctionDef, ast.AsyncFunctionDef)
DATA = {'dataclass', 'NamedTuple'}  # a class whose fields are its parameters

@dataclass
class Comments:
    "The comments of a module: line number -> text, and which lines hold nothing else."
    at: dict = field(default_factory=dict)
    alone: set = field(default_factory=set)

    @classmethod
    def of(cls, src:str):
        out = cls()
        lines = src.splitlines()
        for t in tokenize.generate_tokens(io.StringIO(src).readline):
            if t.type != tokenize.COMMENT: continue
            out.at[t.start[0]] = t.string.lstrip('#').strip()
            if not lines[t.start[0] - 1][:t.start[1]].strip(): out.alone.add(t.start[0])
        return out

    def about(self, line:int) -> str:
        "What is said of the parameter that ends in `line`: the comments above it and the one behind it."
        above = []
        n = line - 1
        while n in self.alone:
            above.insert(0, self.at[n])
            n -= 1
        return ' '.join([*above, *([self.at[line]] if line in self.at and line not in self.alone else [])])

@dataclass
class Param:
    name: str  # with its stars
    type: str = ''
    default: str | None = None
    about: str = ''

def text(node) -> str: return '' if node is None else ast.unparse(node)

def params_of(f, comments:Comments, method:bool=False) -> list:
    "The parameters of a function, with `/` and `*` where Python has them; `self` is left out."
    a = f.args
    first = [*a.posonlyargs, *a.args]
    defaults = [None]*(len(first) - len(a.defaults)) + a.defaults
    rows = []
    for i, (p, d) in enumerate(zip(first, defaults)):
        rows.append((p, '', d))
        if a.posonlyargs and i == len(a.posonlyargs) - 1: rows.append(('/', '', None))
    if a.vararg: rows.append((a.vararg, '*', None))
    elif a.kwonlyargs: rows.append(('*', '', None))
    rows += [(p, '', d) for p, d in zip(a.kwonlyargs, a.kw_defaults)]
    if a.kwarg: rows.append((a.kwarg, '**', None))
    if method: rows = rows[1:]
    out = []
    for p, stars, d in rows:
        if isinstance(p, str): out.append(Param(p))
        else:
            end = max(p.end_lineno, d.end_lineno if d is not None else 0)
            out.append(Param(stars + p.arg, text(p.annotation), None if d is None else text(d), comments.about(end)))
    return out

def returns_of(f, comments:Comments) -> tuple:
    "(type, what is said of it) of what a function returns: the comment on the line where its signature ends."
    last = f.returns.end_lineno if f.returns is not None else f.body[0].lineno - 1
    taken = {p.end_lineno for p in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)}
    about = comments.at.get(last, '') if last not in comments.alone and last not in taken else ''
    return text(f.returns), about if last >= f.lineno and last < f.body[0].lineno else ''

def fields_of(c, comments:Comments) -> list:
    "The fields of a dataclass or a named tuple as parameters."
    rows = [n for n in c.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    return [Param(n.target.id, text(n.annotation), None if n.value is None else text(n.value),
                  comments.about(n.end_lineno)) for n in rows if not n.target.id.startswith('_')]

def names(nodes_) -> set:
    "The last names of decorators or bases: `dataclass` of `@dataclasses.dataclass(frozen=True)`."
    return {text(n.func if isinstance(n, ast.Call) else n).rpartition('.')[2] for n in nodes_}

def plain(s:str) -> str:
    "Write a text in Markdown that shows it as it is; what stands in backticks stays code."
    parts = re.split(r'(`+[^`]*`+)', s)
    return ''.join(p if i % 2 else re.sub(r'([\\*_<\[\]${}])', r'\\\1', p) for i, p in enumerate(parts))

def prose(node) -> list:
    "The docstring of a definition as lines of Markdown."
    doc = ast.get_docstring(node)
    if not doc: return []
    if any(l.startswith(' ') for l in doc.splitlines()): return ['```text', *doc.splitlines(), '```', '']
    return [*map(plain, doc.splitlines()), '']

def signature(name:str, params:list) -> str:
    return f'{name}({", ".join(p.name if p.default is None else f"{p.name}={p.default}" for p in params)})'

def fields(params:list, returns:tuple=('', '')) -> list:
    "The parameters as a field list."
    out = []
    for p in params:
        if p.name in '/*' or not (p.type or p.about): continue
        name = p.name.replace('*', '\\*')
        out.append(f':param {name}: {plain(p.about)}'.rstrip())
        if p.type: out.append(f':type {name}: {plain(p.type)}')
    kind, about = returns
    if about: out.append(f':returns: {plain(about)}')
    if kind and kind != 'None': out.append(f':rtype: {plain(kind)}')
    return out and [*out, '']

def block(kind:str, head:str, body:list, depth:int=4) -> list:
    fence = '`'*depth
    return [f'{fence}{{py:{kind}}} {head}', '', *body, fence, '']

def function(f, comments:Comments, name:str='', kind:str='function', method:bool=False, depth:int=4) -> list:
    params = params_of(f, comments, method)
    body = [*prose(f), *fields(params, returns_of(f, comments))]
    options = [':async:'] if isinstance(f, ast.AsyncFunctionDef) else []
    return block(kind, signature(name or f.name, params), [*options, *body], depth)

def method(f, comments:Comments) -> list:
    marks = names(f.decorator_list)
    if marks & {'property', 'cached_property', 'lazy_property'}: return block('property', f.name, prose(f), 4)
    static = 'staticmethod' in marks
    kind = 'classmethod' if 'classmethod' in marks else 'staticmethod' if static else 'method'
    return function(f, comments, kind=kind, method=not static)

def klass(c, comments:Comments) -> list:
    "A class: its parameters are those of `__init__`, or its fields; then its public methods that are documented."
    own = {f.name: f for f in c.body if isinstance(f, DEF)}
    of_fields = names(c.decorator_list) & DATA or names(c.bases) & DATA
    if '__init__' in own: params = params_of(own['__init__'], comments, True)
    else: params = fields_of(c, comments) if of_fields else []
    body = [*prose(c), *fields(params)]
    for name, f in own.items():
        if not name.startswith('_') and ast.get_docstring(f): body += method(f, comments)
    return block('class', signature(c.name, params), body, 6)

def patched(f, comments:Comments) -> list:
    "A method that a module adds to a class of another one."
    first = (f.args.posonlyargs + f.args.args)[0]
    owner = text(first.annotation).split('.')[-1].strip('()').split(',')[0]
    if names(f.decorator_list) & {'property'} or 'as_prop=True' in ''.join(map(text, f.decorator_list)):
        return block('property', f'{owner}.{f.name}', prose(f))
    return function(f, comments, f'{owner}.{f.name}', 'method', True)

def public(tree) -> list:
    "The names in `__all__`."
    for n in tree.body:
        if isinstance(n, ast.Assign) and text(n.targets[0]) == '__all__': return ast.literal_eval(n.value)
    return []

def module_name(path:Path) -> str: return '.'.join(path.relative_to(ROOT).with_suffix('').parts)

def notebook(src:str) -> str:
    "The notebook that a module was exported from, relative to `nbs`."
    m = re.search(r'File to edit: (?:\.\./)+nbs/(\S+\.ipynb)\.', src)
    return m[1] if m else ''

def objects(path:Path) -> list:
    "The public functions and classes that a module defines."
    tree = ast.parse(path.read_text(encoding='utf-8'))
    there = set(public(tree))
    return [n.name for n in tree.body if isinstance(n, (*DEF, ast.ClassDef)) and n.name in there]

def page(path:Path) -> str:
    "The reference page of a module; '' where it exports nothing."
    src = path.read_text(encoding='utf-8')
    tree = ast.parse(src)
    comments = Comments.of(src)
    there = set(public(tree))
    out = []
    for n in tree.body:
        if isinstance(n, DEF) and 'patch' in names(n.decorator_list):
            if not n.name.startswith('_') and ast.get_docstring(n): out += patched(n, comments)
        elif getattr(n, 'name', None) not in there: continue
        elif isinstance(n, DEF): out += function(n, comments)
        elif isinstance(n, ast.ClassDef): out += klass(n, comments)
    if not out: return ''
    name = module_name(path)
    nb = notebook(src)
    head = [f'# {plain(name.removeprefix(LIB + "."))}', '', plain(ast.get_docstring(tree) or ''), '',
            f'Written and explained in [nbs/{nb}](/{nb}).' if nb else '', '', f'```{{py:module}} {name}', '```', '']
    return '\n'.join([*head, *out]) + '\n'

if __name__ == '__main__': print(page(Path(sys.argv[1]).resolve()))
