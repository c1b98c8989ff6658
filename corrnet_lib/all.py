"The public face, for notebooks and scripts: `from corrnet_lib.all import *`. Written by hand, in the order of the rooms; the modules hold more."
from .core import BadInput, Clips, ClipSpec, environment, flow_spec, fold_time, map_streams, set_seed, unfold_time, atomic_write
from .kernels.correlation import correlation_reference, weighted_correlation, weighted_correlation_conv
from .kernels.correlation_triton import correlation_backend, use_correlation
from .layers.conv import ConvNormAct, channels_last, conv_2d, conv_2plus1d, fold_norms, inflate, init_weights
from .layers.blocks import Bottleneck, FrameBasicBlock, FrameBottleneck, FrameStage, stage
from .layers.correlation import CorrelationBlock, WeightedCorrelation, resample_filters
from .layers.shift import TemporalShift, temporal_shift
from .layers.non_local import GlobalContext, RegionNonLocal
from .layers.tensorize import TensorInteraction
from .layers.fusion import Lateral, MotionGate, TemporalConv
from .layers.heads import PoolHead, SegmentHead
from .networks.base import STAGES, VideoNet, set_activation_checkpointing, switched_off, switched_scores
from .networks.weights import load_weights, published_names, read_checkpoint
from .networks.pretrained import load_imagenet
from .networks.matconvnet import load_matconvnet
from .networks.corrnet import CorrNet, corrnet26, corrnet50, corrnet101, corrnet_small, corrnet_tiny
from .networks.corrnet import correlation_arrows, displacement_filters, resample_checkpoint
from .networks.slowfast import SlowFast, slow50, slowfast50, slowfast101, slowfast_tiny
from .networks.tsn import TSN, TSM, OnlineTSM, tsm18, tsm50, tsm101, tsm_tiny, tsn18, tsn50, tsn101, tsn_tiny
from .networks.rnl import RNL, region_attention, rnl_tiny, rnl_tsm18, rnl_tsm50, rnl_tsm101, rnl_tsn50
from .networks.ctnet import CTNet, ctnet18, ctnet50, ctnet101, ctnet_tiny, excitations
from .networks.stmulnet import MultiplierNet, gate_maps, stmulnet50, stmulnet101, stmulnet152, stmulnet_tiny
from .networks.zoo import check_network, create_model, list_models
from .video.decode import BadVideo, VideoInfo, n_frames, open_stream, read_frames, video_info, write_video
from .video.sampling import sample_clip, segment_clip, segment_views, view_clips
from .video.crops import Box, Window, test_windows, train_window
from .video.transforms import ClipTransform, crop_views, normalise_clips, to_frames, train_transform, valid_transform
from .video.augment import Augment, clip_transform, mirror_labels
from .video.flow import FlowReader, read_flow, write_flow
from .video.optical_flow import extract_flow
from .datasets.synthetic import MOTIONS, MotionSpec, make_motion_videos, motion_video, read_masks
from .datasets.records import Records, VideoRecord, class_names, split_records
from .datasets.splits import hold_out
from .datasets.list_files import records_from_csv, records_from_pyslowfast, records_from_tars, records_from_tsm
from .datasets.dataset import VideoDataset, clip_views
from .datasets.detect import find_records, records_from, records_from_folder
from .evaluate.metrics import average_precision, class_accuracy, confusion_matrix, mean_ap, mean_class_accuracy, top1, top5, topk_accuracy
from .evaluate.views import ViewScores, ensemble, load_scores, multi_view
from .evaluate.cost import cost_table, count_macs, count_params, peak_memory, saved_memory, training_memory
from .vis.frames import clip_player, contact_sheet, show_clip, to_video, write_gif
from .vis.cam import cam_energy_ratio, cam_maps, cam_over_time, cam_player, cam_sheet, cam_strip, cam_video
from .vis.sampling import plot_sampling
from .vis.plots import plot_ablation, plot_classes, plot_confusion, plot_cost, plot_history, plot_steps, save_figure
from .vis.inside import arrow_strip, attention_strip, gate_strip, plot_displacements, plot_excitations, plot_switches
from .vis.inside import save_film, switch_rows
from .vis.cam_measures import control_maps, energy_ratios, measure_rows, measure_verdict, plot_measures, plot_removal
from .vis.cam_measures import removal_curve, removal_curves
from .recipes.schedules import Constant, Cosine, CosineAfterWarmup, CosineTune, Drops, Plateau, Steps, lr_at
from .recipes.param_groups import ParamGroups
from .recipes.parts import Augmentation, BinaryCrossEntropy, CrossEntropy, Init, TwoStreamCrossEntropy, Views
from .recipes.recipe import Recipe
from .recipes.table import EnsembleRecipe, ensembles, find_recipe, list_recipes, recipes
from .recipes.recipe_for import recipe_for
from .recipes.original_commands import recipe_from_command, test_from_command
from .train.mixing import ClipCutMix, ClipMixUp, MixOrCut
from .predict.load import load_network
from .predict.predict import predict_videos
from .predict.explore import explore
from .predict.report import report
from .train.loaders import TensorClip, VideoBlock, video_loaders
from .train.learner import show_cam, video_learner
from .train.distributed import DistributedTraining
from .train.folds import train_folds
from .train.ablation import ablate, ablation_table

# names of version 0.1; functions warn, classes are the classes of today, so that isinstance holds
from .old_names import renamed as _renamed
write_aside = _renamed('write_aside', atomic_write)
set_checkpoint = _renamed('set_checkpoint', set_activation_checkpointing)
SegmentNet, ShiftNet, RegionNet, ChannelGate = TSN, TSM, RNL, GlobalContext

# `video_learner?` and `Recipe?` in a notebook tell what the parameters mean; so does `help` for the first three functions
import inspect as _inspect
from .core import explain as _explain, full_doc as _full_doc
from .train.learner import VideoLearner as _VideoLearner
for _f in (video_loaders, video_learner, multi_view): _f.__doc__ = _full_doc(_f)
_explain(_f for _o in (globals(), vars(_VideoLearner)) for _f in list(_o.values())
         if _inspect.isfunction(_f) and 'Parameters:' not in (_f.__doc__ or ''))
_explain([ClipSpec, MotionSpec, Recipe])
