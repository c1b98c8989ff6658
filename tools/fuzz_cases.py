"""A case of the fuzzer: the files of a folder, kept as one json file in tests/fuzz."""
import base64, json, zlib
from dataclasses import dataclass, field
from pathlib import Path

@dataclass
class Case:
    "Files in a folder, and what is known of them."
    target:str
    files:dict  # {path in the folder: bytes; text: a link to it}; a path that ends in / is a folder
    about:dict = field(default_factory=dict)  # values of json: what the target is to do and to hold the answer against
    @property
    def size(self): return sum(map(len, self.files.values())) + len(self.files) + len(json.dumps(self.about))

class Wrong(Exception):
    "An answer that is not right; the first words up to a colon name the kind."

def to_json(case, **more):
    "Write a case as json: text where it is text, else packed."
    def put(v):
        if isinstance(v, str): return dict(link=v)
        try: text = v.decode()
        except UnicodeDecodeError: text = None
        return (text if text is not None and '\r' not in text
                else dict(zlib=base64.b64encode(zlib.compress(v, 9)).decode()))
    files = {k: put(v) for k, v in case.files.items()}
    return json.dumps(dict(target=case.target, **more, about=case.about, files=files), indent=1) + '\n'

def from_json(text):
    "Read a case, and the regular expression that its answer must match."
    d = json.loads(text)
    def get(v):
        return (v.encode() if isinstance(v, str) else v['link'] if 'link' in v
                else zlib.decompress(base64.b64decode(v['zlib'])))
    return Case(d['target'], {k: get(v) for k, v in d['files'].items()}, d['about']), d.get('says', '')

def lay_out(case, folder):
    "Make the files of a case."
    for name, data in case.files.items():
        p = Path(folder, name)
        (p if name.endswith('/') else p.parent).mkdir(parents=True, exist_ok=True)
        if isinstance(data, str): p.symlink_to(data)
        elif not name.endswith('/'): p.write_bytes(data)
