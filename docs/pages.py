"""What Sphinx does to the pages besides: the table of words becomes a glossary, the reference gets its dashes, and each
result of a search says in a line what it is."""
import json
from pathlib import Path
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

GLOSSARY = 'explain/00_shapes_and_terms'

class Words(SphinxTransform):
    "Give each row of the table `word | here it means` an anchor, and enter its words in the index of the search."
    default_priority = 400

    def apply(self, **kw):
        if self.env.docname != GLOSSARY: return
        for table in self.document.findall(nodes.table):
            head = next(table.findall(nodes.thead), None)
            if head is not None and head.astext().strip().startswith('word'):
                for row in next(table.findall(nodes.tbody)).children: self.enter(row)

    def enter(self, row):
        cell = row[0]
        anchor = nodes.make_id(f'word {cell.astext()}')
        row['ids'].append(anchor)
        self.document.note_explicit_target(row)
        words = [w.strip() for w in cell.astext().split(',')]
        cell.insert(0, addnodes.index(entries=[('single', w, anchor, 'main', None) for w in words]))

class Dashes(SphinxPostTransform):
    "Set the dash between a parameter and what it is."
    default_priority = 500

    def run(self, **kw):
        for place in self.document.findall(nodes.field_list):
            for t in list(place.findall(nodes.Text)):
                if t == ' -- ': t.parent.replace(t, nodes.Text(' – '))

def first_line(node) -> str:
    "The first paragraph of a part of a page."
    return next((p.astext().replace('\n', ' ') for p in node.findall(nodes.paragraph)), '')

def note_lines(app, doctree):
    "Keep what a page, each of its words and each of its functions is, in a line each."
    lines = {'': first_line(doctree)}
    for row in doctree.findall(nodes.row):
        for anchor in row['ids']: lines[anchor] = ': '.join(entry.astext() for entry in row.children)
    for d in doctree.findall(addnodes.desc):
        for anchor in d[0]['ids']: lines[anchor] = first_line(d[1])
    app.env.metadata[app.env.docname]['lines'] = {k: v for k, v in lines.items() if v}

def load_lines(app, name, template, context, doctree):
    "Let the page of the search, and no other, load the lines."
    if name != 'search': return
    app.add_js_file('lines.js', loading_method='defer')
    app.add_js_file('results.js', loading_method='defer')

def write_lines(app, error):
    if error or app.builder.format != 'html': return
    lines = {f'{app.builder.get_target_uri(doc)}{"#" if k else ""}{k}': v
             for doc, data in sorted(app.env.metadata.items()) for k, v in data.get('lines', {}).items()}
    text = json.dumps(lines, ensure_ascii=False)
    (Path(app.outdir)/'_static'/'lines.js').write_text(f'const LINES = {text}\n', encoding='utf-8')

def read_again(app, env, added, changed, removed):
    "Read the glossary at each build: Sphinx forgets a page's words in the search where the page has not changed."
    return [GLOSSARY] if GLOSSARY in env.found_docs else []

def setup(app):
    app.connect('env-get-outdated', read_again)
    app.add_transform(Words)
    app.add_post_transform(Dashes)
    app.connect('doctree-read', note_lines)
    app.connect('html-page-context', load_lines)
    app.connect('build-finished', write_lines)
    return dict(version='1', parallel_read_safe=True, parallel_write_safe=True, env_version=4)
