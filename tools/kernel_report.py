"""Compile the Triton kernels for GPUs that need not be there, read their machine code, and try them on one that is.

    python tools/kernel_report.py       try the kernels on a GPU: errors, equal bits, graphs, sizes beyond all limits

`nbs/explain/04_kernels_compiled.ipynb` tells what the numbers say about the time.
"""
import re, subprocess, sys, tempfile
from pathlib import Path
import torch
from corrnet_lib.core import BadInput, unknown_name_error
from corrnet_lib.kernels import correlation_gather as gather, correlation_triton as ours
from corrnet_lib.kernels.correlation import (correlation_conv_reference, correlation_reference, exact_gradients,
                                             relative_error)

KERNELS = ('correlate', 'clip_gradient', 'filter_gradient', 'correlate_conv')
TYPES = dict(float32='fp32', bfloat16='bf16', float16='fp16', float64='fp64')  # Triton's names
TOLERANCES = {torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 2e-3}  # relative errors
SHAPES = ((2, 64, 3, 56, 56), (2, 128, 2, 28, 30), (3, 256, 4, 14, 14),
          (2, 96, 2, 7, 7))  # three channels a group, halves that lie singly

# Compile

def _constants(name, per, dtype, ks, dilation, pairs, outputs):
    "Return the constants of a kernel, and Triton's options."
    tl = gather.load_kernels().tl
    size = dict(float32=4, float64=8).get(dtype, 2)
    fixed = dict(PER=per, KS=ks, DILATION=dilation)
    if name == 'correlate_conv':
        if size != 2: raise BadInput(f'dtype={dtype!r}: correlate_conv is for float16 and bfloat16.')
        fixed |= ours.one_kernel_tile_sizes(outputs, 32, per, pairs) | dict(FACTOR=getattr(tl, dtype))
    else: fixed |= gather.tile_sizes(per, size, pairs) | dict(SUM=tl.float64 if size == 8 else tl.float32)
    options = dict(num_warps=fixed.pop('num_warps', 4), num_stages=fixed.pop('num_stages', 3), enable_fp_fusion=True)
    return fixed, options

def compile_kernel(
    name:str,  # one of `KERNELS`
    per:int=2,  # channels in a group, P
    dtype:str='bfloat16',  # of clips and filters, one of `TYPES`
    arch:int=90,  # the card: 80 for A100, 90 for H100 and H200
    ks:int=7, dilation:int=2,  # as in `weighted_correlation`
    pairs:bool=True,  # do halves travel in pairs? (even maps and dilations)
    wide:tuple=(),  # arguments of 64 bits
    ones:tuple=(),  # arguments equal to 1, for which Triton makes a kernel of its own
    outputs:int=256,  # of the convolution, for `correlate_conv`
):  # what `triton.compile` gives: machine code and the stages on the way to it
    "Compile a kernel as it would be launched on a card."
    if name not in KERNELS: raise unknown_name_error('kernel', name, KERNELS)
    if dtype not in TYPES: raise unknown_name_error('type of numbers', dtype, TYPES)
    if gather.interpreting(): raise BadInput('TRITON_INTERPRET=1: what is interpreted cannot be compiled.')
    from triton import compile
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    kernels = gather.load_kernels()
    kernel = getattr(kernels, name)
    args = kernel.arg_names
    fixed, options = _constants(name, per, dtype, ks, dilation, pairs, outputs)
    fixed |= {n: 1 for n in ones if n in args and n not in kernels.UNSPECIALISED}
    pointers = dict.fromkeys(('x', 'rho', 'out', 'weights'), TYPES[dtype])
    pointers |= dict.fromkeys(('filters', 'dx', 'parts'), 'fp64' if dtype == 'float64' else 'fp32')
    def kind(n):
        if n in pointers: return '*' + pointers[n]
        return 'constexpr' if n in fixed else 'i64' if n in wide else 'i32'
    aligned = [n in pointers or n == 'groups' and n not in fixed for n in args]  # 32 groups
    source = ASTSource(fn=kernel, signature={n: kind(n) for n in args},
                       constexprs={(args.index(n),): v for n, v in fixed.items()},
                       attrs={(k,): [['tt.divisibility', 16]] for k, a in enumerate(aligned) if a})
    return compile(source, target=GPUTarget('cuda', arch, 32), options=options)

# Read machine code

def read_code(tool, code, *options) -> str:
    "Let one of Triton's two readers of machine code, `cuobjdump` or `nvdisasm`, print it."
    import triton
    reader = Path(triton.__file__).parent/'backends/nvidia/bin'/tool
    with tempfile.TemporaryDirectory() as d:
        (Path(d)/'kernel.cubin').write_bytes(code)
        cmd = [reader, *options, f'{d}/kernel.cubin']
        return subprocess.run(cmd, capture_output=True, text=True, check=True).stdout

def inner_loop(listing) -> list:
    "Return the instructions of the longest loop without another in it, in a listing of machine code."
    places = {}
    code = []
    loops = []
    for line in listing.splitlines():
        if m := re.match(r'(\.L_x_\d+):', line.strip()): places[m[1]] = len(code)
        if m := re.match(r'\s+/\*[0-9a-f]+\*/\s+(.*?);', line):
            code.append(m[1])
            back = re.match(r'(@!?U?P\d+ +)?BRA.*`\((\.L_x_\d+)\)', m[1])
            if back and back[2] in places: loops.append((places[back[2]], len(code)))
    def holds_another(a, b): return any(a <= c and d <= b and (c, d) != (a, b) for c, d in loops)
    inner = [l for l in loops if not holds_another(*l)]
    return code[slice(*max(inner, key=lambda l: l[1] - l[0], default=(0, 0)))]

def occupancy(kernel) -> dict:
    "Read off a compiled kernel's machine code what it takes of a card."
    code = kernel.asm['cubin']
    usage = read_code('cuobjdump', code, '-res-usage')
    use = {k: int(v) for k, v in re.findall(r'(REG|STACK|LOCAL|SHARED):(\d+)', usage)}
    loop = inner_loop(read_code('nvdisasm', code, '-c'))
    threads = 32*kernel.metadata.num_warps
    spilled = sum(o.split()[0] in ('LDL', 'STL') or ' LDL' in o or ' STL' in o for o in loop)
    blocks = min(65536//(-(-use['REG']//8)*8*threads), 2048//threads)
    return dict(registers=use['REG'], parked=use['STACK'] + use['LOCAL'], spilled=spilled,
                shared=kernel.metadata.shared, loop=len(loop), loads=sum('LDG' in o for o in loop), blocks=blocks)

# Try on a card

def _draw(device, shape, ks=7, groups=32, slices=None):
    "Draw clips, filters and a convolution."
    def draw(*s): return torch.randn(*s, device=device)
    n_answers = ks*ks*groups
    return [draw(*shape), draw(shape[1], slices or shape[2], ks, ks), draw(2*shape[1], n_answers)/n_answers**.5]

def gradient_errors(device, shapes, groups=32, **kw):
    "Yield (type, shape, errors of the answer and of the gradients of clips, filters, convolution)."
    for dtype in TOLERANCES:
        for shape in shapes:
            leaves = [o.to(dtype).requires_grad_() for o in _draw(device, shape, groups=groups, **kw)]
            y, rho, grads = exact_gradients(lambda *a: correlation_conv_reference(*a, groups, 2), *leaves)
            out = ours.weighted_correlation_conv(*leaves, groups, 2)
            got = (out.detach(), *torch.autograd.grad(out, leaves, rho.to(dtype)))
            yield dtype, shape, [relative_error(a, b) for a, b in zip(got, (y, *grads))]

def one_kernel_errors(device, shapes, groups=32, **kw):
    "Yield (type, shape, error of the answer that one kernel makes with the convolution)."
    for dtype in (torch.bfloat16, torch.float16):
        for shape in shapes:
            leaves = [o.to(dtype) for o in _draw(device, shape, groups=groups, **kw)]
            want = correlation_conv_reference(*(o.double() for o in leaves), groups, 2)
            yield dtype, shape, relative_error(ours.forward_one_kernel(*leaves, groups, 2), want)

def _step(leaves, groups=32):
    return torch.autograd.grad(ours.weighted_correlation_conv(*leaves, groups, 2).square().sum(), leaves)

def same_bits(device, shape, dtype=torch.float32, groups=32, **kw) -> bool:
    "Tell whether two steps on the same numbers give the same bits."
    leaves = [o.to(dtype).requires_grad_() for o in _draw(device, shape, groups=groups, **kw)]
    return all(torch.equal(a, b) for a, b in zip(_step(leaves, groups), _step(leaves, groups)))

def channels_last_error(device, shape, groups=32, **kw) -> float:
    "Return how far the answer for clips whose channels lie together is from that for the same clips as they are."
    x, *rest = _draw(device, shape, groups=groups, **kw)
    got, want = (ours.weighted_correlation_conv(o, *rest, groups, 2)
                 for o in (x.to(memory_format=torch.channels_last_3d), x))
    return relative_error(got, want)

def _compiled_error(device):
    "Return the error of a compiled function with the operator in it."
    leaves = _draw(device, (2, 64, 4, 56, 56))
    def f(*a): return ours.weighted_correlation_conv(*a, 32, 2).relu()
    return relative_error(torch.compile(f, fullgraph=True)(*leaves), f(*leaves))

def _errors_beyond_limits(device):
    "Yield errors of the last frames: of 70,000, and of an answer of more than 2^31 numbers."
    x, w, _ = _draw(device, (1, 2, 70_000, 2, 3), 3, 2, slices=1)
    got = ours.weighted_correlation(x, w, 2, 1)[:, :, 69_000:]
    yield relative_error(got, correlation_reference(x[:, :, 68_999:].double(), w.double(), 2, 1)[:, :, 1:])
    x, w, _ = (o.half() for o in _draw(device, (1, 64, 550, 56, 56), slices=1))
    got = ours.weighted_correlation(x, w, 32, 2)[:, :, -2:]
    yield relative_error(got, correlation_reference(x[:, :, -3:].double(), w.double(), 32, 2)[:, :, 1:])

def _graph_error(device, dtype=torch.float32):
    "Return how far a CUDA graph of a step, replayed on new numbers, is from the step itself."
    leaves = [o.to(dtype).requires_grad_() for o in _draw(device, (2, 64, 4, 28, 28))]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side): _step(leaves)  # compiles the kernels
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph): kept = _step(leaves)
    with torch.no_grad(): leaves[0].normal_()
    graph.replay()
    return max(relative_error(a, b) for a, b in zip(kept, _step(leaves)))

def _findings(device):
    "Yield what is tried, what came out, and whether it is as it should be."
    backend = ours.correlation_backend(device)
    yield 'version that runs', backend, backend == 'triton'
    for dtype, shape, errors in gradient_errors(device, SHAPES):
        yield f'errors {str(dtype)[6:]} {shape}', ' '.join(f'{e:.1e}' for e in errors), max(errors) <= TOLERANCES[dtype]
    for dtype, shape, e in one_kernel_errors(device, SHAPES):
        yield f'error in one kernel {str(dtype)[6:]} {shape}', f'{e:.1e}', e <= TOLERANCES[dtype]
    for shape in SHAPES: yield 'equal bits', shape, same_bits(device, shape)
    errors = [('channels last, difference', channels_last_error(device, SHAPES[1]), 1e-6),
              ('one graph for torch.compile, difference', _compiled_error(device), 1e-5),
              *((f'{what}, error', e, 2e-3)
                for what, e in zip(('70,000 frames', 'more than 2^31 answers'), _errors_beyond_limits(device))),
              ('recorded graph, difference', _graph_error(device), 1e-6)]
    for what, e, most in errors: yield what, f'{e:.1e}', e < most
    with ours.use_correlation('one_kernel'):
        same = all(same_bits(device, s, torch.bfloat16) for s in SHAPES)
        replayed = _graph_error(device, torch.bfloat16)
    yield ('one kernel: equal bits, and difference of a recorded graph', f'{same} {replayed:.1e}',
           same and replayed < 1e-6)

def check_card(
    device='cuda',
    say=print,  # called with each finding
) -> bool:
    "Try the kernels on a GPU and tell whether all is as it should be."
    tf32 = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False  # products round as convolutions do
    good = []
    try:
        with torch.cuda.device(device):
            for what, value, ok in _findings(device):
                good.append(bool(ok))
                say(f'{"as it should be" if ok else "NOT AS IT SHOULD BE"}: {what} {value}')
    finally: torch.backends.cudnn.allow_tf32 = tf32
    return all(good)

if __name__ == '__main__': sys.exit(not check_card())
