"A script as somebody has written it with the names of version 0.1: they go on working for one release."
import sys
from corrnet_lib.all import *
from corrnet_lib.core import write_aside
from corrnet_lib.measure.views import merge_views
from corrnet_lib.data.video import open_video
from corrnet_lib.networks.trunks import set_checkpoint
from corrnet_lib.train.recipes import Recipe as SameRecipe
from corrnet_lib.train.script import train_run

data, recipe_file = sys.argv[1:]
r = Recipe.load(recipe_file).over(1).tweak(dataset='mine', accum=2, clip=dict(n_frames=4))
assert SameRecipe is Recipe and r.clip.tweak(stride=3).stride == 3
dls = video_loaders(data, r, bs=2, num_workers=0, device='cpu', bad='skip')
dls.show_batch(max_n=2)
learn = video_learner(dls, corrnet_tiny, recipe=r.tweak(arch_kw=dict(width=2)), metrics=[top1, top5], checkpoint='blocks')
with learn.no_bar(), learn.no_logging(): learn.fit_recipe()
v = multi_view(learn.model, dls.valid_ds, segments=2, crops=1)
assert merge_views(v.logits, 'probs').shape == (4, 2)
label, i, probs = learn.predict(dls.valid_ds.records[0].path)
assert dls.vocab[i] == label and show_cam(learn, dls.valid_ds.records[0].path, stage='res3') is not None
learn.save('mine')
with write_aside('note.txt') as p: p.write_text('whole')
with open_video(dls.valid_ds.records[0].path) as video: assert video.read([0]).shape == (1, 64, 64, 3)
for name in ('SegmentNet', 'ShiftNet', 'RegionNet', 'ChannelGate'): assert isinstance(globals()[name], type)
