"""Articulation: from a film of a vocal tract to a voice."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="articulation",
    summary="films of a vocal tract to a voice: CNN-LSTM mel generator",
    verbs=(
        Verb("prepare", "films to clips with their mels", f"{_HERE}.config:Prepare", f"{_HERE}.data.prepare:prepare"),
        Verb("train", "train a mel generator", f"{_HERE}.config:Train", f"{_HERE}.training:train", recipes=True),
        Verb("export-mels", "log-mels for a vocoder", f"{_HERE}.config:ExportMels", f"{_HERE}.exporting:export_mels"),
        Verb("synthesize", "films to sound", f"{_HERE}.config:Synthesize", f"{_HERE}.synthesis:synthesize"),
        Verb("evaluate", "errors of mel and voice", f"{_HERE}.config:Evaluate", f"{_HERE}.evaluation:evaluate"),
        Verb("explain", "heat maps of what is heard", f"{_HERE}.config.explain:Explain", f"{_HERE}.explain:explain"),
        Verb(
            "heatmap-video",
            "a slow film of a heat map",
            f"{_HERE}.config.explain:HeatmapVideo",
            f"{_HERE}.heatmaps:heatmap_video",
        ),
        Verb(
            "overlay-video",
            "film, heat maps and sound in step",
            f"{_HERE}.config.explain:OverlayVideo",
            f"{_HERE}.films:overlay_video",
        ),
    ),
    runner=f"{_HERE}.inference:Articulator",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Mel",
    example=f"{_HERE}.data.example:example",
    stages={"train": f"{_HERE}.config:Train"},
)
